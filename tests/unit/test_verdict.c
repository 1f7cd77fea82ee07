/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a server's challenge makes us reply and show.
 */
#include "verdict.h"

#include <stdlib.h>

#include "test.h"

#define SOH "\001"

static const struct span tok = { "tok123", 6 };

static struct verdict read_bytes(const void *bytes, size_t n,
    const char *error_reply)
{
	struct verdict verdict;
	struct span challenge = { n > 0 ? malloc(n) : NULL, n };

	/* A copy without a terminator, so that tools see a read beyond. */
	if (n > 0) {
		assert_non_null(challenge.p);
		memcpy((char *)(uintptr_t)challenge.p, bytes, n);
	}
	memset(&verdict, 0xff, sizeof(verdict));
	verdict_read(challenge, error_reply, tok, &verdict);
	free((char *)(uintptr_t)challenge.p);
	return verdict;
}

static void gmails_error_is_a_rejection(void **state)
{
	static const char gmail[] =
	    "{\"status\":\"400\",\"schemes\":"
	    "\"Bearer\",\"scope\":\"https://mail.google.com/\"}";
	struct verdict verdict = read_bytes(gmail, sizeof(gmail) - 1, "");

	(void)state;
	assert_true(verdict.rejected);
	assert_non_null(verdict.reply.p);
	assert_int_equal(verdict.reply.n, 0);
	assert_string_equal(verdict.challenge, gmail);
}

static void oauthbearer_replies_one_byte(void **state)
{
	static const unsigned char want[] = { 0x01 };
	struct verdict verdict = read_bytes("{}", 2, SOH);

	(void)state;
	assert_true(verdict.rejected);
	assert_int_equal(verdict.reply.n, sizeof(want));
	assert_memory_equal(verdict.reply.p, want, sizeof(want));

	verdict = read_bytes("garbage", 7, SOH);
	assert_false(verdict.rejected);
	assert_int_equal(verdict.reply.n, sizeof(want));
	assert_memory_equal(verdict.reply.p, want, sizeof(want));
}

static void nothing_is_answered_with_nothing(void **state)
{
	struct verdict verdict = read_bytes(NULL, 0, SOH);

	(void)state;
	assert_false(verdict.rejected);
	assert_non_null(verdict.reply.p);
	assert_int_equal(verdict.reply.n, 0);
	assert_string_equal(verdict.challenge, "");
}

static void blanks_before_the_object_are_skipped(void **state)
{
	struct verdict verdict = read_bytes(" \t\r\n{", 5, "");

	(void)state;
	assert_true(verdict.rejected);
	assert_string_equal(verdict.challenge, " \\x09\\x0d\\x0a{");
}

static void what_is_no_object_is_no_rejection(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} rows[] = {
		{ "x{", 2 },
		{ "AUTHENTICATE XOAUTH2 ", 21 },
		{ " ", 1 },
		{ "\r\n", 2 },
		{ "\0{", 2 },
		{ "[{", 2 },
		{ "%n", 2 },
		{ "\001", 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct verdict verdict = read_bytes(rows[i].p, rows[i].n, "");

		assert_false(verdict.rejected);
		assert_string_equal(verdict.challenge, "");
	}
}

static void every_byte_leaves_escaped(void **state)
{
	struct verdict verdict = read_bytes("{\0\033\n\177\377\\%n}", 10, "");

	(void)state;
	assert_string_equal(verdict.challenge,
	    "{\\x00\\x1b\\x0a\\x7f\\xff\\x5c%n}");
}

static void a_long_challenge_is_cut(void **state)
{
	static char big[65536];
	struct verdict verdict;
	size_t n;

	(void)state;
	memset(big, 0x01, sizeof(big));
	big[0] = '{';
	verdict = read_bytes(big, sizeof(big), "");
	n = strlen(verdict.challenge);
	assert_true(n <= CHALLENGE_MAX_BYTES);
	assert_string_equal(verdict.challenge + n - 3, "...");

	memset(big, 'x', sizeof(big));
	big[0] = '{';
	verdict = read_bytes(big, CHALLENGE_MAX_BYTES, "");
	assert_int_equal(strlen(verdict.challenge), CHALLENGE_MAX_BYTES);
	verdict = read_bytes(big, CHALLENGE_MAX_BYTES + 1, "");
	assert_int_equal(strlen(verdict.challenge), CHALLENGE_MAX_BYTES);
	assert_string_equal(verdict.challenge + CHALLENGE_MAX_BYTES - 3, "...");
}

static void a_repeated_token_is_not_shown(void **state)
{
	struct verdict verdict = read_bytes("{\"t\":\"tok123\"}", 14, "");

	(void)state;
	assert_true(verdict.rejected);
	assert_null(strstr(verdict.challenge, "tok123"));
	assert_string_not_equal(verdict.challenge, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gmails_error_is_a_rejection),
		cmocka_unit_test(oauthbearer_replies_one_byte),
		cmocka_unit_test(nothing_is_answered_with_nothing),
		cmocka_unit_test(blanks_before_the_object_are_skipped),
		cmocka_unit_test(what_is_no_object_is_no_rejection),
		cmocka_unit_test(every_byte_leaves_escaped),
		cmocka_unit_test(a_long_challenge_is_cut),
		cmocka_unit_test(a_repeated_token_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
