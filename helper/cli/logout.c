/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken logout: forget an account, or all of them.
 */
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/record.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES   65536
#define ACCOUNTS_MAX_BYTES (64 * 1024 * 1024)
#define REPLY_MAX_BYTES	   64

struct logout {
	struct command *command;
	bool all, yes, no_revoke, keep_local;
};

static void add_line(struct buf *out, struct buf *line)
{
	const struct text_box box = {
		.columns = print_on_terminal() ? print_columns() : 0
	};

	text_wrap(out, buf_span(line), &box);
	buf_drop(line);
}

static void add_deleted(const struct logout *logout, const struct attrs *attrs,
    struct buf *line)
{
	if (!attr_is(attrs, ATTR_DELETED, "no"))
		buf_add_lit(line,
		    " is signed out: what was kept for it is deleted.");
	else if (logout->keep_local)
		buf_add_lit(line, " is kept here.");
	else
		buf_add_lit(line, " had nothing to delete.");
}

static enum fault show(const struct logout *logout, const char *account,
    const struct attrs *attrs, struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	struct span text = attr_get(attrs, ATTR_TEXT);

	if (logout->command->json)
		return record_show(logout->command, attrs, why);
	buf_add_str(&line, account);
	add_deleted(logout, attrs, &line);
	add_line(&out, &line);
	if (attr_is(attrs, ATTR_REVOKED, "yes")) {
		buf_add_lit(&line, "The provider has ended the grant.");
		add_line(&out, &line);
	}
	if (text.n > 0) {
		buf_add(&line, text);
		add_line(&out, &line);
	}
	if (!logout->all)
		talk_whose(logout->command, &out);
	return print_answer(&out, why);
}

static enum fault ask(const struct logout *logout, const char *account,
    struct talk *talk, struct why *why)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;

	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_FORGET);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	if (logout->no_revoke)
		attr_put_str(&writer, ATTR_REVOKE, "no");
	if (logout->keep_local)
		attr_put_str(&writer, ATTR_KEEP_LOCAL, "yes");
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_ask(talk, logout->command, buf_span(&request),
		    TALK_START, why);
	buf_drop(&request);
	return fault;
}

static enum outcome forget(const struct logout *logout, const char *account)
{
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	fault = ask(logout, account, &talk, &why);
	if (fault == FAULT_NONE && talk_result(&talk) != FAULT_NONE) {
		outcome = talk_refused(logout->command, &talk);
		goto out;
	}
	if (fault == FAULT_NONE)
		fault = show(logout, account, &talk.list, &why);
	outcome = fault == FAULT_NONE ?
	    OUTCOME_DONE :
	    talk_failed(logout->command, fault, &why);
	/* With nothing deleted, only the provider's word counts. */
	if (fault == FAULT_NONE && logout->keep_local &&
	    !attr_is(&talk.list, ATTR_REVOKED, "yes"))
		outcome = OUTCOME_NO;
out:
	talk_close(&talk);
	return outcome;
}

/* The names of all accounts, each with a NUL behind it. */
static enum fault collect(struct talk *talk, struct buf *names, struct why *why)
{
	enum fault fault;

	for (;;) {
		fault = talk_next(talk, peerio_now_ms() + STEP_MAX_MS, why);
		if (fault != FAULT_NONE || talk_ends(talk))
			return fault;
		buf_add(names, attr_get(&talk->list, ATTR_ACCOUNT));
		buf_add(names, (struct span){ "", 1 });
		fault = buf_fault(names);
		if (fault != FAULT_NONE) {
			why_set(why, 0, "%s", fault_text(fault));
			return fault;
		}
	}
}

static enum outcome list_all(struct logout *logout, struct buf *names)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct attr_writer writer;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_STATUS);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_open(&talk, logout->command, buf_span(&request),
		    TALK_START, &why);
	if (fault == FAULT_NONE)
		fault = collect(&talk, names, &why);
	if (fault != FAULT_NONE)
		outcome = talk_failed(logout->command, fault, &why);
	else if (talk_result(&talk) != FAULT_NONE)
		outcome = talk_refused(logout->command, &talk);
	else
		outcome = OUTCOME_DONE;
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}

static bool agrees(size_t n)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	char reply[REPLY_MAX_BYTES];
	struct why why;

	buf_add_lit(&out, "Sign out ");
	buf_add_int(&out, (int64_t)n);
	buf_add_str(&out,
	    n == 1 ? " account? [y/N] " : " accounts, all there are? [y/N] ");
	if (print_answer(&out, &why) != FAULT_NONE ||
	    fgets(reply, sizeof(reply), stdin) == NULL)
		return false;
	return reply[0] == 'y' || reply[0] == 'Y';
}

static enum outcome forget_all(struct logout *logout)
{
	struct buf names = BUF_INIT(ACCOUNTS_MAX_BYTES);
	enum outcome outcome, one;
	size_t i, n = 0;

	outcome = list_all(logout, &names);
	if (outcome != OUTCOME_DONE)
		goto out;
	for (i = 0; i < names.n; i++)
		n += names.p[i] == '\0' ? 1 : 0;
	if (n == 0)
		print_say("no account is signed in, or none that this user "
			  "may see");
	if (n > 0 && !logout->yes && !agrees(n)) {
		print_say("nothing was signed out");
		outcome = OUTCOME_NO;
		goto out;
	}
	for (i = 0; i < names.n; i += strlen(names.p + i) + 1) {
		one = forget(logout, names.p + i);
		if (one > outcome)
			outcome = one;
	}
out:
	buf_drop(&names);
	return outcome;
}

static bool check(const struct logout *logout, const struct command_line *line)
{
	const char *wrong = NULL;

	if (logout->all == (line->words.n > 0))
		wrong = "either an account or --all is needed";
	else if (logout->yes && !logout->all)
		wrong = "--yes is for --all";
	else if (logout->no_revoke && logout->keep_local)
		wrong = "--no-revoke and --keep-local leave nothing to do";
	if (wrong != NULL) {
		(void)command_usage(logout->command, wrong);
		return false;
	}
	if (!logout->all)
		return command_account(line->words.at[0]) == FAULT_NONE;
	if (logout->yes || (isatty(STDIN_FILENO) == 1 && print_on_terminal()))
		return true;
	(void)command_usage(logout->command,
	    "--all asks on a terminal; elsewhere it needs --yes");
	return false;
}

enum outcome logout_run(struct command *command, int argc, char **argv)
{
	struct logout logout = { .command = command };
	const struct args_option options[] = {
		{ .name = "all", .flag = &logout.all },
		{ .name = "yes", .flag = &logout.yes },
		{ .name = "no-revoke", .flag = &logout.no_revoke },
		{ .name = "keep-local", .flag = &logout.keep_local },
	};
	struct command_line line = {
		.argc = argc,
		.argv = argv,
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.words_min = 0,
		.words_max = 1,
	};

	if (command_words(command, &line) != FAULT_NONE ||
	    !check(&logout, &line))
		return OUTCOME_USAGE;
	return logout.all ? forget_all(&logout) :
			    forget(&logout, line.words.at[0]);
}
