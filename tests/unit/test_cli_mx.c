/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mail exchangers out of DNS messages, typed from RFC 1035: good ones, ones
 * that are cut at each byte, and names that are none.
 */
#include "test.h"

#include <stdlib.h>

#include "cli/command.h"

static const unsigned char two[] = {
	0x12, 0x34, 0x81, 0x80, /* id, answer without error */
	0, 1, 0, 3, 0, 0, 0, 0, /* 1 question, 3 answers */
	1, 'x', 0, 0, 15, 0, 1, /* x IN MX */
	0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 7, 0, 20, 2, 'b', 'b', 0xc0,
	12, /* 20 bb.x */
	0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 6, 0, 10, 1, 'a', 0xc0,
	12, /* 10 a.x */
	0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0,
	1, /* an address: no exchanger */
};

static const unsigned char odd[] = {
	0x12,
	0x34,
	0x81,
	0x80,
	0,
	1,
	0,
	1,
	0,
	0,
	0,
	0,
	1,
	'x',
	0,
	0,
	15,
	0,
	1,
	0xc0,
	12,
	0,
	15,
	0,
	1,
	0,
	0,
	0,
	60,
	0,
	7,
	0,
	20,
	2,
	' ',
	'\n',
	0xc0,
	12,
};

static void exchangers_come_best_first(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	mx_parse(two, sizeof(two), &out);
	assert_true(span_is(buf_span(&out), "a.x bb.x"));
	buf_drop(&out);
}

static void names_that_are_none_are_left_out(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	mx_parse(odd, sizeof(odd), &out);
	assert_int_equal(out.n, 0);
	mx_find("not a name", &out);
	mx_find("", &out);
	assert_int_equal(out.n, 0);
	buf_drop(&out);
}

static void cut_messages_do_no_harm(void **state)
{
	struct buf out;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(two); n++) {
		unsigned char *copy = malloc(n > 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, two, n);
		buf_init(&out, 1000);
		mx_parse(copy, n, &out);
		assert_int_equal(buf_fault(&out), FAULT_NONE);
		buf_drop(&out);
		free(copy);
	}
}

static void what_does_not_fit_is_left_out(void **state)
{
	struct buf out = BUF_INIT(6);

	(void)state;
	mx_parse(two, sizeof(two), &out);
	assert_true(span_is(buf_span(&out), "a.x"));
	assert_int_equal(buf_fault(&out), FAULT_NONE);
	buf_drop(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchangers_come_best_first),
		cmocka_unit_test(names_that_are_none_are_left_out),
		cmocka_unit_test(cut_messages_do_no_harm),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
