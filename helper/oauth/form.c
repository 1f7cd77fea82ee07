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
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

void form_encode(struct buf *out, struct span text)
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

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum fault form_decode(struct buf *out, struct span text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) :
						    -1;
			int low = i + 2 < text.n ? hex_digit(text.p[i + 2]) :
						   -1;

			if (high < 0 || low < 0)
				return FAULT_GRAMMAR;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return FAULT_GRAMMAR;
		buf_add(out, (struct span){ &c, 1 });
	}
	return buf_fault(out);
}

/* The next "name=value" of form, which is shortened by it. */
static struct span next_field(struct span *form)
{
	const char *end = memchr(form->p, '&', form->n);
	struct span field = { form->p,
		end != NULL ? (size_t)(end - form->p) : form->n };
	size_t taken = field.n + (end != NULL ? 1 : 0);

	form->p += taken;
	form->n -= taken;
	return field;
}

enum fault form_get(struct span form, const char *name, struct buf *out)
{
	struct span value = { NULL, 0 };
	size_t n = strlen(name);
	bool found = false;

	while (form.n > 0) {
		struct span field = next_field(&form);

		if (field.n <= n || memcmp(field.p, name, n) != 0 ||
		    field.p[n] != '=')
			continue;
		if (found)
			return FAULT_GRAMMAR;
		found = true;
		value.p = field.p + n + 1;
		value.n = field.n - n - 1;
	}
	return found ? form_decode(out, value) : FAULT_NOT_FOUND;
}
