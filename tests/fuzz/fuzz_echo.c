/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A line of secret, the rest text: a copy is found wherever it stands, as it
 * is, in base64 and in hexadecimal, and what is found stands there in some
 * form.
 */
#include "wire/base64.h"
#include "wire/echo.h"

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

static void check_copies(struct span text, struct span secret)
{
	struct buf copy = BUF_INIT(2 * MAX_BYTES);
	size_t i;

	check_copy(text, secret, secret);
	base64_add(&copy, secret);
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
