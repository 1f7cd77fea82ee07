/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken status: a table of accounts, in the order of their names.
 */
#include <stdlib.h>

#include "cli/screen.h"
#include "cli/talk.h"

#define CELLS_MAX_BYTES	  ((size_t)1 << 30)
#define CELLS		  3  /* of a row; the note below it is one more */
#define FIRST_MIN_COLUMNS 20 /* of the first cell before it is cut */

struct status {
	struct buf cells; /* each with a NUL */
	size_t n;
};

struct row {
	const char *cells[CELLS + 1];
};

/* When the token lapses, as from now. */
static void add_life(struct buf *out, const struct attrs *list)
{
	int64_t expires_s = 0, left_s;

	(void)!attr_number(attr_get(list, ATTR_EXPIRES), 0, INT64_MAX,
	    &expires_s);
	left_s = expires_s - screen_now_s();
	if (expires_s == 0)
		buf_add_lit(out, "-");
	else
		buf_add_str(out,
		    left_s > 0 ? screen_left(left_s).text : "expired");
}

/* Why the account is not well, and when that may change. */
static void add_note(struct buf *out, const struct attrs *list)
{
	struct span text = attr_get(list, ATTR_TEXT);
	int64_t next_s;

	if (attr_is(list, ATTR_STATE, "empty"))
		return;
	buf_add(out, text);
	if (attr_number(attr_get(list, ATTR_NEXT_TRY), 1, INT64_MAX, &next_s) !=
	    FAULT_NONE)
		return;
	buf_add_str(out, text.n > 0 ? " (next try in " : "(next try in ");
	buf_add_str(out, screen_left(next_s - screen_now_s()).text);
	buf_add_lit(out, ")");
}

static enum fault add_account(struct talk *talk)
{
	static const struct span end = { "", 1 };
	const struct attrs *list = &talk->list;
	struct status *status = talk->ctx;
	struct buf *cells = &status->cells;

	status->n++;
	if (talk->command->json != NULL) {
		screen_add(status->n == 1 ? "[" : ",\n ");
		screen_json(list);
		return FAULT_NONE;
	}
	buf_add(cells, attr_get(list, ATTR_ACCOUNT));
	buf_add(cells, end);
	buf_add(cells, attr_get(list, ATTR_STATE));
	if (attr_is(list, ATTR_UNSAVED, "yes"))
		buf_add_lit(cells, ", unsaved");
	buf_add(cells, end);
	add_life(cells, list);
	buf_add(cells, end);
	add_note(cells, list);
	buf_add(cells, end);
	return FAULT_NONE;
}

static int by_first_cell(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return strcmp(left->cells[0], right->cells[0]);
}

/* As wide as the widest cell; the first one gives way to the terminal. */
static void print_rows(const struct row *rows, size_t n)
{
	size_t wide[CELLS] = { 0 }, rest, r, i, columns;

	for (r = 0; r < n; r++)
		for (i = 0; i < CELLS; i++) {
			columns = screen_width(span_of(rows[r].cells[i]));
			wide[i] = columns > wide[i] ? columns : wide[i];
		}
	rest = 2 + wide[1] + 2 + wide[2];
	columns = screen.columns > rest + FIRST_MIN_COLUMNS ?
	    screen.columns - rest :
	    FIRST_MIN_COLUMNS;
	wide[0] = wide[0] > columns ? columns : wide[0];
	for (r = 0; r < n; r++) {
		screen_cut(span_of(rows[r].cells[0]), wide[0]);
		screen_add("  ");
		screen_cut(span_of(rows[r].cells[1]), wide[1]);
		screen_print("  %s\n", rows[r].cells[2]);
		if (rows[r].cells[CELLS][0] != '\0')
			screen_print("    %s\n", rows[r].cells[CELLS]);
	}
}

static enum fault show_all(struct talk *talk)
{
	struct status *status = talk->ctx;
	const char *at = status->cells.p;
	struct row *rows;
	size_t r, i;

	talk_warn(talk, "warning: ");
	if (talk->command->json != NULL) {
		screen_add(status->n == 0 ? "[]\n" : "]\n");
		return FAULT_NONE;
	}
	rows = calloc(status->n + 1, sizeof(*rows));
	if (rows == NULL || buf_fault(&status->cells) != FAULT_NONE) {
		free(rows);
		return FAULT_NOMEM;
	}
	rows[0] = (struct row){ { "ACCOUNT", "STATE", "EXPIRES IN", "" } };
	for (r = 1; r <= status->n; r++)
		for (i = 0; i <= CELLS; i++) {
			rows[r].cells[i] = at;
			at += strlen(at) + 1;
		}
	if (status->n > 0) {
		qsort(rows + 1, status->n, sizeof(*rows), by_first_cell);
		print_rows(rows, status->n + 1);
	} else {
		screen_say("no account is signed in, or none that this user "
			   "may see: run \"mailtoken login ACCOUNT\"");
	}
	free(rows);
	talk_whose(talk);
	return FAULT_NONE;
}

enum outcome status_run(struct command *command)
{
	struct status status = { .cells = BUF_INIT(CELLS_MAX_BYTES) };
	struct talk talk;
	enum outcome outcome;

	talk_begin(&talk, command, VERB_STATUS, command->words[0]);
	talk.as_it_is = true;
	talk.ctx = &status;
	outcome = talk_run(&talk, add_account, show_all);
	buf_drop(&status.cells);
	return outcome;
}
