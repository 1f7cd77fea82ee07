/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whatever a list holds, what comes out is JSON.
 */
#include "cli/json.h"

#include "test.h"

static void object(const char *list, const char *want)
{
	struct buf out = BUF_INIT(100000);
	struct attrs attrs;

	assert_int_equal(attr_parse(span_of(list), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	json_object(&out, &attrs);
	assert_int_equal(buf_fault(&out), FAULT_NONE);
	assert_string_equal(out.p, want);
	buf_drop(&out);
}

static void strings_are_escaped_and_valid_utf8(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	json_string(&out, BYTES("a\"b\\c\n\0\177"));
	assert_span(buf_span(&out), "\"a\\\"b\\\\c\\u000a\\u0000\\u007f\"");
	buf_drop(&out);
	json_string(&out, BYTES("\302\205 \303\251 \377 \303"));
	assert_span(buf_span(&out), "\"\\u0085 \303\251 \\ufffd \\ufffd\"");
	buf_drop(&out);
	json_string(&out, BYTES(""));
	assert_span(buf_span(&out), "\"\"");
	buf_drop(&out);
}

static void numbers_and_truth_are_typed(void **state)
{
	(void)state;
	object("mailtoken=1\naccount=a\nexpires=0017\nunsaved=yes\n"
	       "deleted=no\n\n",
	    "{\"account\": \"a\", \"expires\": 17, \"unsaved\": true, "
	    "\"deleted\": false}");
	object("mailtoken=1\n\n", "{}");
}

static void odd_values_stay_strings(void **state)
{
	(void)state;
	object("mailtoken=1\nexpires=soon\nunsaved=maybe\npid=\n\n",
	    "{\"expires\": \"soon\", \"unsaved\": \"maybe\", \"pid\": \"\"}");
	object("mailtoken=1\nexpires=99999999999999999999\n\n",
	    "{\"expires\": \"99999999999999999999\"}");
}

static void lists_are_arrays(void **state)
{
	(void)state;
	object("mailtoken=1\nchanged=a\nneeds-restart=listen\nchanged=b\n\n",
	    "{\"changed\": [\"a\", \"b\"], \"needs-restart\": [\"listen\"]}");
	object("mailtoken=1\nservers= a.example  b.example \n\n",
	    "{\"servers\": [\"a.example\", \"b.example\"]}");
	object("mailtoken=1\nservers=\n\n", "{\"servers\": []}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_and_valid_utf8),
		cmocka_unit_test(numbers_and_truth_are_typed),
		cmocka_unit_test(odd_values_stay_strings),
		cmocka_unit_test(lists_are_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
