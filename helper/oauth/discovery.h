/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * discovery - what an authorization server says of itself
 *
 * RFC 8414 and OpenID Connect Discovery 1.0.  Owns the one search for the
 * document and the checks: fetched by https and without redirects, at most
 * HTTP_BODY_MAX_BYTES, its issuer byte for byte the one that was asked for,
 * its endpoints https URLs.  Members that are not here are ignored; keeping
 * and renewing is the caller's.
 */
#ifndef MAILTOKEN_OAUTH_DISCOVERY_H
#define MAILTOKEN_OAUTH_DISCOVERY_H

#include "oauth/http.h"
#include "oauth/provider.h"

struct discovery_search;

/* Strings are the struct's own; all may be NULL but issuer. */
struct discovery {
	char *issuer;
	char *authorization_endpoint;
	char *token_endpoint; /* never NULL */
	char *device_authorization_endpoint;
	char *revocation_endpoint;
	char *registration_endpoint;
	char *userinfo_endpoint;
	char *scopes_supported; /* words with blanks between them */
	bool returns_iss;	/* RFC 9207 section 3 */
	enum secret_way secret_way;
};

/*
 * discovery_parse - one document
 *
 * issuer  in: what its issuer must be.  One exception: at Microsoft's hosts
 *         the segment {tenantid} stands for any
 *
 * FAULT_GARBLED with the reason in why; FAULT_NOMEM.
 */
enum fault discovery_parse(struct span body, const char *issuer,
    struct discovery *discovery_out, struct why *why) MUST_CHECK;
void discovery_drop(struct discovery *discovery);

/* Where the documents of an issuer are, in the order they are asked for. */
enum discovery_form {
	DISCOVERY_OPENID, /* issuer "/.well-known/..." */
	DISCOVERY_RFC8414 /* ".well-known" between host and path */
};

/* discovery_url - FAULT_GRAMMAR, FAULT_NOMEM; the caller frees it. */
enum fault discovery_url(const char *issuer, enum discovery_form form,
    char **url_out) MUST_CHECK;

/*
 * discovery_start - look for the document of provider's issuer
 *
 * Calls done once, from the loop: found is NULL when there is none, text
 * says why in one sentence.  Both are valid until done returns, in which
 * discovery_free() may be called.
 *
 * FAULT_GRAMMAR, FAULT_NOMEM, FAULT_INTERNAL.
 */
typedef void discovery_done_fn(void *ctx, struct discovery *found,
    const char *text);
enum fault discovery_start(struct http *http, struct provider *provider,
    discovery_done_fn *done, void *ctx,
    struct discovery_search **search_out) MUST_CHECK;

/* discovery_free - cancel it if it has not ended; NULL is allowed. */
void discovery_free(struct discovery_search *search);

#endif
