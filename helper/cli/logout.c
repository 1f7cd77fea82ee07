/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken logout: forget an account, or all of them.
 */
#include "cli/verbs.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"

#define ANSWER_MAX_BYTES   65536
#define ACCOUNTS_MAX_BYTES (64 * 1024 * 1024)

struct logout {
	struct command *command;
	const char *account; /* the one that is being forgotten */
	bool revoked;	     /* it was, by the provider */
	bool all, yes, no_revoke, keep_local;
};

static enum fault show(void *ctx, const struct attrs *list, struct why *why)
{
	struct logout *logout = ctx;
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);

	logout->revoked = attr_is(list, ATTR_REVOKED, "yes");
	if (logout->command->json)
		return json_show(list, why);
	buf_add_str(&line, logout->account);
	if (!attr_is(list, ATTR_DELETED, "no"))
		buf_add_lit(&line,
		    " is signed out: what was kept for it is deleted.");
	else if (logout->keep_local)
		buf_add_lit(&line, " is kept here.");
	else
		buf_add_lit(&line, " had nothing to delete.");
	print_sentence(&out, &line, 0);
	if (logout->revoked) {
		buf_add_lit(&line, "The provider has ended the grant.");
		print_sentence(&out, &line, 0);
	}
	if (attr_has(list, ATTR_TEXT)) {
		buf_add(&line, attr_get(list, ATTR_TEXT));
		print_sentence(&out, &line, 0);
	}
	if (!logout->all)
		talk_whose(logout->command, &out);
	return print_answer(&out, why);
}

static enum outcome forget(struct logout *logout, const char *account)
{
	const struct talk_take take = { .last = show, .ctx = logout };
	struct talk_request request;
	enum outcome outcome;

	logout->account = account;
	talk_begin(&request, VERB_FORGET);
	talk_put(&request, ATTR_ACCOUNT, account);
	talk_put(&request, ATTR_REVOKE, logout->no_revoke ? "no" : NULL);
	talk_put(&request, ATTR_KEEP_LOCAL, logout->keep_local ? "yes" : NULL);
	outcome = talk_run(logout->command, &request, &take);
	/* With nothing deleted, only the provider's word counts. */
	if (outcome == OUTCOME_DONE && logout->keep_local && !logout->revoked)
		return OUTCOME_NO;
	return outcome;
}

static bool agrees(size_t n)
{
	char question[64];

	(void)snprintf(question, sizeof(question),
	    n == 1 ? "Sign out %zu account?" :
		     "Sign out %zu accounts, all there are?",
	    n);
	return print_confirm(span_of(question));
}

static enum outcome forget_each(struct logout *logout, struct buf *names)
{
	enum outcome worst = OUTCOME_DONE;
	size_t i, n = 0;

	for (i = 0; i < names->n; i++) {
		if (names->p[i] != '\n')
			continue;
		names->p[i] = '\0';
		n++;
	}
	if (n == 0)
		print_say("no account is signed in, or none that this user "
			  "may see");
	if (n > 0 && !logout->yes && !agrees(n)) {
		print_say("nothing was signed out");
		return OUTCOME_NO;
	}
	for (i = 0; i < names->n; i += strlen(names->p + i) + 1)
		worst = outcome_worse(worst, forget(logout, names->p + i));
	return worst;
}

static enum outcome forget_all(struct logout *logout)
{
	struct buf names = BUF_INIT(ACCOUNTS_MAX_BYTES);
	struct talk_request request;
	enum outcome outcome;

	talk_begin(&request, VERB_STATUS);
	outcome = talk_names(logout->command, &request, &names);
	if (outcome == OUTCOME_DONE)
		outcome = forget_each(logout, &names);
	buf_drop(&names);
	return outcome;
}

static bool check(const struct logout *logout)
{
	const char *wrong = NULL;

	if (logout->all == (logout->command->words.n > 0))
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
		return command_account(logout->command->words.at[0]) ==
		    FAULT_NONE;
	if (logout->yes || (isatty(STDIN_FILENO) == 1 && print_on_terminal()))
		return true;
	(void)command_usage(logout->command,
	    "--all asks on a terminal; elsewhere it needs --yes");
	return false;
}

enum outcome logout_run(struct command *command)
{
	struct logout logout = { .command = command };
	const struct args_option options[] = {
		{ .name = "all", .flag = &logout.all },
		{ .name = "yes", .flag = &logout.yes },
		{ .name = "no-revoke", .flag = &logout.no_revoke },
		{ .name = "keep-local", .flag = &logout.keep_local },
	};

	if (command_words(command, ARGS_TABLE(options), 0, 1) != FAULT_NONE ||
	    !check(&logout))
		return OUTCOME_USAGE;
	return logout.all ? forget_all(&logout) :
			    forget(&logout, command->words.at[0]);
}
