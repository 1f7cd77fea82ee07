/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken status: a table of accounts.
 */
#include "cli/verbs.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/table.h"
#include "cli/talk.h"
#include "cli/text.h"

#define OUT_MAX_BYTES  ((size_t)1 << 30)
#define CELL_MAX_BYTES (4 * TEXT_MAX_BYTES)

static const char state_empty[] = "empty";

struct status {
	const struct command *command;
	struct table *table; /* for humans */
	struct buf json;     /* for programs */
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
	left_s = expires_s - print_now_s();
	if (left_s <= 0)
		buf_add_lit(out, "expired");
	else
		text_duration(out, left_s);
}

/* Why the account is not well, and when that may change. */
static void add_note(struct buf *out, const struct attrs *attrs)
{
	struct span text = attr_get(attrs, ATTR_TEXT);
	int64_t next_s, in_s;

	buf_add(out, text);
	if (attr_get_int(attrs, ATTR_NEXT_TRY, 1, INT64_MAX, &next_s) !=
	    FAULT_NONE)
		return;
	in_s = next_s - print_now_s();
	if (text.n > 0)
		buf_add_lit(out, " ");
	buf_add_lit(out, "(next try in ");
	text_duration(out, in_s);
	buf_add_lit(out, ")");
}

static enum fault add_row(struct status *status, const struct attrs *attrs)
{
	struct buf state = BUF_INIT(CELL_MAX_BYTES);
	struct buf life = BUF_INIT(CELL_MAX_BYTES);
	struct buf note = BUF_INIT(WIRE_LIST_MAX_BYTES);
	enum fault fault;

	buf_add(&state, attr_get(attrs, ATTR_STATE));
	if (attr_is(attrs, ATTR_UNSAVED, "yes"))
		buf_add_lit(&state, ", unsaved");
	add_life(&life, attrs);
	if (!attr_is(attrs, ATTR_STATE, state_empty))
		add_note(&note, attrs);
	fault = table_add(status->table,
	    (const struct span[TABLE_CELLS]){ attr_get(attrs, ATTR_ACCOUNT),
		buf_span(&state), buf_span(&life) },
	    buf_span(&note));
	buf_drop(&note);
	buf_drop(&life);
	buf_drop(&state);
	return fault;
}

static enum fault add_account(void *ctx, const struct attrs *list,
    struct why *why)
{
	struct status *status = ctx;
	enum fault fault;

	status->n++;
	if (status->command->json) {
		buf_add_str(&status->json, status->n == 1 ? "[" : ",\n ");
		json_object(&status->json, list);
		fault = buf_fault(&status->json);
	} else {
		fault = add_row(status, list);
	}
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

static enum fault show(void *ctx, const struct attrs *last, struct why *why)
{
	struct status *status = ctx;
	struct buf out = BUF_INIT(OUT_MAX_BYTES);

	(void)last;
	if (status->command->json) {
		buf_add_str(&status->json, status->n == 0 ? "[]\n" : "]\n");
		return print_answer(&status->json, why);
	}
	if (status->n == 0) {
		print_say("no account is signed in, or none that this user "
			  "may see");
		return FAULT_NONE;
	}
	table_print(status->table, print_columns(), &out);
	talk_whose(status->command, &out);
	return print_answer(&out, why);
}

static enum outcome run(struct command *command, const char *account,
    struct status *status)
{
	const struct talk_take take = {
		.each = add_account,
		.last = show,
		.ctx = status,
	};
	struct talk_request request;

	talk_begin(&request, VERB_STATUS);
	talk_put(&request, ATTR_ACCOUNT, account);
	return talk_run(command, &request, &take);
}

enum outcome status_run(struct command *command, int argc, char **argv)
{
	static const struct span titles[TABLE_CELLS] = {
		{ "ACCOUNT", 7 },
		{ "STATE", 5 },
		{ "EXPIRES IN", 10 },
	};
	struct status status = {
		.command = command,
		.json = BUF_INIT(OUT_MAX_BYTES),
	};
	struct command_line line = {
		.argc = argc,
		.argv = argv,
		.words_max = 1,
	};
	const char *account = NULL;
	enum outcome outcome;

	if (command_words(command, &line) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (line.words.n > 0) {
		account = line.words.at[0];
		if (command_account(account) != FAULT_NONE)
			return OUTCOME_USAGE;
	}
	if (table_new(&status.table) != FAULT_NONE ||
	    table_add(status.table, titles, (struct span){ NULL, 0 }) !=
		FAULT_NONE) {
		print_say("%s", fault_text(FAULT_NOMEM));
		outcome = outcome_of(FAULT_NOMEM);
	} else {
		outcome = run(command, account, &status);
	}
	table_free(status.table);
	buf_drop(&status.json);
	return outcome;
}
