/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Three bytes to four characters and back.  What is encoded may be a token,
 * so the characters between are wiped too.
 */
#include "wire/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* The n (1..3) bytes at p as n + 1 characters. */
static void encode_group(const unsigned char *p, size_t n, char *out)
{
	unsigned a = p[0], b = n > 1 ? p[1] : 0, c = n > 2 ? p[2] : 0;

	out[0] = standard[a >> 2];
	out[1] = standard[(a & 3) << 4 | b >> 4];
	out[2] = standard[(b & 15) << 2 | c >> 6];
	out[3] = standard[c & 63];
}

void base64_add(struct buf *out, struct span bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	char group[4];
	size_t i, n;

	for (i = 0; i < bytes.n; i += 3) {
		n = bytes.n - i < 3 ? bytes.n - i : 3;
		encode_group(p + i, n, group);
		buf_add(out, (struct span){ group, n + 1 });
		if (n < 3)
			buf_add(out, (struct span){ "==", 3 - n });
	}
	secret_wipe(group, sizeof(group));
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last two may be padding; 0: not legal. */
static size_t decode_group(const char *p, char *out)
{
	size_t n = p[3] != '=' ? 3 : p[2] != '=' ? 2 : 1;
	unsigned bits = 0;
	size_t i;
	int value;

	for (i = 0; i < 4; i++) {
		value = i <= n ? value_of(p[i]) : 0;
		if (value < 0)
			return 0;
		bits = bits << 6 | (unsigned)value;
	}
	/* Bits that no byte takes must be 0: one text for some bytes. */
	if ((n == 1 && (bits & 0xffff) != 0) || (n == 2 && (bits & 0xff) != 0))
		return 0;
	for (i = 0; i < 3; i++)
		out[i] = (char)(bits >> (16 - 8 * i) & 0xff);
	return n;
}

enum fault base64_decode(struct span text, struct buf *out)
{
	enum fault fault = FAULT_NONE;
	char group[3];
	size_t i, n;

	if (text.n % 4 != 0)
		fault = FAULT_GRAMMAR;
	for (i = 0; i < text.n && fault == FAULT_NONE; i += 4) {
		n = decode_group(text.p + i, group);
		/* Padding ends the text. */
		if (n == 0 || (n < 3 && i + 4 < text.n))
			fault = FAULT_GRAMMAR;
		else
			buf_add(out, (struct span){ group, n });
	}
	secret_wipe(group, sizeof(group));
	if (fault == FAULT_NONE)
		fault = buf_fault(out);
	if (fault != FAULT_NONE)
		buf_drop(out);
	return fault;
}

void base64_put(struct attr_writer *writer, const char *name, struct span bytes)
{
	struct buf text = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct span rest, piece;

	base64_add(&text, bytes);
	if (buf_fault(&text) != FAULT_NONE && writer->buf->fault == FAULT_NONE)
		writer->buf->fault = buf_fault(&text);
	rest = buf_span(&text);
	for (;;) {
		piece = rest;
		if (piece.n > BASE64_PIECE_BYTES)
			piece.n = BASE64_PIECE_BYTES;
		attr_put(writer, name, piece);
		if (piece.n == rest.n)
			break;
		rest.p += piece.n;
		rest.n -= piece.n;
	}
	buf_drop(&text);
}

enum fault base64_get(const struct attrs *attrs, const char *name,
    struct buf *out)
{
	struct buf text = BUF_INIT(WIRE_LIST_MAX_BYTES);
	enum fault fault;
	size_t i;

	if (!attr_has(attrs, name))
		return FAULT_NOT_FOUND;
	for (i = 0; i < attrs->n; i++)
		if (span_is(attrs->at[i].name, name))
			buf_add(&text, attrs->at[i].value);
	fault = buf_fault(&text);
	if (fault == FAULT_NONE)
		fault = base64_decode(buf_span(&text), out);
	buf_drop(&text);
	return fault;
}
