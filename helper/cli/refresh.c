/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken refresh: renew one account, or all that are due.
 */
#include "cli/verbs.h"

#include "cli/print.h"
#include "cli/record.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES 65536
#define RECORD_MAX_MS	 600000 /* thousands may stand in the queue */

/* "ACCOUNT: renewed; ..." or "ACCOUNT: why not" */
static enum fault show(const struct command *command, struct span account,
    const struct attrs *attrs, enum fault renewed, struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	const struct text_box box = { .indent = 4,
		.columns = print_on_terminal() ? print_columns() : 0 };
	struct span text = attr_get(attrs, ATTR_TEXT);
	int64_t expires_s;

	if (command->json)
		return record_show(command, attrs, why);
	buf_add(&line, account);
	buf_add_lit(&line, ": ");
	if (renewed != FAULT_NONE && text.n > 0)
		buf_add(&line, text);
	else if (renewed != FAULT_NONE)
		buf_add_str(&line, fault_text(renewed));
	else
		buf_add_lit(&line, "renewed");
	if (renewed == FAULT_NONE &&
	    attr_get_int(attrs, ATTR_EXPIRES, 1, INT64_MAX, &expires_s) ==
		FAULT_NONE) {
		buf_add_lit(&line, "; the token is good for ");
		text_duration(&line, expires_s - print_now_s());
	}
	text_wrap(&out, buf_span(&line), &box);
	buf_drop(&line);
	return print_answer(&out, why);
}

/* The worse of two: no before later before done. */
static enum outcome worse(enum outcome a, enum outcome b)
{
	if (a == OUTCOME_DONE)
		return b;
	if (b == OUTCOME_DONE || a == b)
		return a;
	return OUTCOME_NO;
}

static enum outcome follow(const struct command *command, const char *account,
    struct talk *talk)
{
	enum outcome all = OUTCOME_DONE;
	struct why why = { .err = 0 };
	enum fault fault, renewed;

	for (;;) {
		fault = talk_next(talk, peerio_now_ms() + RECORD_MAX_MS, &why);
		if (fault != FAULT_NONE)
			return talk_failed(command, fault, &why);
		if (talk_ends(talk))
			break;
		renewed = fault_from_word(attr_get(&talk->list, ATTR_OUTCOME));
		all = worse(all, outcome_of(renewed));
		fault = show(command, attr_get(&talk->list, ATTR_ACCOUNT),
		    &talk->list, renewed, &why);
		if (fault != FAULT_NONE)
			return talk_failed(command, fault, &why);
	}
	if (talk_result(talk) != FAULT_NONE)
		return talk_refused(command, talk);
	/* The answer for one account is the list that ends it. */
	if (account != NULL) {
		fault = show(command, span_of(account), &talk->list, FAULT_NONE,
		    &why);
		if (fault != FAULT_NONE)
			return talk_failed(command, fault, &why);
	}
	return all;
}

static enum outcome run(struct command *command, const char *account)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct attr_writer writer;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_REFRESH);
	if (account != NULL)
		attr_put_str(&writer, ATTR_ACCOUNT, account);
	else
		attr_put_str(&writer, ATTR_DUE, "yes");
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_open(&talk, command, buf_span(&request),
		    TALK_START, &why);
	outcome = fault == FAULT_NONE ? follow(command, account, &talk) :
					talk_failed(command, fault, &why);
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}

enum outcome refresh_run(struct command *command, int argc, char **argv)
{
	bool due = false;
	const struct args_option options[] = {
		{ .name = "due", .flag = &due },
	};
	struct command_line line = {
		.argc = argc,
		.argv = argv,
		.options = options,
		.n_options = 1,
		.words_min = 0,
		.words_max = 1,
	};

	if (command_words(command, &line) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (due == (line.words.n == 1)) {
		(void)command_usage(command,
		    "refresh takes an account, or --due for all");
		return OUTCOME_USAGE;
	}
	if (due)
		return run(command, NULL);
	if (command_account(line.words.at[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	return run(command, line.words.at[0]);
}
