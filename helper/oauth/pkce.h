/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pkce - what binds an authorization code to whoever asked for it
 *
 * RFC 7636: the verifier is 32 random bytes in base64url, the challenge its
 * SHA-256; "plain" is never used.  The state (RFC 6749 section 10.12) is
 * made the same way.  Owns no secret: each is handed to the caller.
 */
#ifndef MAILTOKEN_OAUTH_PKCE_H
#define MAILTOKEN_OAUTH_PKCE_H

#include "wire/buf.h"
#include "wire/secret.h"

#define PKCE_RANDOM_BYTES 32
#define PKCE_TEXT_BYTES	  43 /* 32 bytes in base64url, no padding */

/*
 * pkce_random - PKCE_TEXT_BYTES of [A-Za-z0-9_-] with 256 random bits: a
 * verifier, or a state
 *
 * FAULT_INTERNAL when there is no randomness; FAULT_NOMEM.
 */
enum fault pkce_random(struct secret **text_out) MUST_CHECK;

/*
 * pkce_challenge - append the S256 challenge of a verifier (RFC 7636 section
 * 4.2), PKCE_TEXT_BYTES long
 *
 * verifier  in: 43..128 bytes
 *
 * FAULT_INTERNAL; the faults of out.
 */
enum fault pkce_challenge(struct span verifier, struct buf *out) MUST_CHECK;

#endif
