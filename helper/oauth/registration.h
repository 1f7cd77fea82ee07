/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * registration - a client id for a server that gives one to anybody
 *
 * RFC 7591.  Owns the one request and the checks of its answer; keeping the
 * client is the caller's.  The client is a public one (RFC 8252): whatever
 * secret a server gives all the same is kept and used.
 */
#ifndef MAILTOKEN_OAUTH_REGISTRATION_H
#define MAILTOKEN_OAUTH_REGISTRATION_H

#include "oauth/http.h"
#include "oauth/provider.h"

struct registration_request;

struct registration {
	char *client_id;	      /* never NULL */
	struct secret *client_secret; /* may be NULL */
	int64_t secret_expires_s;     /* unix seconds; 0: never */
	enum secret_way secret_way;
};

/*
 * registration_body - what is asked: a native program that signs in by
 * browser or device, for provider's scope, redirected to this machine
 *
 * FAULT_NOMEM.
 */
enum fault registration_body(const struct provider *provider,
    struct buf *out) MUST_CHECK;

/*
 * registration_parse - the answer; FAULT_GARBLED with the reason in why;
 * FAULT_NOMEM
 */
enum fault registration_parse(struct span body,
    struct registration *registration_out, struct why *why) MUST_CHECK;
void registration_drop(struct registration *registration);

/*
 * registration_start - ask provider's registration endpoint
 *
 * Calls done once, from the loop: made is NULL when it did not work, text
 * says why in one sentence, is_final whether another try is of no use.
 * Members of made may be taken (set NULL).  registration_free() may be
 * called in done.
 *
 * FAULT_CONFIG_ERROR without such an endpoint; FAULT_NOMEM, FAULT_INTERNAL.
 */
struct registration_end {
	struct registration *made;
	const char *text;
	bool is_final;
};
typedef void registration_done_fn(void *ctx,
    const struct registration_end *end);
enum fault registration_start(struct http *http, struct provider *provider,
    registration_done_fn *done, void *ctx,
    struct registration_request **request_out) MUST_CHECK;

/* registration_free - cancel it if it has not ended; NULL is allowed. */
void registration_free(struct registration_request *request);

#endif
