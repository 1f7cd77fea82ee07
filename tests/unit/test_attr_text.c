/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers, names and tokens: the legal bytes that every room agrees on, and
 * how text of strangers is shown.
 */
#include "wire/attr.h"

#include "test.h"

static void numbers_are_decimal_and_bounded(void **state)
{
	static const char *const good[] = { "0", "-0", "1", "-1", "007",
		"9223372036854775807", "-9223372036854775807" };
	static const int64_t want[] = { 0, 0, 1, -1, 7, INT64_MAX, -INT64_MAX };
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1x",
		"0x1", "--1", "1-", "9223372036854775808",
		"00000000000000000000", "1.0", "1e3", "-9223372036854775808",
		"99999999999999999999" };
	int64_t number;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		number = 42;
		assert_int_equal(attr_number(span_of(good[i]), INT64_MIN,
				     INT64_MAX, &number),
		    FAULT_NONE);
		assert_true(number == want[i]);
	}
	number = 42;
	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(
		    attr_number(span_of(bad[i]), INT64_MIN, INT64_MAX, &number),
		    FAULT_GRAMMAR);
	assert_int_equal(attr_number(BYTES("1\0"), 0, 9, &number),
	    FAULT_GRAMMAR);
	assert_int_equal(attr_number(BYTES("9"), 10, 20, &number),
	    FAULT_GRAMMAR);
	assert_int_equal(attr_number(BYTES("21"), 10, 20, &number),
	    FAULT_GRAMMAR);
	assert_true(number == 42);
	assert_int_equal(attr_number(BYTES("10"), 10, 20, &number), FAULT_NONE);
	assert_int_equal(attr_number(BYTES("20"), 10, 20, &number), FAULT_NONE);
}

static void tokens_are_printable_without_blanks(void **state)
{
	char byte;
	int i;

	(void)state;
	for (i = 0; i < 256; i++) {
		struct span span = { &byte, 1 };

		byte = (char)i;
		assert_int_equal(attr_is_token(span, 9), i > 0x20 && i < 0x7f);
	}
	assert_false(attr_is_token(BYTES(""), 9));
	assert_true(attr_is_token(BYTES("012345678"), 9));
	assert_false(attr_is_token(BYTES("0123456789"), 9));
	assert_false(attr_is_token(BYTES("a b"), 9));
}

static void hosts_are_names_and_addresses(void **state)
{
	char text[257];
	struct span span = { text, 255 };

	(void)state;
	assert_true(attr_is_host(BYTES("smtp.Office365.com")));
	assert_true(attr_is_host(BYTES("::1")));
	assert_true(attr_is_host(BYTES("a_b-c.d")));
	assert_false(attr_is_host(BYTES("")));
	assert_false(attr_is_host(BYTES("a b")));
	assert_false(attr_is_host(BYTES("a/b")));
	assert_false(attr_is_host(BYTES("a\0b")));
	assert_false(attr_is_host(BYTES("*.a")));
	assert_false(attr_is_host(BYTES("b\303\274cher.example")));
	memset(text, 'a', sizeof(text));
	assert_true(attr_is_host(span));
	span.n++;
	assert_false(attr_is_host(span));
}

static void accounts_are_utf8_without_controls(void **state)
{
	static const struct span good[] = {
#define L(s) { s, sizeof(s) - 1 }
		L("a"),
		L("me@example.com"),
		L("a b"),
		L("%"),
		L("\\"),
		L("~"),
		L("\302\240"),
		L("\303\274"),
		L("\337\277"),
		L("\340\240\200"),
		L("\355\237\277"),
		L("\356\200\200"),
		L("\357\277\277"),
		L("\360\220\200\200"),
		L("\364\217\277\277"),
		L("\342\202\254x"),
	};
	static const struct span bad[] = {
		L(""),
		L("\0"),
		L("a\0"),
		L("a\n"),
		L("\r"),
		L("\t"),
		L("\037"),
		L("\177"),
		/* C1 control characters */
		L("\302\200"),
		L("\302\205"),
		L("\302\237"),
		L("a\302\233m"),
		/* lone and missing continuation bytes */
		L("\200"),
		L("\277"),
		L("\302"),
		L("a\303"),
		L("\342\202"),
		L("\360\220\200"),
		L("\303a"),
		L("\342a\254"),
		L("\342\202a"),
		L("\360\220\200a"),
		L("\302\300"),
		/* overlong forms */
		L("\300\200"),
		L("\300\257"),
		L("\301\277"),
		L("\340\200\257"),
		L("\340\237\277"),
		L("\360\200\200\257"),
		L("\360\217\277\277"),
		/* surrogates */
		L("\355\240\200"),
		L("\355\257\277"),
		L("\355\277\277"),
		L("\355\240\275\355\270\200"),
		/* above U+10FFFF */
		L("\364\220\200\200"),
		L("\365\200\200\200"),
		L("\370\210\200\200\200"),
		L("\376"),
		L("\377"),
#undef L
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!attr_is_account(good[i]))
			fail_msg("good account %zu was refused", i);
	for (i = 0; i < COUNT(bad); i++)
		if (attr_is_account(bad[i]))
			fail_msg("bad account %zu was accepted", i);
}

static void an_account_may_have_254_bytes(void **state)
{
	char text[256];
	struct span span = { text, 254 };

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(attr_is_account(span));
	span.n++;
	assert_false(attr_is_account(span));
	/* A character that the end cuts in two. */
	span.n = 254;
	text[253] = '\303';
	assert_false(attr_is_account(span));
}

static void a_login_is_longer_than_an_account(void **state)
{
	char text[LOGIN_MAX_BYTES + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(attr_is_login((struct span){ text, 1024 }));
	assert_false(attr_is_login((struct span){ text, 1025 }));
	assert_false(attr_is_login((struct span){ text, 0 }));
	text[7] = '\377';
	assert_false(attr_is_login((struct span){ text, 20 }));
}

static void plain_text_escapes_and_fits(void **state)
{
	static const struct {
		struct span text;
		size_t room;
		const char *want;
	} rows[] = {
#define L(s) { s, sizeof(s) - 1 }
		{ L(""), 8, "" },
		{ L("abc"), 8, "abc" },
		{ L("a\nb"), 20, "a\\x0ab" },
		{ L("\0"), 20, "\\x00" },
		{ L("\177\200\377"), 20, "\\x7f\\x80\\xff" },
		{ L("a\\b"), 20, "a\\x5cb" },
		{ L("a ~!"), 20, "a ~!" },
		{ L("1234567"), 8, "1234567" },
		{ L("12345678"), 8, "1234..." },
		{ L("123456789"), 8, "1234..." },
		{ L("123\n"), 8, "123\\x0a" },
		{ L("1234\n"), 8, "1234..." },
		{ L("\n\n"), 8, "\\x0a..." },
		{ L("\n\n"), 9, "\\x0a\\x0a" },
		{ L("\n\n\n"), 9, "\\x0a..." },
		{ L("a\n\n"), 8, "a..." },
#undef L
	};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		memset(out, '#', sizeof(out));
		attr_plain(rows[i].text, out, rows[i].room);
		assert_string_equal(out, rows[i].want);
		assert_int_equal(out[rows[i].room], '#');
	}
	attr_plain(span_of(NULL), out, 8);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal_and_bounded),
		cmocka_unit_test(tokens_are_printable_without_blanks),
		cmocka_unit_test(hosts_are_names_and_addresses),
		cmocka_unit_test(accounts_are_utf8_without_controls),
		cmocka_unit_test(an_account_may_have_254_bytes),
		cmocka_unit_test(a_login_is_longer_than_an_account),
		cmocka_unit_test(plain_text_escapes_and_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
