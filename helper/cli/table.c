/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Cells one behind the other, each with a NUL, until the width of the columns
 * is known.
 */
#include "cli/table.h"

#include <stdlib.h>

#include "cli/text.h"

#define GAP    2
#define INDENT 4 /* of notes */
#define PARTS  (TABLE_CELLS + 1)

void table_next(struct table *table)
{
	buf_add(&table->text, (struct span){ "", 1 });
	table->cells++;
}

static void split(const char *row, const char **parts)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		parts[i] = row;
		row += strlen(row) + 1;
	}
}

static int by_first_cell(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

static void find_rows(const struct table *table, const char **rows, size_t n)
{
	const char *p = table->text.p;
	size_t r, i;

	for (r = 0; r < n; r++) {
		rows[r] = p;
		for (i = 0; i < PARTS; i++)
			p += strlen(p) + 1;
	}
	qsort(rows + 1, n - 1, sizeof(*rows), by_first_cell);
}

static void measure(const char *const *rows, size_t n, size_t columns,
    size_t *wide)
{
	size_t i, r, one, all = (TABLE_CELLS - 1) * GAP;
	const char *parts[PARTS];

	for (i = 0; i < TABLE_CELLS; i++)
		wide[i] = 0;
	for (r = 0; r < n; r++) {
		split(rows[r], parts);
		for (i = 0; i < TABLE_CELLS; i++) {
			one = text_columns(span_of(parts[i]));
			if (one > wide[i])
				wide[i] = one;
		}
	}
	for (i = 1; i < TABLE_CELLS; i++)
		all += wide[i];
	if (all + wide[0] <= columns)
		return;
	wide[0] = columns > all + TABLE_FIRST_MIN_COLUMNS ?
	    columns - all :
	    TABLE_FIRST_MIN_COLUMNS;
}

static void print_row(const char *row, size_t columns, const size_t *wide,
    struct buf *out)
{
	const struct text_box box = {
		.at = INDENT,
		.indent = INDENT,
		.columns = columns,
	};
	const char *parts[PARTS];
	size_t i;

	split(row, parts);
	for (i = 0; i + 1 < TABLE_CELLS; i++) {
		text_cut(out, span_of(parts[i]), wide[i]);
		text_pad(out, GAP);
	}
	text_plain(out, span_of(parts[i]));
	buf_add_lit(out, "\n");
	if (parts[TABLE_CELLS][0] == '\0')
		return;
	text_pad(out, INDENT);
	text_wrap(out, span_of(parts[TABLE_CELLS]), &box);
}

enum fault table_print(const struct table *table, size_t columns,
    struct buf *out)
{
	size_t n = table->cells / PARTS, wide[TABLE_CELLS], r;
	const char **rows;

	if (buf_fault(&table->text) != FAULT_NONE || n == 0)
		return buf_fault(&table->text);
	rows = malloc(n * sizeof(*rows));
	if (rows == NULL)
		return FAULT_NOMEM;
	find_rows(table, rows, n);
	measure(rows, n, columns, wide);
	for (r = 0; r < n; r++)
		print_row(rows[r], columns, wide, out);
	free(rows);
	return buf_fault(out);
}
