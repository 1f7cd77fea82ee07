/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One allocation a secret: length and bytes together, so that a single wipe
 * covers both.
 */
#include "wire/secret.h"

#include <stdlib.h>

#define SECRET_MAX_BYTES 1048576

struct secret {
	size_t n;
	char bytes[];
};

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

enum fault secret_new(struct span bytes, struct secret **secret_out)
{
	struct secret *secret;

	if (bytes.n > SECRET_MAX_BYTES)
		return FAULT_TOO_BIG;
	secret = malloc(sizeof(*secret) + bytes.n + 1);
	if (secret == NULL)
		return FAULT_NOMEM;
	secret->n = bytes.n;
	if (bytes.n > 0)
		memcpy(secret->bytes, bytes.p, bytes.n);
	secret->bytes[bytes.n] = '\0';
	*secret_out = secret;
	return FAULT_NONE;
}

enum fault secret_copy(const struct secret *secret, struct secret **secret_out)
{
	return secret_new(secret_reveal(secret, "second copy"), secret_out);
}

void secret_free(struct secret *secret)
{
	if (secret == NULL)
		return;
	secret_wipe(secret, sizeof(*secret) + secret->n);
	free(secret);
}

struct span secret_reveal(const struct secret *secret, const char *why)
{
	struct span span = { secret->bytes, secret->n };

	(void)why;
	return span;
}

size_t secret_bytes(const struct secret *secret)
{
	return secret != NULL ? secret->n : 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	unsigned char differs = 0;
	size_t i;

	if (a == NULL || b == NULL || a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		differs |= (unsigned char)(a->bytes[i] ^ b->bytes[i]);
	return differs == 0;
}
