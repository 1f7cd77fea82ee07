/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits are exact, faults stick, old storage is wiped.
 */
#include "wire/buf.h"

#include "failing_malloc.h"
#include "test.h"

#define MARK "0123456789-mark"

static void bytes_are_appended_and_terminated(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	buf_add_lit(&buf, "a\0b");
	buf_add_str(&buf, "cd");
	buf_add_str(&buf, NULL);
	buf_add(&buf, span_of(NULL));
	buf_add_int(&buf, -7);
	assert_int_equal(buf_fault(&buf), FAULT_NONE);
	assert_span(buf_span(&buf), "a\0bcd-7");
	assert_int_equal(buf.p[buf.n], '\0');
	buf_drop(&buf);
	assert_null(buf.p);
	assert_int_equal(buf.max_bytes, 100);
	buf_drop(NULL);
}

static void limit_is_exact_and_its_fault_sticks(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_add_lit(&buf, "abcd");
	assert_int_equal(buf_fault(&buf), FAULT_NONE);
	buf_add_lit(&buf, "e");
	assert_int_equal(buf_fault(&buf), FAULT_TOO_BIG);
	assert_span(buf_span(&buf), "abcd");
	buf_add_lit(&buf, "");
	assert_int_equal(buf_fault(&buf), FAULT_TOO_BIG);
	buf_drop(&buf);
	assert_int_equal(buf_fault(&buf), FAULT_NONE);

	buf_add_lit(&buf, "abcde");
	assert_int_equal(buf_fault(&buf), FAULT_TOO_BIG);
	assert_int_equal(buf.n, 0);
	buf_add_lit(&buf, "a");
	assert_int_equal(buf.n, 0);
	buf_drop(&buf);
}

static void extreme_numbers_are_written(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	buf_add_int(&buf, INT64_MIN);
	buf_add_int(&buf, INT64_MAX);
	buf_add_int(&buf, 0);
	assert_span(buf_span(&buf),
	    "-9223372036854775808"
	    "9223372036854775807"
	    "0");
	buf_drop(&buf);
}

static void space_ends_at_the_limit(void **state)
{
	struct buf buf = BUF_INIT(10);
	size_t got = 0;
	char *p;

	(void)state;
	p = buf_space(&buf, 8, &got);
	assert_non_null(p);
	assert_int_equal(got, 8);
	memcpy(p, "12345678", 8);
	buf_used(&buf, 8);
	p = buf_space(&buf, 8, &got);
	assert_non_null(p);
	assert_int_equal(got, 2);
	memcpy(p, "9a", 2);
	buf_used(&buf, 2);
	assert_span(buf_span(&buf), "123456789a");
	assert_null(buf_space(&buf, 1, &got));
	assert_int_equal(buf_fault(&buf), FAULT_TOO_BIG);
	assert_null(buf_space(&buf, 1, &got));
	buf_drop(&buf);
}

static void consume_takes_from_the_front(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	buf_consume(&buf, 0);
	buf_add_lit(&buf, "abcdef");
	buf_consume(&buf, 0);
	buf_consume(&buf, 4);
	assert_span(buf_span(&buf), "ef");
	assert_int_equal(buf.p[2], '\0');
	buf_add_lit(&buf, "g");
	buf_consume(&buf, 3);
	assert_int_equal(buf.n, 0);
	buf_drop(&buf);
}

static void freed_memory_holds_no_bytes(void **state)
{
	struct buf buf = BUF_INIT(100000);
	int i;

	(void)state;
	failing_malloc_watch(MARK);
	buf_add_lit(&buf, MARK);
	for (i = 0; i < 5000; i++)
		buf_add_lit(&buf, "0123456789");
	buf_consume(&buf, 3);
	buf_drop(&buf);
	assert_false(failing_malloc_saw());
}

static void the_watch_itself_sees(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	failing_malloc_watch(MARK);
	buf_add_lit(&buf, MARK);
	buf.room = 0;
	buf_drop(&buf);
	assert_true(failing_malloc_saw());
}

static void consumed_bytes_are_wiped(void **state)
{
	struct buf buf = BUF_INIT(100);

	(void)state;
	buf_add_lit(&buf, "secret");
	buf_consume(&buf, 4);
	assert_memory_equal(buf.p, "et\0\0\0\0", 6);
	buf_drop(&buf);
}

static enum fault grow(void *ctx)
{
	struct buf buf = BUF_INIT(4000);
	enum fault fault;
	int i;

	(void)ctx;
	for (i = 0; i < 400; i++)
		buf_add_lit(&buf, "0123456789");
	fault = buf_fault(&buf);
	assert_true(fault == FAULT_NOMEM || buf.n == 4000);
	buf_drop(&buf);
	return fault;
}

static void lent_bytes_are_used_first_and_wiped(void **state)
{
	char storage[16] = "";
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_lend(&buf, storage, sizeof(storage));
	buf_add_str(&buf, "0123456789-long");
	assert_ptr_equal(buf.p, storage);
	buf_add_str(&buf, "er");
	assert_ptr_not_equal(buf.p, storage);
	assert_span(buf_span(&buf), "0123456789-longer");
	assert_int_equal(storage[0], '\0');
	buf_drop(&buf);
	buf_lend(&buf, storage, sizeof(storage));
	buf_add_str(&buf, "abc");
	buf_drop(&buf);
	assert_int_equal(storage[0], '\0');
}

static void no_memory_sticks(void **state)
{
	(void)state;
	assert_int_equal(failing_malloc_each(grow, NULL), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_appended_and_terminated),
		cmocka_unit_test(limit_is_exact_and_its_fault_sticks),
		cmocka_unit_test(extreme_numbers_are_written),
		cmocka_unit_test(space_ends_at_the_limit),
		cmocka_unit_test(consume_takes_from_the_front),
		cmocka_unit_test(freed_memory_holds_no_bytes),
		cmocka_unit_test(the_watch_itself_sees),
		cmocka_unit_test(consumed_bytes_are_wiped),
		cmocka_unit_test(lent_bytes_are_used_first_and_wiped),
		cmocka_unit_test(no_memory_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
