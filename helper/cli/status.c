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

#define OUT_MAX_BYTES ((size_t)1 << 30)

static const char state_empty[] = "empty";

struct status {
	const struct command *command;
	struct table table; /* for humans */
	struct buf json;    /* for programs */
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

static void add_row(struct table *table, const struct attrs *attrs)
{
	buf_add(&table->text, attr_get(attrs, ATTR_ACCOUNT));
	table_next(table);
	buf_add(&table->text, attr_get(attrs, ATTR_STATE));
	if (attr_is(attrs, ATTR_UNSAVED, "yes"))
		buf_add_lit(&table->text, ", unsaved");
	table_next(table);
	add_life(&table->text, attrs);
	table_next(table);
	if (!attr_is(attrs, ATTR_STATE, state_empty))
		add_note(&table->text, attrs);
	table_next(table);
}

static void add_titles(struct table *table)
{
	static const char *const titles[] = {
		"ACCOUNT",
		"STATE",
		"EXPIRES IN",
		"",
	};
	size_t i;

	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		buf_add_str(&table->text, titles[i]);
		table_next(table);
	}
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
		add_row(&status->table, list);
		fault = buf_fault(&status->table.text);
	}
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

static void say_warnings(const struct attrs *last)
{
	size_t i;

	for (i = 0; i < last->n; i++)
		if (span_is(last->at[i].name, ATTR_WARNING))
			print_say("warning: %.*s", (int)last->at[i].value.n,
			    last->at[i].value.p);
}

static enum fault show(void *ctx, const struct attrs *last, struct why *why)
{
	struct status *status = ctx;
	struct buf out = BUF_INIT(OUT_MAX_BYTES);
	enum fault fault;

	say_warnings(last);
	if (status->command->json) {
		buf_add_str(&status->json, status->n == 0 ? "[]\n" : "]\n");
		return print_answer(&status->json, why);
	}
	if (status->n == 0) {
		print_say("no account is signed in, or none that this user "
			  "may see: run \"mailtoken login ACCOUNT\"");
		return FAULT_NONE;
	}
	fault = table_print(&status->table, print_columns(), &out);
	if (fault != FAULT_NONE) {
		why_set(why, 0, "%s", fault_text(fault));
		buf_drop(&out);
		return fault;
	}
	talk_whose(status->command, &out);
	return print_answer(&out, why);
}

enum outcome status_run(struct command *command)
{
	struct status status = {
		.command = command,
		.table = TABLE_INIT,
		.json = BUF_INIT(OUT_MAX_BYTES),
	};
	const struct talk_take take = {
		.each = add_account,
		.last = show,
		.ctx = &status,
	};
	struct talk_request request;
	enum outcome outcome;

	if (command_words(command, ARGS_NONE, 0, 1) != FAULT_NONE ||
	    (command->words.n > 0 &&
		command_account(command->words.at[0]) != FAULT_NONE))
		return OUTCOME_USAGE;
	add_titles(&status.table);
	talk_begin(&request, VERB_STATUS);
	request.as_it_is = true;
	if (command->words.n > 0)
		talk_put(&request, ATTR_ACCOUNT, command->words.at[0]);
	outcome = talk_run(command, &request, &take);
	buf_drop(&status.table.text);
	buf_drop(&status.json);
	return outcome;
}
