/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Forms, byte by byte.
 */
#include "test.h"

#include "failing_malloc.h"
#include "oauth/form.h"

static void fields_are_joined_by_ampersands(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	form_add(&out, "grant_type", span_of("refresh_token"));
	form_add(&out, "client_id", span_of("app"));
	assert_int_equal(buf_fault(&out), FAULT_NONE);
	assert_span(buf_span(&out), "grant_type=refresh_token&client_id=app");
	buf_drop(&out);
}

static void everything_but_unreserved_is_encoded(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	form_add(&out, "v", BYTES("azAZ09-._~ +&=%/:@\"'\\\001\r\n"
	    "\0\177\303\251"));
	assert_span(buf_span(&out), "v=azAZ09-._~%20%2B%26%3D%25%2F%3A%40%22"
	    "%27%5C%01%0D%0A%00%7F%C3%A9");
	buf_drop(&out);
}

static void names_are_encoded_too(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	form_add(&out, "a b", span_of("c"));
	assert_span(buf_span(&out), "a%20b=c");
	buf_drop(&out);
}

static void an_empty_value_is_a_name_and_a_sign(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	form_add(&out, "a", BYTES(""));
	assert_span(buf_span(&out), "a=");
	buf_drop(&out);
}

static void a_limit_sticks(void **state)
{
	struct buf out = BUF_INIT(5);

	(void)state;
	form_add(&out, "a", span_of("12345"));
	form_add(&out, "b", span_of("1"));
	assert_int_equal(buf_fault(&out), FAULT_TOO_BIG);
	buf_drop(&out);
}

static enum fault one_form(void *ctx)
{
	struct buf out = BUF_INIT(10000);
	enum fault fault;
	char text[900];

	(void)ctx;
	memset(text, '%', sizeof(text));
	form_add(&out, "a", (struct span){ text, sizeof(text) });
	fault = buf_fault(&out);
	buf_drop(&out);
	return fault;
}

static void no_memory_is_a_fault(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(one_form, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_joined_by_ampersands),
		cmocka_unit_test(everything_but_unreserved_is_encoded),
		cmocka_unit_test(names_are_encoded_too),
		cmocka_unit_test(an_empty_value_is_a_name_and_a_sign),
		cmocka_unit_test(a_limit_sticks),
		cmocka_unit_test(no_memory_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
