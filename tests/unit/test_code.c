/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes out into a browser, and what people paste of it.
 */
#include "test.h"

#include "failing_malloc.h"
#include "oauth/code.h"

static enum fault read_text(struct span text, enum code_pasted *pasted,
    struct buf *out)
{
	struct why why = { 0, "" };
	enum fault fault;

	buf_init(out, CODE_PASTED_MAX_BYTES);
	fault = code_read_pasted(text, pasted, out, &why);
	if (fault != FAULT_NONE)
		assert_true(why.text[0] != '\0');
	return fault;
}

static void addresses_give_their_query(void **state)
{
	static const struct {
		const char *text;
		const char *query;
	} rows[] = {
		{ "http://127.0.0.1:1/callback?code=a&state=b",
		    "code=a&state=b" },
		{ "http://127.0.0.1:1/callback?code=a&state=b#x",
		    "code=a&state=b" },
		{ "127.0.0.1:1/callback?code=a", "code=a" },
		{ "?code=a&state=b", "code=a&state=b" },
		{ "code=a&state=b", "code=a&state=b" },
		{ "error=no", "error=no" },
		{ " \"http://x/?code=%2Fa\"\r\n", "code=%2Fa" },
		{ "<http://x/?co\n  de=a>", "code=a" },
		{ "`http://x/?code=a'", "code=a" },
		{ "\xe2\x80\x9chttp://x/?code=a\xe2\x80\x9d.", "code=a" },
		{ "\xc2\xabhttp://x/?code=a\xc2\xbb", "code=a" },
		{ "http://x/?code=a.", "code=a" },
		{ "http://x/?a?b", "a?b" },
		{ "http://x/?", "" },
		{ "https://x/", "https://x/" },
	};
	enum code_pasted pasted;
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		pasted = CODE_ALONE;
		assert_int_equal(
		    read_text(span_of(rows[i].text), &pasted, &out),
		    FAULT_NONE);
		assert_int_equal(pasted, CODE_ADDRESS);
		assert_true(span_is(buf_span(&out), rows[i].query));
		buf_drop(&out);
	}
}

static void bare_codes_are_decoded_where_they_are_encoded(void **state)
{
	static const struct {
		const char *text;
		const char *code;
	} rows[] = {
		{ "4/0AbCd-ef_g", "4/0AbCd-ef_g" },
		{ "4%2F0AbCd-ef_g", "4/0AbCd-ef_g" },
		{ " 0.AXo\nAbC ", "0.AXoAbC" },
		{ "abc+def/ghi%2F", "abc+def/ghi%2F" },
		{ "abc%zzdef", "abc%zzdef" },
		{ "abcdef==", "abcdef==" },
	};
	enum code_pasted pasted;
	struct buf out;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		pasted = CODE_ADDRESS;
		assert_int_equal(
		    read_text(span_of(rows[i].text), &pasted, &out),
		    FAULT_NONE);
		assert_int_equal(pasted, CODE_ALONE);
		assert_true(span_is(buf_span(&out), rows[i].code));
		buf_drop(&out);
	}
}

static void what_is_neither_is_refused(void **state)
{
	static char long_one[CODE_PASTED_MAX_BYTES + 1];
	static char long_code[CODE_MAX_BYTES + 1];
	const struct span rows[] = {
		BYTES(""),
		BYTES(" \r\n\t"),
		BYTES("\"\""),
		BYTES("no"),
		BYTES("yes"),
		BYTES("12345"),
		BYTES("abc\xc3\xb6"
		      "def"),
		{ long_one, sizeof(long_one) },
		{ long_code, sizeof(long_code) },
	};
	enum code_pasted pasted;
	struct buf out;
	size_t i;

	(void)state;
	memset(long_one, 'a', sizeof(long_one));
	memset(long_code, 'a', sizeof(long_code));
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read_text(rows[i], &pasted, &out),
		    FAULT_GRAMMAR);
		buf_drop(&out);
	}
}

static enum fault read_both(void *ctx)
{
	enum code_pasted pasted;
	struct why why;
	struct buf out;
	enum fault fault;

	(void)ctx;
	buf_init(&out, CODE_PASTED_MAX_BYTES);
	fault = code_read_pasted(BYTES("http://x/?code=the-code-itself"),
	    &pasted, &out, &why);
	buf_drop(&out);
	if (fault != FAULT_NONE)
		return fault;
	fault = code_read_pasted(BYTES("the-code-itself"), &pasted, &out, &why);
	buf_drop(&out);
	return fault;
}

static void no_memory_is_a_fault_and_leaves_nothing(void **state)
{
	(void)state;
	failing_malloc_watch("the-code-itself");
	assert_true(failing_malloc_each(read_both, NULL) >= 4);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_give_their_query),
		cmocka_unit_test(bare_codes_are_decoded_where_they_are_encoded),
		cmocka_unit_test(what_is_neither_is_refused),
		cmocka_unit_test(no_memory_is_a_fault_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
