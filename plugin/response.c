/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Validate what goes in, append with a sticky fault, check once.
 */
#include "response.h"

#include "wire/attr.h"

#define SEP "\001" /* octal: a hex escape would swallow the next letter */

#define BEARER_MIN_BYTES 64 /* no password that a human chose */

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
bool response_is_bearer(struct span text)
{
	struct span body = text;

	while (body.n > 0 && body.p[body.n - 1] == '=')
		body.n--;
	return text.n >= BEARER_MIN_BYTES && text.n <= ACCESS_TOKEN_MAX_BYTES &&
	    attr_is_of(body, ATTR_ALNUM "-._~+/", ACCESS_TOKEN_MAX_BYTES);
}

static enum fault finish(struct span token, struct buf *out)
{
	enum fault fault;

	buf_add_lit(out, SEP "auth=Bearer ");
	buf_add(out, token);
	buf_add_lit(out, SEP SEP);

	fault = buf_fault(out);
	if (fault != FAULT_NONE)
		buf_drop(out);
	return fault;
}

enum fault response_xoauth2(struct span user, struct span token,
    struct buf *out)
{
	if (!attr_is_login(user))
		return FAULT_GRAMMAR;

	buf_add_lit(out, "user=");
	buf_add(out, user);
	return finish(token, out);
}

/*
 * saslname = 1*(UTF8-char-safe / "=2C" / "=3D")
 *            ; not NUL, "," or "="
 */
enum fault response_oauthbearer(struct span user, struct span token,
    struct buf *out)
{
	size_t i;

	if (!attr_is_login(user))
		return FAULT_GRAMMAR;

	buf_add_lit(out, "n,a=");
	for (i = 0; i < user.n; i++) {
		if (user.p[i] == ',')
			buf_add_lit(out, "=2C");
		else if (user.p[i] == '=')
			buf_add_lit(out, "=3D");
		else
			buf_add(out, (struct span){ user.p + i, 1 });
	}
	buf_add_lit(out, ",");
	return finish(token, out);
}
