/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grammar of mailtoken-protocol(7), with each limit at and one over.
 */
#include "wire/attr.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "test.h"

#define HEAD "mailtoken=1\n"

/* 32 bytes, the longest name. */
#define NAME32 "abcdefghijklmnopqrstuvwxyz-01234"

static enum fault parse(struct span list, struct attrs *attrs)
{
	return attr_parse(list, WIRE_FIRST, attrs);
}

static void fill(struct buf *buf, size_t n)
{
	size_t got = 0;
	char *p = n > 0 ? buf_space(buf, n, &got) : NULL;

	assert_int_equal(got, n);
	if (n > 0)
		memset(p, 'x', n);
	buf_used(buf, n);
}

static void lists_are_taken_apart(void **state)
{
	struct attrs attrs;

	(void)state;
	assert_int_equal(parse(BYTES(HEAD "verb=token\n"
					  "empty=\n"
					  "equals=a=b\n"
					  "bytes=\001\377 \t\n"
					  "\n"),
			     &attrs),
	    FAULT_NONE);
	assert_int_equal(attrs.n, 5);
	assert_span(attr_get(&attrs, "mailtoken"), "1");
	assert_span(attr_get(&attrs, "verb"), "token");
	assert_span(attr_get(&attrs, "equals"), "a=b");
	assert_span(attr_get(&attrs, "bytes"), "\001\377 \t");
	assert_true(attr_has(&attrs, "empty"));
	assert_int_equal(attr_get(&attrs, "empty").n, 0);
	assert_false(attr_has(&attrs, "absent"));
	assert_null(attr_get(&attrs, "absent").p);
	assert_true(attr_is(&attrs, "verb", "token"));
	assert_false(attr_is(&attrs, "verb", "toke"));
}

static void what_is_no_list_is_refused(void **state)
{
	static const struct span lists[] = {
		{ "", 0 },
		{ "\n", 1 },
#define L(s) { s, sizeof(s) - 1 }
		L(HEAD),
		L(HEAD "a=b"),
		L(HEAD "a=b\n"),
		L(HEAD "a=b\n\n\n"),
		L(HEAD "\na=b\n\n"),
		L("mailtoken=2\n\n"),
		L("mailtoken=\n\n"),
		L("mailtoken=01\n\n"),
		L("mailtoken-entry=1\n\n"),
		L("a=b\n" HEAD "\n"),
		L(HEAD "noequals\n\n"),
		L(HEAD "=value\n\n"),
		L(HEAD "Verb=x\n\n"),
		L(HEAD "a b=x\n\n"),
		L(HEAD "a_b=x\n\n"),
		L(HEAD " a=x\n\n"),
		L(HEAD "a\0=x\n\n"),
		L(HEAD "\303\244=x\n\n"),
		L(HEAD "a=\0\n\n"),
		L(HEAD "a=x\0y\n\n"),
		L(HEAD "a=x\r\n\n"),
		L(HEAD "a=x\ry\n\n"),
		L("mailtoken=1\r\n\r\n"),
		L(HEAD "mailtoken=1\n\n"),
		L(HEAD "a=1\na=1\n\n"),
		L(HEAD "a=1\nb=2\na=3\n\n"),
		L(HEAD NAME32 "5=x\n\n"),
#undef L
	};
	struct attrs attrs = { .n = 99 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lists); i++) {
		if (parse(lists[i], &attrs) != FAULT_GRAMMAR)
			fail_msg("list %zu was not refused", i);
		assert_int_equal(attrs.n, 99);
	}
	assert_int_equal(parse(BYTES(HEAD NAME32 "=x\n\n"), &attrs),
	    FAULT_NONE);
}

static void only_lists_may_repeat(void **state)
{
	struct attrs attrs;

	(void)state;
	assert_int_equal(
	    parse(
		BYTES(HEAD
		    "sealed=1\nsealed=2\nchanged=a\nchanged=b\n"
		    "needs-restart=a\nneeds-restart=b\nwarning=a\nwarning=b\n\n"),
		&attrs),
	    FAULT_NONE);
	assert_int_equal(attrs.n, 9);
	assert_span(attr_get(&attrs, "sealed"), "1");
}

static void length_waits_for_the_empty_line(void **state)
{
	static const char bytes[] = HEAD "a=b\n\nmailtoken=1\n";
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++) {
		struct span part = { bytes, i };

		length = 99;
		assert_int_equal(attr_length(part, &length), FAULT_NONE);
		assert_int_equal(length, i < 17 ? 0 : 17);
	}
	assert_int_equal(attr_length(BYTES("\n"), &length), FAULT_NONE);
	assert_int_equal(length, 1);
}

/* A list of one line of n bytes after the first. */
static void line_of(struct buf *buf, size_t n)
{
	buf_add_lit(buf, HEAD "a=");
	fill(buf, n - 2);
	buf_add_lit(buf, "\n\n");
	assert_int_equal(buf_fault(buf), FAULT_NONE);
}

static void a_line_may_have_65536_bytes(void **state)
{
	struct buf buf = BUF_INIT(200000);
	struct span cut;
	struct attrs attrs;
	size_t length;

	(void)state;
	line_of(&buf, 65536);
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_NONE);
	assert_int_equal(length, buf.n);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_NONE);
	assert_int_equal(attr_get(&attrs, "a").n, 65534);
	buf_drop(&buf);

	line_of(&buf, 65537);
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_TOO_BIG);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_TOO_BIG);
	/* It is known before the line ends. */
	cut.p = buf.p;
	cut.n = 12 + 65537;
	assert_int_equal(attr_length(cut, &length), FAULT_TOO_BIG);
	cut.n--;
	assert_int_equal(attr_length(cut, &length), FAULT_NONE);
	assert_int_equal(length, 0);
	buf_drop(&buf);
}

static void a_list_may_have_131072_bytes(void **state)
{
	struct buf buf = BUF_INIT(200000);
	struct attrs attrs;
	struct span cut;
	size_t length;

	(void)state;
	/* Two lines of at most 65,536 and the rest cannot make it: three. */
	buf_add_lit(&buf, HEAD "a=");
	fill(&buf, 65000);
	buf_add_lit(&buf, "\nb=");
	fill(&buf, 65000);
	buf_add_lit(&buf, "\nc=");
	fill(&buf, 131072 - buf.n - 2);
	buf_add_lit(&buf, "\n\n");
	assert_int_equal(buf.n, 131072);
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_NONE);
	assert_int_equal(length, 131072);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_NONE);
	/* What follows is another list's. */
	buf_add_lit(&buf, "m");
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_NONE);
	assert_int_equal(length, 131072);

	/* One more byte before the end. */
	buf.n -= 3;
	buf_add_lit(&buf, "x\n\n");
	assert_int_equal(buf.n, 131073);
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_TOO_BIG);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_TOO_BIG);
	cut.p = buf.p;
	cut.n = 131072;
	assert_int_equal(attr_length(cut, &length), FAULT_TOO_BIG);
	cut.n--;
	assert_int_equal(attr_length(cut, &length), FAULT_NONE);
	assert_int_equal(length, 0);
	buf_drop(&buf);
}

static void lines_of(struct buf *buf, int n)
{
	int i;

	buf_add_lit(buf, HEAD);
	for (i = 1; i < n; i++) {
		buf_add_lit(buf, "a");
		buf_add_int(buf, i);
		buf_add_lit(buf, "=x\n");
	}
	buf_add_lit(buf, "\n");
}

static void a_list_may_have_64_lines(void **state)
{
	struct buf buf = BUF_INIT(200000);
	struct attrs attrs;
	size_t length;

	(void)state;
	lines_of(&buf, 64);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_NONE);
	assert_int_equal(attrs.n, 64);
	buf_drop(&buf);
	lines_of(&buf, 65);
	assert_int_equal(attr_length(buf_span(&buf), &length), FAULT_TOO_BIG);
	assert_int_equal(parse(buf_span(&buf), &attrs), FAULT_TOO_BIG);
	buf_drop(&buf);
}

static void writer_writes_the_grammar(void **state)
{
	struct buf buf = BUF_INIT(1000);
	struct attr_writer writer;

	(void)state;
	buf_add_lit(&buf, "before");
	attr_begin(&writer, &buf, WIRE_FIRST_ENTRY);
	attr_put_str(&writer, "verb", "token");
	attr_put(&writer, "empty", span_of(NULL));
	attr_put_int(&writer, "n", -5);
	assert_int_equal(attr_end(&writer), FAULT_NONE);
	assert_span(buf_span(&buf),
	    "before"
	    "mailtoken-entry=1\nverb=token\nempty=\nn=-5\n\n");
	buf_drop(&buf);
}

/* Nothing of the list stays, what stood before does. */
static void refused(struct attr_writer *writer, enum fault fault)
{
	assert_int_equal(attr_end(writer), fault);
	assert_int_equal(buf_fault(writer->buf), fault);
	assert_int_equal(writer->buf->n, 6);
	assert_memory_equal(writer->buf->p, "before\0", 7);
	buf_drop(writer->buf);
}

static void begin(struct attr_writer *writer, struct buf *buf)
{
	buf_add_lit(buf, "before");
	attr_begin(writer, buf, WIRE_FIRST);
}

static void writer_refuses_what_the_reader_would(void **state)
{
	static const struct {
		const char *name;
		struct span value;
	} bad[] = {
		{ "a", { "x\ny", 3 } },
		{ "a", { "x\n", 2 } },
		{ "a", { "\r", 1 } },
		{ "a", { "x\0y", 3 } },
		{ "", { "x", 1 } },
		{ "A", { "x", 1 } },
		{ "a\nb", { "x", 1 } },
		{ "a b", { "x", 1 } },
		{ NAME32 "5", { "x", 1 } },
		{ "a", { "x\n\nverb=x", 9 } },
	};
	struct buf buf = BUF_INIT(200000);
	struct attr_writer writer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		begin(&writer, &buf);
		attr_put(&writer, bad[i].name, bad[i].value);
		attr_put_str(&writer, "after", "x");
		refused(&writer, FAULT_GRAMMAR);
	}
}

static void writer_keeps_the_limits(void **state)
{
	struct buf buf = BUF_INIT(200000), value = BUF_INIT(70000);
	struct attr_writer writer;
	char name[] = "aa";
	int i;

	(void)state;
	fill(&value, 65534);
	begin(&writer, &buf);
	attr_put(&writer, "a", buf_span(&value));
	assert_int_equal(attr_end(&writer), FAULT_NONE);
	buf_drop(&buf);
	begin(&writer, &buf);
	attr_put(&writer, "ab", buf_span(&value));
	refused(&writer, FAULT_TOO_BIG);

	begin(&writer, &buf);
	attr_put(&writer, "a", buf_span(&value));
	attr_put(&writer, "b", buf_span(&value));
	refused(&writer, FAULT_TOO_BIG);

	begin(&writer, &buf);
	for (i = 0; i < 64; i++) {
		name[0] = (char)('a' + i / 26);
		name[1] = (char)('a' + i % 26);
		attr_put_str(&writer, name, "");
	}
	refused(&writer, FAULT_TOO_BIG);

	buf.max_bytes = 30;
	begin(&writer, &buf);
	attr_put_str(&writer, "name", "0123456789");
	refused(&writer, FAULT_TOO_BIG);
	buf_drop(&value);
}

static enum fault write_list(void *ctx)
{
	struct buf buf = BUF_INIT(4000);
	struct attr_writer writer;
	enum fault fault;
	char value[500];

	(void)ctx;
	memset(value, 'x', sizeof(value));
	attr_begin(&writer, &buf, WIRE_FIRST);
	attr_put(&writer, "a", (struct span){ value, sizeof(value) });
	attr_put(&writer, "b", (struct span){ value, sizeof(value) });
	attr_put(&writer, "c", (struct span){ value, sizeof(value) });
	fault = attr_end(&writer);
	assert_true(fault == FAULT_NONE || buf.n == 0);
	buf_drop(&buf);
	return fault;
}

static void no_memory_writes_nothing(void **state)
{
	(void)state;
	assert_int_equal(failing_malloc_each(write_list, NULL), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_taken_apart),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(only_lists_may_repeat),
		cmocka_unit_test(length_waits_for_the_empty_line),
		cmocka_unit_test(a_line_may_have_65536_bytes),
		cmocka_unit_test(a_list_may_have_131072_bytes),
		cmocka_unit_test(a_list_may_have_64_lines),
		cmocka_unit_test(writer_writes_the_grammar),
		cmocka_unit_test(writer_refuses_what_the_reader_would),
		cmocka_unit_test(writer_keeps_the_limits),
		cmocka_unit_test(no_memory_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
