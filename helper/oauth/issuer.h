/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * issuer - what an authorization server says of itself, and the client that it
 * gives to anybody: the step before a sign-in or a renewal
 *
 * Discovery by RFC 8414 and OpenID Connect Discovery 1.0, registration by RFC
 * 7591.  A document is fetched by https and without redirects, its issuer is
 * byte for byte the one that was asked for, its endpoints are https URLs.
 * Owns the searches: one an issuer at a time, all who need it wait for the
 * same; and what was found, which is kept for a day, and after that as the
 * last good copy while there is no other.  All of it is in memory; over a
 * restart the records keep the endpoints that were last used.
 */
#ifndef MAILTOKEN_OAUTH_ISSUER_H
#define MAILTOKEN_OAUTH_ISSUER_H

#include "oauth/http.h"
#include "oauth/provider.h"

#define ISSUERS_MAX	256 /* then the one not needed for longest goes */
#define ISSUERS_KEEP_MS (24 * 3600 * INT64_C(1000))
#define ISSUERS_HOLD_MS 5000 /* after a search that failed was begun */

struct issuers;
struct issuer_step;

enum fault issuers_new(struct http *http,
    struct issuers **issuers_out) MUST_CHECK;

/* issuers_free - no step is under way any more; NULL is allowed. */
void issuers_free(struct issuers *issuers);

/* issuers_known - the kept copy, however old, or NULL. */
const struct provider *issuers_known(struct issuers *issuers,
    const struct provider *provider);

struct issuer_end {
	enum fault fault;
	const char *text; /* with a fault */
	/* As found; its own values are of the metadata.  NULL: nothing is
	 * known, not even an old copy, or nothing had to be asked. */
	const struct provider *found;
	/* Of a sign-in: the profile that it can work with; share it. */
	struct provider *provider;
	bool registered;	  /* its client was made for it now */
	int64_t secret_expires_s; /* of that, unix seconds; 0: never */
};
typedef void issuer_fn(void *ctx, const struct issuer_end *end);

struct issuer_wish {
	struct provider *provider;
	int64_t now_ms; /* since boot */
	/* For a sign-in: learn the endpoints, take the protocols, and register
	 * a client where there is none; else find is all. */
	bool to_sign_in;
	const char *protocols; /* until the end; NULL: the provider's */
	issuer_fn *fn;
	void *ctx;
};

/*
 * issuer_start - fn is called once, now or later; the step is gone then
 *
 * step_out  out: for issuer_cancel(); NULL when fn was called already
 *
 * The end's faults: FAULT_TRY_LATER, FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST
 * for protocols, FAULT_INTERNAL.
 *
 * FAULT_NOMEM, FAULT_INTERNAL, FAULT_BUSY (ISSUERS_MAX searches under way):
 * fn is not called.
 */
enum fault issuer_start(struct issuers *issuers, const struct issuer_wish *wish,
    struct issuer_step **step_out) MUST_CHECK;

/* issuer_cancel - fn is not called; NULL is allowed. */
void issuer_cancel(struct issuer_step *step);

/* Where the documents of an issuer are, in the order they are asked for. */
enum issuer_place {
	ISSUER_OPENID, /* issuer "/.well-known/..." */
	ISSUER_RFC8414 /* ".well-known" between host and path */
};

/* issuer_place - of an issuer as provider_set() takes it; FAULT_TOO_BIG,
 * FAULT_NOMEM. */
enum fault issuer_place(const char *issuer, enum issuer_place place,
    struct buf *url) MUST_CHECK;

/*
 * issuer_read_metadata - one document; members that are no keys are ignored,
 * endpoints that cannot be used are as none
 *
 * issuer  in: what its issuer must be, as provider_set() takes it.  One
 *         exception: at Microsoft's hosts the segment {tenantid} is any
 * found_out  out: with a token_endpoint
 *
 * FAULT_GARBLED with the reason in why; FAULT_NOMEM.
 */
enum fault issuer_read_metadata(struct span body, const char *issuer,
    struct provider **found_out, struct why *why) MUST_CHECK;

/*
 * issuer_client_body - what is asked: a native program (RFC 8252) that signs in
 * by browser or device, for provider's scope, redirected to this machine; the
 * scope is named, because some give a client that names none an empty one.
 * FAULT_NOMEM.
 */
enum fault issuer_client_body(const struct provider *provider,
    struct buf *out) MUST_CHECK;

/*
 * issuer_read_client - the answer: client_id, and how its secret is sent; a
 * secret that was given all the same is kept, with its end
 *
 * FAULT_GARBLED with the reason in why; FAULT_NOMEM.
 */
enum fault issuer_read_client(struct span body, struct provider **made_out,
    struct why *why) MUST_CHECK;

#endif
