/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Random bytes, SHA-256, base64url.
 */
#include "oauth/pkce.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "wire/base64.h"

enum fault pkce_random(struct secret **text_out)
{
	unsigned char bytes[PKCE_RANDOM_BYTES];
	struct buf text = BUF_INIT(PKCE_TEXT_BYTES);
	enum fault fault;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return FAULT_INTERNAL;
	base64_add_url(&text,
	    (struct span){ (const char *)bytes, sizeof(bytes) });
	fault = buf_fault(&text);
	if (fault == FAULT_NONE)
		fault = secret_new(buf_span(&text), text_out);
	secret_wipe(bytes, sizeof(bytes));
	buf_drop(&text);
	return fault;
}

enum fault pkce_challenge(struct span verifier, struct buf *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(verifier.p, verifier.n, digest, &n, EVP_sha256(),
		NULL) != 1)
		return FAULT_INTERNAL;
	base64_add_url(out, (struct span){ (const char *)digest, n });
	return buf_fault(out);
}
