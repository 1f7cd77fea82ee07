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

static enum fault ask(struct command *command, struct talk *talk,
    struct span account, struct why *why)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;

	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_EXPORT);
	if (account.n > 0)
		attr_put(&writer, ATTR_ACCOUNT, account);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_open(talk, command, buf_span(&request), TALK_START,
		    why);
	buf_drop(&request);
	return fault;
}

/* All lists but the last, which has a result. */
static enum fault next(struct talk *talk, struct why *why)
{
	return talk_next(talk, peerio_now_ms() + STEP_MAX_MS, why);
}

static enum outcome write_one(struct command *command, struct span account)
{
	struct buf record = BUF_INIT(ENTRY_MAX_BYTES);
	struct talk talk = TALK_INIT;
	enum outcome outcome = OUTCOME_DONE;
	struct why why = { .err = 0 };
	enum fault fault;

	fault = ask(command, &talk, account, &why);
	while (fault == FAULT_NONE) {
		fault = next(&talk, &why);
		if (fault != FAULT_NONE || talk_ends(&talk))
			break;
		fault = base64_get(&talk.list, ATTR_DATA, &record);
		if (fault != FAULT_NONE)
			why_set(&why, 0, "the helper's answer has no record");
	}
	if (fault == FAULT_NONE && talk_result(&talk) != FAULT_NONE) {
		print_say("%.*s is not exported:", (int)account.n, account.p);
		outcome = talk_refused(command, &talk);
	} else if (fault == FAULT_NONE) {
		fault = print_answer(&record, &why);
	}
	if (fault != FAULT_NONE)
		outcome = talk_failed(command, fault, &why);
	talk_close(&talk);
	buf_drop(&record);
	return outcome;
}

static enum fault list_names(struct command *command, struct buf *names,
    enum outcome *outcome, struct why *why)
{
	struct talk talk = TALK_INIT;
	struct span nobody = { NULL, 0 };
	enum fault fault;

	fault = ask(command, &talk, nobody, why);
	while (fault == FAULT_NONE) {
		fault = next(&talk, why);
		if (fault != FAULT_NONE || talk_ends(&talk))
			break;
		buf_add(names, attr_get(&talk.list, ATTR_ACCOUNT));
		buf_add_lit(names, "\n");
		fault = buf_fault(names);
	}
	if (fault == FAULT_NONE && talk_result(&talk) != FAULT_NONE)
		*outcome = talk_refused(command, &talk);
	talk_close(&talk);
	return fault;
}

static enum outcome write_all(struct command *command)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	enum outcome all = OUTCOME_DONE, one;
	struct why why = { .err = 0 };
	struct span left;
	enum fault fault;
	size_t n;

	fault = list_names(command, &names, &all, &why);
	if (fault != FAULT_NONE)
		all = talk_failed(command, fault, &why);
	left = buf_span(&names);
	while (all != OUTCOME_LATER && left.n > 0) {
		n = (size_t)((const char *)memchr(left.p, '\n', left.n) -
		    left.p);
		one = write_one(command, (struct span){ left.p, n });
		if (one != OUTCOME_DONE)
			all = one;
		left.p += n + 1;
		left.n -= n + 1;
	}
	buf_drop(&names);
	return all;
}

enum outcome export_run(struct command *command, int argc, char **argv)
{
	struct command_line line = {
		.argc = argc,
		.argv = argv,
		.words_max = ARGS_LIST_MAX,
	};
	enum outcome all = OUTCOME_DONE, one;
	size_t i;

	if (command_words(command, &line) != FAULT_NONE)
		return OUTCOME_USAGE;
	for (i = 0; i < line.words.n; i++)
		if (command_account(line.words.at[i]) != FAULT_NONE)
			return OUTCOME_USAGE;
	if (print_on_terminal()) {
		print_say("this would show refresh tokens: give standard "
			  "output to a file or, better, to a program that "
			  "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	if (line.words.n == 0)
		return write_all(command);
	for (i = 0; i < line.words.n; i++) {
		one = write_one(command, span_of(line.words.at[i]));
		if (one != OUTCOME_DONE)
			all = one;
	}
	return all;
}
