/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The unreserved characters of RFC 3986 stay as they are; everything else is
 * encoded, the blank as %20, so that no server's idea of '+' matters.
 */
#include "oauth/form.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "wire/attr.h"

void form_encode(struct buf *out, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (c != '\0' && strchr(ATTR_ALNUM "-._~", c) != NULL)
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

void form_add_form(struct buf *out, const char *form)
{
	if (form == NULL)
		return;
	if (out->n > 0)
		buf_add_lit(out, "&");
	buf_add_str(out, form);
}

enum fault form_decode(struct buf *out, struct span text)
{
	int high, low;
	size_t i;
	char c;

	for (i = 0; i < text.n; i++) {
		c = text.p[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (text.n - i < 3)
				return FAULT_GRAMMAR;
			high = OPENSSL_hexchar2int((unsigned char)text.p[++i]);
			low = OPENSSL_hexchar2int((unsigned char)text.p[++i]);
			if (high < 0 || low < 0)
				return FAULT_GRAMMAR;
			c = (char)(high << 4 | low);
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return FAULT_GRAMMAR;
		buf_add(out, (struct span){ &c, 1 });
	}
	return buf_fault(out);
}

/* How often name is in form, and the last of its values, still encoded. */
static unsigned find(struct span form, struct span name, struct span *value_out)
{
	unsigned found = 0;
	const char *end;
	size_t n;

	for (; form.n > 0; form.p += n, form.n -= n) {
		end = memchr(form.p, '&', form.n);
		n = end != NULL ? (size_t)(end - form.p) : form.n;
		if (n > name.n && form.p[name.n] == '=' &&
		    memcmp(form.p, name.p, name.n) == 0) {
			value_out->p = form.p + name.n + 1;
			value_out->n = n - name.n - 1;
			found++;
		}
		n += end != NULL ? 1 : 0;
	}
	return found;
}

enum fault form_get(struct span form, const char *name, struct buf *out)
{
	struct span value;
	unsigned found = find(form, span_of(name), &value);

	if (found == 0)
		return FAULT_NOT_FOUND;
	return found == 1 ? form_decode(out, value) : FAULT_GRAMMAR;
}

bool form_has(const char *form, struct span name)
{
	struct span value;

	return find(span_of(form), name, &value) > 0;
}

/* By way of OpenSSL's, which knows the other alphabet and wants padding: four
 * letters at a time. */
void form_base64url(struct buf *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	unsigned char four[5];
	size_t i, part;

	for (; n > 0; p += part, n -= part) {
		part = n < 3 ? n : 3;
		(void)EVP_EncodeBlock(four, p, (int)part);
		for (i = 0; i <= part; i++)
			four[i] = four[i] == '+' ? '-' :
			    four[i] == '/'	 ? '_' :
						   four[i];
		buf_add(out, (struct span){ (char *)four, part + 1 });
	}
	secret_wipe(four, sizeof(four));
}

enum fault form_unbase64url(struct span text, struct buf *out)
{
	unsigned char four[4], three[3];
	size_t i, n;
	char c;

	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	for (; text.n > 0; text.p += n, text.n -= n) {
		n = text.n < 4 ? text.n : 4;
		for (i = 0; i < 4; i++) {
			c = i < n ? text.p[i] : '=';
			c = c == '-' ? '+' : c == '_' ? '/' : c;
			four[i] = (unsigned char)c;
		}
		if (n < 2 || EVP_DecodeBlock(three, four, 4) != 3)
			return FAULT_GRAMMAR;
		buf_add(out, (struct span){ (char *)three, n - 1 });
	}
	return buf_fault(out);
}
