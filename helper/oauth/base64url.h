/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base64url - RFC 4648 section 5 without padding, as JOSE and PKCE use it
 */
#ifndef MAILTOKEN_OAUTH_BASE64URL_H
#define MAILTOKEN_OAUTH_BASE64URL_H

#include "wire/buf.h"

/* base64url_add - append bytes in it; faults stick to out. */
void base64url_add(struct buf *out, struct span bytes);

/*
 * base64url_decode - append what text stands for; padding does no harm
 *
 * FAULT_GRAMMAR, FAULT_TOO_BIG, FAULT_NOMEM.
 */
enum fault base64url_decode(struct span text, struct buf *out) MUST_CHECK;

#endif
