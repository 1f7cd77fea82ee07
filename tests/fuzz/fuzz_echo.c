/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A line of secret, the rest text: a copy is found wherever it stands, as it
 * is, in base64 and in hexadecimal, and what is found stands there in some
 * form.
 */
#include "wire/echo.h"

#include "wire/buf.h"

#include "fuzz.h"

const char fuzz_name[] = "echo";

#define MAX_BYTES 20000

static size_t letters(struct span text)
{
	size_t i, n = 0;

	for (i = 0; i < text.n; i++)
		n += (text.p[i] >= '0' && text.p[i] <= '9') ||
		    (text.p[i] >= 'A' && text.p[i] <= 'Z') ||
		    (text.p[i] >= 'a' && text.p[i] <= 'z');
	return n;
}

/* Between the halves of text, at their letters or not. */
static void check_copy(struct span text, struct span copy, struct span secret)
{
	struct buf whole = BUF_INIT(4 * MAX_BYTES);
	size_t half = text.n / 2;

	buf_add(&whole, (struct span){ text.p, half });
	buf_add(&whole, copy);
	if (half < text.n)
		buf_add(&whole, (struct span){ text.p + half, text.n - half });
	FUZZ_CHECK(buf_fault(&whole) == FAULT_NONE);
	FUZZ_CHECK(echo_holds(buf_span(&whole), secret));
	buf_drop(&whole);
}

/* Without padding, and without what the last one or two bytes would be. */
static void add_base64(struct buf *out, struct span bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, shift;

	for (i = 0; i + 3 <= bytes.n; i += 3) {
		unsigned bits = (unsigned)(unsigned char)bytes.p[i] << 16 |
		    (unsigned)(unsigned char)bytes.p[i + 1] << 8 |
		    (unsigned char)bytes.p[i + 2];

		for (shift = 24; shift > 0; shift -= 6)
			buf_add(out,
			    (struct span){ &digits[bits >> (shift - 6) & 63],
				1 });
	}
}

static void check_copies(struct span text, struct span secret)
{
	struct buf copy = BUF_INIT(2 * MAX_BYTES);
	size_t i;

	check_copy(text, secret, secret);
	add_base64(&copy, secret);
	/* Not all digits are letters. */
	if (letters(buf_span(&copy)) == copy.n && copy.n >= 24)
		check_copy(text, buf_span(&copy), secret);
	buf_drop(&copy);
	for (i = 0; i < secret.n; i++) {
		char digits[3];

		(void)snprintf(digits, sizeof(digits), "%02X",
		    (unsigned char)secret.p[i]);
		buf_add_str(&copy, digits);
	}
	check_copy(text, buf_span(&copy), secret);
	buf_drop(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = fuzz_span(bytes, n), secret;

	if (n > MAX_BYTES)
		return 0;
	secret = fuzz_line(&text);
	if (echo_holds(text, secret))
		FUZZ_CHECK(secret.n >= 4 && text.n >= 4);
	if (letters(secret) >= 8)
		check_copies(text, secret);
	return 0;
}
