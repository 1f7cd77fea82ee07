/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * advice - what an error means and what to do, as data
 *
 * The number of an error chooses the sentence; what happens follows the
 * "error" word (RFC 6749 section 5.2).
 */
#ifndef MAILTOKEN_OAUTH_ADVICE_H
#define MAILTOKEN_OAUTH_ADVICE_H

#include "oauth/provider.h"
#include "oauth/reply.h"

enum advice_class {
	ADVICE_TRANSIENT,    /* keep all, try again later */
	ADVICE_LOGIN_NEEDED, /* a human must sign in */
	ADVICE_CONFIG	     /* an administrator must change something */
};

/*
 * advice_class - what an HTTP status and an error word (may be "") mean at a
 * token endpoint
 */
enum advice_class advice_class(long status, const char *error);

/* advice_is_passing - whether a status says that it may be better later,
 * whatever stands beside it: a server in trouble may say anything. */
bool advice_is_passing(long status);

/*
 * advice_text - what to do, in one plain sentence
 *
 * out  out: out_bytes with the terminator; the sentence for the first known
 *      number of Microsoft's, else for the error word; an unknown number of
 *      Microsoft's points to https://login.microsoftonline.com/error?code=N
 */
void advice_text(const struct provider *provider, long status,
    const struct reply_error *error, char *out, size_t out_bytes);

/*
 * advice_quote - the provider's own, to stand behind the advice:
 * ("AADSTS90023: ..."), (invalid_grant: "...") or (invalid_grant)
 */
void advice_quote(const struct reply_error *error, char *out, size_t out_bytes);

/* advice_is_blocked - whether a number of Microsoft's says that a policy
 * blocks this flow; it may allow another. */
bool advice_is_blocked(int64_t code);

#endif
