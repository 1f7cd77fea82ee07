/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text of strangers: whatever it is, what is shown of it is printable and
 * fits; an account name is UTF-8 without control bytes.
 */
#include "wire/attr.h"

#include "fuzz.h"

const char fuzz_name[] = "text";

static void check_plain(struct span text, size_t room)
{
	char *out = malloc(room);
	size_t n;

	FUZZ_CHECK(out != NULL);
	attr_plain(text, out, room);
	n = strnlen(out, room);
	FUZZ_CHECK(n < room);
	FUZZ_CHECK(fuzz_is_printable(out));
	if (n < text.n)
		FUZZ_CHECK(n >= 3 && strcmp(out + n - 3, "...") == 0);
	free(out);
}

static void check_account(struct span text)
{
	size_t i;

	if (!attr_is_account(text))
		return;
	FUZZ_CHECK(text.n >= 1 && text.n <= ACCOUNT_MAX_BYTES);
	for (i = 0; i < text.n; i++)
		FUZZ_CHECK(
		    (unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
}

static void check_others(struct span text)
{
	int64_t number = 0;
	struct why why;
	size_t i;

	if (attr_is_token(text, 100))
		for (i = 0; i < text.n; i++)
			FUZZ_CHECK(text.p[i] > 0x20 && text.p[i] < 0x7f);
	if (attr_is_host(text))
		FUZZ_CHECK(attr_is_token(text, SERVER_MAX_BYTES));
	if (attr_number(text, -1000, 1000, &number) == FAULT_NONE)
		FUZZ_CHECK(number >= -1000 && number <= 1000);
	(void)fault_from_word(text);
	why_set(&why, 0, "%.*s", (int)(text.n > 600 ? 600 : text.n),
	    text.n > 0 ? text.p : "");
	FUZZ_CHECK(strnlen(why.text, sizeof(why.text)) < sizeof(why.text));
	FUZZ_CHECK(fuzz_is_plain(why.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = fuzz_span(bytes, n);

	check_plain(text, 8);
	check_plain(text, 8 + n);
	check_plain(text, 4 * n + 8);
	check_account(text);
	check_others(text);
	return 0;
}
