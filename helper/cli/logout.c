/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken logout: forget an account.
 */
#include "cli/verbs.h"

#include "cli/print.h"
#include "cli/record.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES 65536

static void add_line(struct buf *out, struct buf *line)
{
	const struct text_box box = { .columns =
	    print_on_terminal() ? print_columns() : 0 };

	text_wrap(out, buf_span(line), &box);
	buf_drop(line);
}

static enum fault show(const struct command *command, const char *account,
    const struct attrs *attrs, struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	struct span text = attr_get(attrs, ATTR_TEXT);

	if (command->json)
		return record_show(command, attrs, why);
	buf_add_str(&line, account);
	if (attr_is(attrs, ATTR_DELETED, "no"))
		buf_add_lit(&line, " had nothing to delete.");
	else
		buf_add_lit(&line, " is signed out: what was kept for it is "
		    "deleted.");
	add_line(&out, &line);
	if (attr_is(attrs, ATTR_REVOKED, "yes")) {
		buf_add_lit(&line, "The provider has ended the grant.");
		add_line(&out, &line);
	}
	if (text.n > 0) {
		buf_add(&line, text);
		add_line(&out, &line);
	}
	talk_whose(command, &out);
	return print_answer(&out, why);
}

enum outcome logout_run(struct command *command, int argc, char **argv)
{
	bool no_revoke = false;
	const struct args_option options[] = {
		{ .name = "no-revoke", .flag = &no_revoke },
	};
	struct command_line line = {
		.argc = argc, .argv = argv, .options = options,
		.n_options = 1, .words_min = 1, .words_max = 1,
	};
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct attr_writer writer;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	if (command_words(command, &line) != FAULT_NONE ||
	    command_account(line.words.at[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_FORGET);
	attr_put_str(&writer, ATTR_ACCOUNT, line.words.at[0]);
	if (no_revoke)
		attr_put_str(&writer, ATTR_REVOKE, "no");
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_ask(&talk, command, buf_span(&request),
		    TALK_START, &why);
	if (fault == FAULT_NONE && talk_result(&talk) != FAULT_NONE) {
		outcome = talk_refused(command, &talk);
		goto out;
	}
	if (fault == FAULT_NONE)
		fault = show(command, line.words.at[0], &talk.list, &why);
	outcome = fault == FAULT_NONE ? OUTCOME_DONE :
	    talk_failed(command, fault, &why);
out:
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}
