/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A table fits the terminal and says what went wrong below its row.
 */
#include "cli/table.h"

#include "failing_malloc.h"
#include "test.h"

static void row(struct table *table, const char *a, const char *b,
    const char *c, const char *note)
{
	const char *parts[] = { a, b, c, note };
	size_t i;

	for (i = 0; i < COUNT(parts); i++) {
		buf_add_str(&table->text, parts[i]);
		table_next(table);
	}
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct buf out = BUF_INIT(10000);
	struct table table = TABLE_INIT;

	(void)state;
	row(&table, "A", "STATE", "LEFT", "");
	row(&table, "c", "ok", "-", "sign in again");
	row(&table, "a@b.example", "active", "5 min", "");
	assert_int_equal(table_print(&table, 80, &out), FAULT_NONE);
	assert_span(buf_span(&out),
	    "A            STATE   LEFT\n"
	    "a@b.example  active  5 min\n"
	    "c            ok      -\n"
	    "    sign in again\n");
	buf_drop(&out);
	buf_drop(&table.text);
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	static const char longest[] =
	    "a-very-long-name-of-somebody-who-has-"
	    "very-long-names@a-very-long-domain.example.com";
	struct buf out = BUF_INIT(10000);
	struct table table = TABLE_INIT;
	const char *p, *end;

	(void)state;
	row(&table, longest, "login-needed, unsaved", "47 h 59 min",
	    "words that go on and on and on and on and on and on and on and "
	    "on and on and on and on and on");
	assert_int_equal(table_print(&table, 80, &out), FAULT_NONE);
	for (p = out.p; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		assert_true(end - p <= 80);
	}
	assert_non_null(strstr(out.p, "...  login-needed, unsaved"));
	buf_drop(&out);
	buf_drop(&table.text);
}

static enum fault make(void *ctx)
{
	struct table table = TABLE_INIT;
	struct buf out = BUF_INIT(10000);
	enum fault fault;
	int i;

	(void)ctx;
	for (i = 0; i < 40; i++)
		row(&table, "a", "b", "c", "d");
	fault = table_print(&table, 80, &out);
	buf_drop(&table.text);
	buf_drop(&out);
	return fault;
}

static void running_out_of_memory_is_told(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(make, NULL) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(running_out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
