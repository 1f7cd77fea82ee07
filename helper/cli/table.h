/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * table - rows with a note below, as wide as the widest cell, no wider than
 * the terminal; below the first one in the order of their first cells
 */
#ifndef MAILTOKEN_CLI_TABLE_H
#define MAILTOKEN_CLI_TABLE_H

#include "wire/buf.h"

#define TABLE_CELLS		3 /* of a row; its note is one more */
#define TABLE_MAX_BYTES		((size_t)1 << 30)
#define TABLE_FIRST_MIN_COLUMNS 20 /* of the first cell before it is cut */

struct table {
	struct buf text; /* append a cell to it, without NUL; table_next() */
	size_t cells;
};

#define TABLE_INIT \
	{ \
		.text = BUF_INIT(TABLE_MAX_BYTES) \
	}

/* table_next - what was appended is a cell, or after TABLE_CELLS the note. */
void table_next(struct table *table);

/*
 * table_print - append all rows.  The first cell gives way when columns do
 * not suffice; notes are broken, indented by 4, and none when empty.  Text is
 * made harmless.
 *
 * FAULT_NOMEM, FAULT_TOO_BIG, then or while the table was made.
 */
enum fault table_print(const struct table *table, size_t columns,
    struct buf *out) MUST_CHECK;

#endif
