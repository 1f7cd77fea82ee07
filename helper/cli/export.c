/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken export: records as the keyring has them, one behind the other,
 * for import.  They hold refresh tokens: never to a terminal.
 * mailtoken rekey: walks over the same accounts.
 */
#include "cli/screen.h"
#include "cli/talk.h"
#include "wire/base64.h"

#define NAMES_MAX_BYTES (64 * 1024 * 1024)

static enum fault take_data(void *ctx, const struct attrs *list,
    struct buf *out, struct why *why)
{
	enum fault fault = base64_get(list, ATTR_DATA, ctx);

	(void)out;
	if (fault != FAULT_NONE)
		why_set(why, 0, "the helper's answer has no record");
	return fault;
}

/* Not before all of it has come. */
static enum fault write_out(void *ctx, const struct attrs *last,
    struct buf *out, struct why *why)
{
	(void)last;
	(void)out;
	return screen_answer(ctx, why);
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

static enum outcome rekey_one(struct command *command, const char *account)
{
	const struct talk_take take = { .subject = account, .done = "sealed" };
	struct talk_request request;

	talk_begin(&request, VERB_REKEY);
	talk_put(&request, ATTR_ACCOUNT, account);
	return talk_run(command, &request, &take);
}

typedef enum outcome one_fn(struct command *command, const char *account);

static enum outcome with_all(struct command *command, one_fn *act)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	struct talk_request request;
	enum outcome all, one;
	size_t at;

	talk_begin(&request, VERB_EXPORT);
	one = all = talk_names(command, &request, &names);
	if (all == OUTCOME_DONE && names.n == 0)
		screen_say("the keyring has no records");
	for (at = 0; one != OUTCOME_LATER && at < names.n;
	     at += strlen(names.p + at) + 1) {
		one = act(command, names.p + at);
		all = outcome_worse(all, one);
	}
	buf_drop(&names);
	return all;
}

/* Of those that are named, or all. */
static enum outcome with_each(struct command *command, one_fn *act)
{
	enum outcome all = OUTCOME_DONE;
	size_t i;

	for (i = 0; i < command->n_words; i++)
		if (command_account(command->words[i]) != FAULT_NONE)
			return OUTCOME_USAGE;
	if (command->n_words == 0)
		return with_all(command, act);
	for (i = 0; i < command->n_words; i++)
		all = outcome_worse(all, act(command, command->words[i]));
	return all;
}

enum outcome rekey_run(struct command *command)
{
	return with_each(command, rekey_one);
}

enum outcome export_run(struct command *command)
{
	if (screen_is_terminal()) {
		screen_say("this would show refresh tokens: give standard "
			   "output to a file or, better, to a program that "
			   "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	return with_each(command, write_one);
}
