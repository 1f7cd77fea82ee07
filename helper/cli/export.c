/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken export: records as the keyring has them, one behind the other,
 * for import.  They hold refresh tokens: never to a terminal.
 */
#include "cli/verbs.h"

#include "cli/print.h"
#include "cli/talk.h"
#include "wire/base64.h"

#define NAMES_MAX_BYTES (64 * 1024 * 1024)

static enum fault take_data(void *ctx, const struct attrs *list,
    struct why *why)
{
	struct buf *record = ctx;
	enum fault fault = base64_get(list, ATTR_DATA, record);

	if (fault != FAULT_NONE)
		why_set(why, 0, "the helper's answer has no record");
	return fault;
}

/* Not before all of it has come. */
static enum fault write_out(void *ctx, const struct attrs *last,
    struct why *why)
{
	(void)last;
	return print_answer(ctx, why);
}

static enum outcome write_one(struct command *command, const char *account)
{
	struct buf record = BUF_INIT(ENTRY_MAX_BYTES);
	const struct talk_take take = {
		.each = take_data,
		.last = write_out,
		.ctx = &record,
		.subject = account,
		.done = "exported",
	};
	struct talk_request request;
	enum outcome outcome;

	talk_begin(&request, VERB_EXPORT);
	talk_put(&request, ATTR_ACCOUNT, account);
	outcome = talk_run(command, &request, &take);
	buf_drop(&record);
	return outcome;
}

static enum outcome write_all(struct command *command)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	struct talk_request request;
	enum outcome all, one;
	size_t at = 0;
	char *end;

	talk_begin(&request, VERB_EXPORT);
	all = talk_names(command, &request, &names);
	one = all;
	while (one != OUTCOME_LATER && at < names.n) {
		end = memchr(names.p + at, '\n', names.n - at);
		*end = '\0';
		one = write_one(command, names.p + at);
		all = outcome_worse(all, one);
		at = (size_t)(end + 1 - names.p);
	}
	buf_drop(&names);
	return all;
}

enum outcome export_run(struct command *command)
{
	enum outcome all = OUTCOME_DONE;
	size_t i;

	if (command_words(command, ARGS_NONE, 0, SIZE_MAX) != FAULT_NONE)
		return OUTCOME_USAGE;
	for (i = 0; i < command->words.n; i++)
		if (command_account(command->words.at[i]) != FAULT_NONE)
			return OUTCOME_USAGE;
	if (print_on_terminal()) {
		print_say("this would show refresh tokens: give standard "
			  "output to a file or, better, to a program that "
			  "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	if (command->words.n == 0)
		return write_all(command);
	for (i = 0; i < command->words.n; i++)
		all = outcome_worse(all,
		    write_one(command, command->words.at[i]));
	return all;
}
