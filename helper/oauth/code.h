/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * code - the pure parts of the authorization code flow: the link that a
 * browser opens, where it comes back to, and what a person copies out of it
 *
 * RFC 6749 section 4.1.1, RFC 7636, RFC 8252 section 7.3.  Owns no secret.
 */
#ifndef MAILTOKEN_OAUTH_CODE_H
#define MAILTOKEN_OAUTH_CODE_H

#include "oauth/provider.h"
#include "wire/buf.h"

#define CODE_URL_MAX_BYTES    8192
#define CODE_PASTED_MAX_BYTES 16384
#define CODE_MAX_BYTES	      4096
#define CODE_RANDOM_BYTES     43 /* 32 bytes in base64url, no padding */

/*
 * code_random - CODE_RANDOM_BYTES of [A-Za-z0-9_-] with 256 random bits: a
 * verifier (RFC 7636 section 4.1), or a state (RFC 6749 section 10.12)
 *
 * FAULT_INTERNAL when there is no randomness; FAULT_NOMEM.
 */
enum fault code_random(struct secret **text_out) MUST_CHECK;

/* code_path - of the redirect URI that is registered at a provider. */
const char *code_path(const struct provider *provider);

/* code_redirect - append the redirect URI; faults stick to out. */
void code_redirect(const struct provider *provider, uint16_t port,
    struct buf *out);

struct code_wish {
	const char *account; /* for login_hint; may be NULL */
	struct span redirect_uri;
	struct span state;
	struct span verifier; /* for S256 (RFC 7636 section 4.2); "plain" is
				 never used */
};

/*
 * code_url - append the authorization endpoint, which must be there, and all
 * fields.  FAULT_TOO_BIG, FAULT_NOMEM, FAULT_INTERNAL.
 */
enum fault code_url(const struct provider *provider,
    const struct code_wish *wish, struct buf *out) MUST_CHECK;

enum code_pasted {
	CODE_ADDRESS, /* out has its query, still encoded */
	CODE_ALONE    /* out has the bare code, decoded */
};

/*
 * code_read_pasted - the query or the code that a person copied
 *
 * Forgives what copying does: line ends, blanks, quotes, brackets, a beginning
 * that is missing.  Whether it is from our sign-in is the flow's question.
 *
 * out  in/out: empty; holds a secret afterwards
 *
 * FAULT_GRAMMAR, why saying what it is not; FAULT_NOMEM.
 */
enum fault code_read_pasted(struct span text, enum code_pasted *pasted_out,
    struct buf *out, struct why *why) MUST_CHECK;

#endif
