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
	form_add(&out, "v",
	    BYTES("azAZ09-._~ +&=%/:@\"'\\\001\r\n"
		  "\0\177\303\251"));
	assert_span(buf_span(&out),
	    "v=azAZ09-._~%20%2B%26%3D%25%2F%3A%40%22"
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

static void get(const char *form, const char *name, enum fault wanted,
    const char *value)
{
	struct buf out = BUF_INIT(20);

	assert_int_equal(form_get(span_of(form), name, &out), wanted);
	if (wanted == FAULT_NONE)
		assert_true(span_is(buf_span(&out), value));
	buf_drop(&out);
}

static void values_are_found_and_decoded(void **state)
{
	(void)state;
	get("a=1&b=2", "a", FAULT_NONE, "1");
	get("a=1&b=2", "b", FAULT_NONE, "2");
	get("aa=1&a=2", "a", FAULT_NONE, "2");
	get("a=", "a", FAULT_NONE, "");
	get("a=b=c", "a", FAULT_NONE, "b=c");
	get("&&a=1&", "a", FAULT_NONE, "1");
	get("a=%2Fx%2f+y%20z", "a", FAULT_NONE, "/x/ y z");
	get("a=%C3%B6", "a", FAULT_NONE, "\xc3\xb6");
}

static void values_that_are_absent_or_broken_are_faults(void **state)
{
	(void)state;
	get("", "a", FAULT_NOT_FOUND, NULL);
	get("a", "a", FAULT_NOT_FOUND, NULL);
	get("b=a=1", "a", FAULT_NOT_FOUND, NULL);
	get("A=1", "a", FAULT_NOT_FOUND, NULL);
	get("a=1&a=1", "a", FAULT_GRAMMAR, NULL);
	get("a=1&b=2&a=", "a", FAULT_GRAMMAR, NULL);
	get("a=%", "a", FAULT_GRAMMAR, NULL);
	get("a=%4", "a", FAULT_GRAMMAR, NULL);
	get("a=%4g", "a", FAULT_GRAMMAR, NULL);
	get("a=%4&b=1", "a", FAULT_GRAMMAR, NULL);
	get("a=x%00", "a", FAULT_GRAMMAR, NULL);
	get("a=x%0a", "a", FAULT_GRAMMAR, NULL);
	get("a=x\001", "a", FAULT_GRAMMAR, NULL);
	get("a=123456789012345678901", "a", FAULT_TOO_BIG, NULL);
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
		cmocka_unit_test(values_are_found_and_decoded),
		cmocka_unit_test(values_that_are_absent_or_broken_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
