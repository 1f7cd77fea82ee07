/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What strangers wrote cannot move the cursor; lines end where they should.
 */
#include "cli/text.h"

#include "test.h"

static void control_and_invisible_characters_are_replaced(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	text_plain(&out, BYTES("a\033[2J\tb\177c"));
	assert_span(buf_span(&out), "a?[2J?b?c");
	buf_drop(&out);
	/* C1, right-to-left override, zero width space, isolate */
	text_plain(&out,
	    BYTES("x\302\233y\342\200\256z\342\200\213"
		  "\342\201\246."));
	assert_span(buf_span(&out), "x?y?z??.");
	buf_drop(&out);
	/* a lead byte without its rest, an overlong slash, a lone 0xff */
	text_plain(&out, BYTES("\303 \300\257 \377"));
	assert_span(buf_span(&out), "? ?? ?");
	buf_drop(&out);
	text_plain(&out, BYTES("na\303\257ve \342\202\254 \360\237\230\200"));
	assert_span(buf_span(&out),
	    "na\303\257ve \342\202\254 \360\237\230\200");
	buf_drop(&out);
}

static void columns_are_those_of_the_terminal(void **state)
{
	(void)state;
	assert_int_equal(text_columns(BYTES("")), 0);
	assert_int_equal(text_columns(BYTES("abc")), 3);
	assert_int_equal(text_columns(BYTES("\303\251\342\202\254")), 2);
	assert_int_equal(text_columns(BYTES("\345\255\227")), 2);
	assert_int_equal(text_columns(BYTES("\377\377")), 2);
}

static void lines_break_at_blanks(void **state)
{
	struct text_box box = { .at = 4, .indent = 2, .columns = 12 };
	struct buf out = BUF_INIT(1000);

	(void)state;
	text_wrap(&out, BYTES("one two three  four five"), &box);
	assert_span(buf_span(&out), "one two\n  three four\n  five\n");
	buf_drop(&out);

	box.columns = 0;
	text_wrap(&out, BYTES("one two three four five"), &box);
	assert_span(buf_span(&out), "one two three four five\n");
	buf_drop(&out);
	text_wrap(&out, BYTES(""), &box);
	assert_span(buf_span(&out), "\n");
	buf_drop(&out);
}

static void a_link_is_never_broken(void **state)
{
	struct text_box box = { .columns = 10 };
	struct buf out = BUF_INIT(1000);

	(void)state;
	text_wrap(&out, BYTES("https://example.com/device at once"), &box);
	assert_span(buf_span(&out), "https://example.com/device\nat once\n");
	buf_drop(&out);
	text_wrap(&out, BYTES("go https://example.com/device"), &box);
	assert_span(buf_span(&out), "go\nhttps://example.com/device\n");
	buf_drop(&out);
}

static void long_cells_are_cut_and_short_ones_filled(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	text_cut(&out, BYTES("abcdefgh"), 8);
	text_cut(&out, BYTES("abcdefghi"), 8);
	text_cut(&out, BYTES("ab"), 4);
	/* two columns each: the third would not fit before the dots */
	text_cut(&out,
	    BYTES("\345\255\227\345\255\227\345\255\227"
		  "\345\255\227\345\255\227"),
	    8);
	assert_span(buf_span(&out),
	    "abcdefghabcde...ab  "
	    "\345\255\227\345\255\227... ");
	buf_drop(&out);
}

static void durations_are_for_humans(void **state)
{
	static const struct {
		int64_t s;
		const char *want;
	} rows[] = {
		{ -5, "0 s" },
		{ 0, "0 s" },
		{ 59, "59 s" },
		{ 60, "1 min" },
		{ 3599, "59 min" },
		{ 3600, "1 h" },
		{ 3661, "1 h 1 min" },
		{ 172799, "47 h 59 min" },
		{ 172800, "2 days" },
		{ INT64_MAX, "106751991167300 days" },
	};
	struct buf out = BUF_INIT(1000);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		text_duration(&out, rows[i].s);
		assert_string_equal(out.p, rows[i].want);
		buf_drop(&out);
	}
	text_clock(&out, 895);
	text_clock(&out, -1);
	assert_span(buf_span(&out), "14:550:00");
	buf_drop(&out);
}

static void values_on_one_line_are_quoted_when_they_must(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	text_quoted(&out, BYTES("alice@contoso.com"), false);
	buf_add_lit(&out, " ");
	text_quoted(&out, BYTES("a\"b\\c\nd e"), false);
	buf_add_lit(&out, " ");
	text_quoted(&out, BYTES(""), false);
	buf_add_lit(&out, " ");
	text_quoted(&out, BYTES("x"), true);
	assert_span(buf_span(&out),
	    "alice@contoso.com \"a\\\"b\\\\c?d e\" \"\" \"x\"");
	buf_drop(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_and_invisible_characters_are_replaced),
		cmocka_unit_test(columns_are_those_of_the_terminal),
		cmocka_unit_test(lines_break_at_blanks),
		cmocka_unit_test(a_link_is_never_broken),
		cmocka_unit_test(long_cells_are_cut_and_short_ones_filled),
		cmocka_unit_test(durations_are_for_humans),
		cmocka_unit_test(values_on_one_line_are_quoted_when_they_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
