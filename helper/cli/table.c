/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Rows kept until the width of the columns is known.
 */
#include "cli/table.h"

#include <stdlib.h>

#include "cli/text.h"

#define GAP	   2
#define FIRST_ROWS 16

struct row {
	char *cells[TABLE_CELLS];
	char *note;
};

struct table {
	struct row *rows;
	size_t n, room;
};

enum fault table_new(struct table **table_out)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return FAULT_NOMEM;
	*table_out = table;
	return FAULT_NONE;
}

static void row_drop(struct row *row)
{
	size_t i;

	for (i = 0; i < TABLE_CELLS; i++)
		free(row->cells[i]);
	free(row->note);
}

void table_free(struct table *table)
{
	size_t i;

	if (table == NULL)
		return;
	for (i = 0; i < table->n; i++)
		row_drop(&table->rows[i]);
	free(table->rows);
	free(table);
}

static enum fault grow(struct table *table)
{
	size_t room = table->room > 0 ? 2 * table->room : FIRST_ROWS;
	struct row *rows;

	if (table->n < table->room)
		return FAULT_NONE;
	if (table->n == TABLE_ROWS_MAX)
		return FAULT_TOO_BIG;
	rows = realloc(table->rows, room * sizeof(*rows));
	if (rows == NULL)
		return FAULT_NOMEM;
	table->rows = rows;
	table->room = room;
	return FAULT_NONE;
}

static char *copy(struct span text)
{
	char *p = malloc(text.n + 1);

	if (p == NULL)
		return NULL;
	if (text.n > 0)
		memcpy(p, text.p, text.n);
	p[text.n] = '\0';
	return p;
}

enum fault table_add(struct table *table, const struct span *cells,
    struct span note)
{
	struct row row = { .note = NULL };
	enum fault fault = grow(table);
	bool whole = true;
	size_t i;

	if (fault != FAULT_NONE)
		return fault;
	for (i = 0; i < TABLE_CELLS; i++) {
		row.cells[i] = copy(cells[i]);
		whole = whole && row.cells[i] != NULL;
	}
	row.note = copy(note);
	if (!whole || row.note == NULL) {
		row_drop(&row);
		return FAULT_NOMEM;
	}
	table->rows[table->n++] = row;
	return FAULT_NONE;
}

static void measure(const struct table *table, size_t columns, size_t *wide)
{
	size_t i, r, n, all = (TABLE_CELLS - 1) * GAP;

	for (i = 0; i < TABLE_CELLS; i++) {
		wide[i] = 0;
		for (r = 0; r < table->n; r++) {
			n = text_columns(span_of(table->rows[r].cells[i]));
			if (n > wide[i])
				wide[i] = n;
		}
		if (i > 0)
			all += wide[i];
	}
	if (all + wide[0] <= columns)
		return;
	wide[0] = columns > all + TABLE_FIRST_MIN_COLUMNS ?
	    columns - all :
	    TABLE_FIRST_MIN_COLUMNS;
}

void table_print(const struct table *table, size_t columns, struct buf *out)
{
	const struct text_box box = {
		.at = 4,
		.indent = 4,
		.columns = columns,
	};
	size_t wide[TABLE_CELLS];
	size_t r, i;

	measure(table, columns, wide);
	for (r = 0; r < table->n; r++) {
		const struct row *row = &table->rows[r];

		for (i = 0; i + 1 < TABLE_CELLS; i++) {
			text_cut(out, span_of(row->cells[i]), wide[i]);
			text_pad(out, GAP);
		}
		text_plain(out, span_of(row->cells[i]));
		buf_add_lit(out, "\n");
		if (row->note[0] == '\0')
			continue;
		text_pad(out, box.indent);
		text_wrap(out, span_of(row->note), &box);
	}
}
