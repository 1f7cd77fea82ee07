/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Growth by a new block, a copy and a wipe: realloc would leave the old bytes
 * behind.  A secret is one allocation, length and bytes together, so that a
 * single wipe covers both.
 */
#include "wire/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES	 256
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

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf)BUF_INIT(max_bytes);
}

void buf_lend(struct buf *buf, char *storage, size_t bytes)
{
	buf->p = buf->lent = storage;
	buf->room = bytes;
}

/* Bytes behind n may have been in use, too. */
static void wipe_out(struct buf *buf)
{
	secret_wipe(buf->p, buf->room);
	if (buf->p != buf->lent)
		free(buf->p);
}

void buf_drop(struct buf *buf)
{
	if (buf == NULL)
		return;
	wipe_out(buf);
	buf_init(buf, buf->max_bytes);
}

/* Room for n bytes in all and the NUL; n is at most max_bytes. */
static void buf_grow(struct buf *buf, size_t n)
{
	size_t room = buf->room > 0 ? buf->room : BUF_FIRST_BYTES;
	char *p;

	if (n < buf->room)
		return;
	while (room <= n)
		room *= 2;
	p = malloc(room);
	if (p == NULL) {
		buf->fault = FAULT_NOMEM;
		return;
	}
	if (buf->n > 0)
		memcpy(p, buf->p, buf->n);
	wipe_out(buf);
	buf->p = p;
	buf->room = room;
}

void buf_add(struct buf *buf, struct span bytes)
{
	if (buf->fault != FAULT_NONE)
		return;
	if (bytes.n > buf->max_bytes - buf->n) {
		buf->fault = FAULT_TOO_BIG;
		return;
	}
	buf_grow(buf, buf->n + bytes.n);
	if (buf->fault != FAULT_NONE)
		return;
	if (bytes.n > 0)
		memcpy(buf->p + buf->n, bytes.p, bytes.n);
	buf->n += bytes.n;
	buf->p[buf->n] = '\0';
}

void buf_add_str(struct buf *buf, const char *s)
{
	buf_add(buf, span_of(s));
}

void buf_add_int(struct buf *buf, int64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	buf_add_str(buf, digits);
}

char *buf_space(struct buf *buf, size_t want, size_t *got_out)
{
	size_t left = buf->max_bytes - buf->n;

	if (buf->fault != FAULT_NONE)
		return NULL;
	if (left == 0) {
		buf->fault = FAULT_TOO_BIG;
		return NULL;
	}
	if (want > left)
		want = left;
	buf_grow(buf, buf->n + want);
	if (buf->fault != FAULT_NONE)
		return NULL;
	*got_out = want;
	return buf->p + buf->n;
}

void buf_used(struct buf *buf, size_t filled)
{
	assert(buf->n + filled < buf->room || filled == 0);
	buf->n += filled;
	if (buf->p != NULL)
		buf->p[buf->n] = '\0';
}

void buf_consume(struct buf *buf, size_t n)
{
	assert(n <= buf->n);
	if (n == 0)
		return;
	memmove(buf->p, buf->p + n, buf->n - n);
	secret_wipe(buf->p + buf->n - n, n);
	buf->n -= n;
	buf->p[buf->n] = '\0';
}

enum fault buf_fault(const struct buf *buf)
{
	return buf->fault;
}

struct span buf_span(const struct buf *buf)
{
	struct span span = { buf->p, buf->n };

	return span;
}

enum fault string_set(char **slot, struct span text)
{
	char *copy = NULL;

	if (text.p != NULL) {
		copy = malloc(text.n + 1);
		if (copy == NULL)
			return FAULT_NOMEM;
		memcpy(copy, text.p, text.n);
		copy[text.n] = '\0';
	}
	free(*slot);
	*slot = copy;
	return FAULT_NONE;
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
