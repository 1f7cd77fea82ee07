/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * table - rows with a note below, as wide as the widest cell, no wider than
 * the terminal
 */
#ifndef MAILTOKEN_CLI_TABLE_H
#define MAILTOKEN_CLI_TABLE_H

#include "wire/buf.h"

#define TABLE_CELLS		3
#define TABLE_ROWS_MAX		1000000
#define TABLE_FIRST_MIN_COLUMNS 20 /* of the first cell before it is cut */

struct table;

enum fault table_new(struct table **table_out) MUST_CHECK;
void table_free(struct table *table);

/*
 * table_add - one more row; cells and note are copied.  An empty note takes
 * no line.  FAULT_NOMEM, FAULT_TOO_BIG.
 */
enum fault table_add(struct table *table, const struct span *cells,
    struct span note) MUST_CHECK;

/*
 * table_print - append all rows.  The first cell gives way when columns do
 * not suffice; notes are broken, indented by 4.  Text is made harmless.
 */
void table_print(const struct table *table, size_t columns, struct buf *out);

#endif
