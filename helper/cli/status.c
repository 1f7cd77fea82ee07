/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken status: a table of accounts, in the order of their names.
 */
#include <stdlib.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"

#define OUT_MAX_BYTES	  ((size_t)1 << 30)
#define CELLS		  3  /* of a row; the note below it is one more */
#define FIRST_MIN_COLUMNS 20 /* of the first cell before it is cut */

struct status {
	const struct command *command;
	struct buf cells; /* for humans: each with a NUL */
	struct buf json;  /* for programs */
	size_t n;
};

/* When the token lapses, as from now. */
static void add_life(struct buf *out, const struct attrs *attrs)
{
	int64_t expires_s, left_s;

	if (attr_get_int(attrs, ATTR_EXPIRES, 0, INT64_MAX, &expires_s) !=
		FAULT_NONE ||
	    expires_s == 0) {
		buf_add_lit(out, "-");
		return;
	}
	left_s = expires_s - screen_now_s();
	if (left_s <= 0)
		buf_add_lit(out, "expired");
	else
		screen_duration(out, left_s);
}

/* Why the account is not well, and when that may change. */
static void add_note(struct buf *out, const struct attrs *attrs)
{
	struct span text = attr_get(attrs, ATTR_TEXT);
	int64_t next_s;

	if (attr_is(attrs, ATTR_STATE, "empty"))
		return;
	buf_add(out, text);
	if (attr_get_int(attrs, ATTR_NEXT_TRY, 1, INT64_MAX, &next_s) !=
	    FAULT_NONE)
		return;
	buf_add_str(out, text.n > 0 ? " (next try in " : "(next try in ");
	screen_duration(out, next_s - screen_now_s());
	buf_add_lit(out, ")");
}

static void end_cell(struct buf *cells)
{
	buf_add(cells, (struct span){ "", 1 });
}

static enum fault add_account(void *ctx, const struct attrs *list,
    struct buf *out, struct why *why)
{
	struct status *status = ctx;
	struct buf *kept = status->command->json ? &status->json :
						   &status->cells;

	(void)out;
	status->n++;
	if (status->command->json) {
		buf_add_str(kept, status->n == 1 ? "[" : ",\n ");
		json_object(kept, list);
	} else {
		buf_add(kept, attr_get(list, ATTR_ACCOUNT));
		end_cell(kept);
		buf_add(kept, attr_get(list, ATTR_STATE));
		if (attr_is(list, ATTR_UNSAVED, "yes"))
			buf_add_lit(kept, ", unsaved");
		end_cell(kept);
		add_life(kept, list);
		end_cell(kept);
		add_note(kept, list);
		end_cell(kept);
	}
	if (buf_fault(kept) != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(buf_fault(kept)));
	return buf_fault(kept);
}

struct row {
	const char *cells[CELLS + 1];
};

static int by_first_cell(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return strcmp(left->cells[0], right->cells[0]);
}

static void print_row(const struct row *row, const size_t *wide,
    struct buf *out)
{
	size_t i;

	for (i = 0; i + 1 < CELLS; i++) {
		screen_cut(out, span_of(row->cells[i]), wide[i]);
		buf_add_lit(out, "  ");
	}
	screen_line(out, "%s", row->cells[i]);
	if (row->cells[CELLS][0] != '\0')
		screen_line(out, "    %s", row->cells[CELLS]);
}

/* As wide as the widest cell; the first one gives way to the terminal. */
static enum fault print_table(const struct status *status, struct buf *out)
{
	size_t wide[CELLS] = { 0 }, all = 2 * (CELLS - 1), r, i, columns;
	const char *at = status->cells.p;
	struct row *rows = calloc(status->n + 1, sizeof(*rows));

	if (rows == NULL)
		return FAULT_NOMEM;
	rows[0] = (struct row){ { "ACCOUNT", "STATE", "EXPIRES IN", "" } };
	for (r = 1; r <= status->n; r++)
		for (i = 0; i <= CELLS; i++) {
			rows[r].cells[i] = at;
			at += strlen(at) + 1;
		}
	qsort(rows + 1, status->n, sizeof(*rows), by_first_cell);
	for (r = 0; r <= status->n; r++)
		for (i = 0; i < CELLS; i++) {
			columns = screen_width(span_of(rows[r].cells[i]));
			wide[i] = columns > wide[i] ? columns : wide[i];
		}
	for (i = 1; i < CELLS; i++)
		all += wide[i];
	columns = screen_columns();
	if (all + wide[0] > columns)
		wide[0] = columns > all + FIRST_MIN_COLUMNS ? columns - all :
							      FIRST_MIN_COLUMNS;
	for (r = 0; r <= status->n; r++)
		print_row(&rows[r], wide, out);
	free(rows);
	return buf_fault(out);
}

static enum fault show(void *ctx, const struct attrs *last, struct buf *unused,
    struct why *why)
{
	struct status *status = ctx;
	struct buf out = BUF_INIT(OUT_MAX_BYTES);
	enum fault fault;
	size_t i;

	(void)unused;
	for (i = 0; i < last->n; i++)
		if (span_is(last->at[i].name, ATTR_WARNING))
			screen_say("warning: %.*s", SPAN(last->at[i].value));
	if (status->command->json) {
		buf_add_str(&status->json, status->n == 0 ? "[]\n" : "]\n");
		return screen_answer(&status->json, why);
	}
	if (status->n == 0) {
		screen_say("no account is signed in, or none that this user "
			   "may see: run \"mailtoken login ACCOUNT\"");
		return FAULT_NONE;
	}
	fault = print_table(status, &out);
	if (fault != FAULT_NONE) {
		why_set(why, 0, "%s", fault_text(fault));
		buf_drop(&out);
		return fault;
	}
	talk_whose(status->command, &out);
	return screen_answer(&out, why);
}

enum outcome status_run(struct command *command)
{
	struct status status = {
		.command = command,
		.cells = BUF_INIT(OUT_MAX_BYTES),
		.json = BUF_INIT(OUT_MAX_BYTES),
	};
	const struct talk_take take = {
		.each = add_account,
		.last = show,
		.ctx = &status,
	};
	struct talk_request request;
	enum outcome outcome;

	if (command->n_words > 0 &&
	    command_account(command->words[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	talk_begin(&request, VERB_STATUS);
	request.as_it_is = true;
	if (command->n_words > 0)
		talk_put(&request, ATTR_ACCOUNT, command->words[0]);
	outcome = talk_run(command, &request, &take);
	buf_drop(&status.cells);
	buf_drop(&status.json);
	return outcome;
}
