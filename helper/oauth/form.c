/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The unreserved characters of RFC 3986 stay as they are; everything else is
 * encoded, the blank as %20, so that no server's idea of '+' matters.
 */
#include "oauth/form.h"

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

static void form_encode(struct buf *out, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (is_unreserved(c))
			buf_add(out, (struct span){ text.p + i, 1 });
		else
			buf_add(out, (struct span){ code, sizeof(code) });
	}
}

void form_add(struct buf *out, const char *name, struct span value)
{
	if (out->n > 0)
		buf_add_lit(out, "&");
	form_encode(out, span_of(name));
	buf_add_lit(out, "=");
	form_encode(out, value);
}
