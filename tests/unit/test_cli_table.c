/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A table fits the terminal and says what went wrong below its row.
 */
#include "cli/table.h"

#include "failing_malloc.h"
#include "test.h"

static enum fault row(struct table *table, const char *a, const char *b,
    const char *c, const char *note)
{
	return table_add(table,
	    (const struct span[TABLE_CELLS]){ span_of(a), span_of(b),
		span_of(c) },
	    span_of(note));
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct buf out = BUF_INIT(10000);
	struct table *table = NULL;

	(void)state;
	assert_int_equal(table_new(&table), FAULT_NONE);
	assert_int_equal(row(table, "A", "STATE", "LEFT", ""), FAULT_NONE);
	assert_int_equal(row(table, "a@b.example", "active", "5 min", NULL),
	    FAULT_NONE);
	assert_int_equal(row(table, "c", "ok", "-", "sign in again"),
	    FAULT_NONE);
	table_print(table, 80, &out);
	assert_span(buf_span(&out),
	    "A            STATE   LEFT\n"
	    "a@b.example  active  5 min\n"
	    "c            ok      -\n"
	    "    sign in again\n");
	buf_drop(&out);
	table_free(table);
	table_free(NULL);
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	static const char longest[] =
	    "a-very-long-name-of-somebody-who-has-"
	    "very-long-names@a-very-long-domain.example.com";
	struct buf out = BUF_INIT(10000);
	struct table *table = NULL;
	const char *p, *end;

	(void)state;
	assert_int_equal(table_new(&table), FAULT_NONE);
	assert_int_equal(row(table, longest, "login-needed, unsaved",
			     "47 h 59 min",
			     "words that go on and on and on and on and on and "
			     "on and on and on and on and on and on"),
	    FAULT_NONE);
	table_print(table, 80, &out);
	for (p = out.p; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		assert_true(end - p <= 80);
	}
	assert_non_null(strstr(out.p, "...  login-needed, unsaved"));
	buf_drop(&out);
	table_free(table);
}

static enum fault make(void *ctx)
{
	struct table *table = NULL;
	enum fault fault;
	int i;

	(void)ctx;
	fault = table_new(&table);
	for (i = 0; i < 40 && fault == FAULT_NONE; i++)
		fault = row(table, "a", "b", "c", "d");
	table_free(table);
	return fault;
}

static void running_out_of_memory_is_told(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(make, NULL) > 40);
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
