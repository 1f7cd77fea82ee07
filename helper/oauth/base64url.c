/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * By way of OpenSSL's, which knows the other alphabet and wants padding: four
 * letters at a time.
 */
#include "oauth/base64url.h"

#include <openssl/evp.h>

#include "wire/buf.h"

void base64url_add(struct buf *out, struct span bytes)
{
	unsigned char four[5];
	size_t i, n;

	for (; bytes.n > 0; bytes.p += n, bytes.n -= n) {
		n = bytes.n < 3 ? bytes.n : 3;
		(void)EVP_EncodeBlock(four, (const unsigned char *)bytes.p,
		    (int)n);
		for (i = 0; i <= n; i++)
			four[i] = four[i] == '+' ? '-' :
			    four[i] == '/'	 ? '_' :
						   four[i];
		buf_add(out, (struct span){ (char *)four, n + 1 });
	}
	secret_wipe(four, sizeof(four));
}

enum fault base64url_decode(struct span text, struct buf *out)
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
