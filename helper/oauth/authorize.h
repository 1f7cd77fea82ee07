/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * authorize - the link that a browser opens, and where it comes back to
 *
 * Pure.  RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 8252 section 7.3.
 */
#ifndef MAILTOKEN_OAUTH_AUTHORIZE_H
#define MAILTOKEN_OAUTH_AUTHORIZE_H

#include "oauth/provider.h"
#include "wire/buf.h"

#define AUTHORIZE_MAX_BYTES 8192

/* authorize_path - of the redirect URI that is registered at a provider. */
const char *authorize_path(const struct provider *provider);

/* authorize_redirect - append the redirect URI.  The faults of out. */
enum fault authorize_redirect(const struct provider *provider, uint16_t port,
    struct buf *out) MUST_CHECK;

struct authorize_wish {
	const char *scope;   /* NULL or "": none is sent */
	const char *account; /* for login_hint; may be NULL */
	struct span redirect_uri;
	struct span state;
	struct span challenge; /* S256 */
};

/*
 * authorize_url - append the authorization endpoint, which must be there, and
 * all fields.  FAULT_TOO_BIG, FAULT_NOMEM.
 */
enum fault authorize_url(const struct provider *provider,
    const struct authorize_wish *wish, struct buf *out) MUST_CHECK;

#endif
