/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken export: records as the keyring has them, one behind the other.
 * They hold refresh tokens: never to a terminal.
 * mailtoken rekey: walks over the same accounts.
 */
#include "cli/screen.h"
#include "cli/talk.h"

#define NAMES_MAX_BYTES (64 * 1024 * 1024)

/* What becomes of a record. */
struct deed {
	const char *verb, *done;
	talk_fn *each;
};

static enum outcome do_one(struct command *command, const struct deed *deed,
    const char *account)
{
	struct talk talk;

	talk_begin(&talk, command, deed->verb, account);
	talk.subject = account;
	talk.done = deed->done;
	return talk_run(&talk, deed->each, NULL);
}

/* Of those that are named, or all. */
static enum outcome do_each(struct command *command, const struct deed *deed)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	enum outcome all = OUTCOME_DONE, one = OUTCOME_DONE;
	struct talk talk;
	size_t at;

	if (command->n_words == 0) {
		talk_begin(&talk, command, VERB_EXPORT, NULL);
		one = all = talk_names(&talk, &names);
		if (all == OUTCOME_DONE && names.n == 0)
			screen_say("the keyring has no records");
	}
	for (at = 0; one != OUTCOME_LATER && at < names.n;
	     at += strlen(names.p + at) + 1) {
		one = do_one(command, deed, names.p + at);
		all = outcome_worse(all, one);
	}
	for (at = 0; at < command->n_words; at++)
		all = outcome_worse(all,
		    do_one(command, deed, command->words[at]));
	buf_drop(&names);
	return all;
}

enum outcome rekey_run(struct command *command)
{
	const struct deed seal = { VERB_REKEY, "sealed", NULL };

	return do_each(command, &seal);
}

static enum fault add_record(struct talk *talk)
{
	struct attr_writer writer;

	attr_begin(&writer, &screen_out, WIRE_FIRST_ENTRY);
	attr_put_rest(&writer, &talk->list);
	return attr_end(&writer);
}

enum outcome export_run(struct command *command)
{
	const struct deed export = { VERB_EXPORT, "exported", add_record };

	if (screen.terminal) {
		screen_say("this would show refresh tokens: give standard "
			   "output to a file or, better, to a program that "
			   "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	return do_each(command, &export);
}
