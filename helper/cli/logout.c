/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken logout: forget an account, or all of them.
 */
#include <stdio.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"

#define ACCOUNTS_MAX_BYTES (64 * 1024 * 1024)

struct logout {
	struct command *command;
	const char *account; /* the one that is being forgotten */
	bool revoked;	     /* it was, by the provider */
};

static enum fault show(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why)
{
	struct logout *logout = ctx;
	const struct command *command = logout->command;
	const char *done = " is signed out: what was kept for it is deleted.";

	(void)why;
	logout->revoked = attr_is(list, ATTR_REVOKED, "yes");
	if (command->json) {
		json_line(out, list);
		return FAULT_NONE;
	}
	if (attr_is(list, ATTR_DELETED, "no"))
		done = command->keep_local ? " is kept here." :
					     " had nothing to delete.";
	screen_line(out, "%s%s", logout->account, done);
	if (logout->revoked)
		screen_line(out, "The provider has ended the grant.");
	if (attr_has(list, ATTR_TEXT))
		screen_line(out, "%.*s", SPAN(attr_get(list, ATTR_TEXT)));
	if (!command->all)
		talk_whose(command, out);
	return FAULT_NONE;
}

static enum outcome forget(struct command *command, const char *account)
{
	struct logout logout = { .command = command, .account = account };
	const struct talk_take take = { .last = show, .ctx = &logout };
	struct talk_request request;
	enum outcome outcome;

	talk_begin(&request, VERB_FORGET);
	talk_put(&request, ATTR_ACCOUNT, account);
	talk_put(&request, ATTR_REVOKE, command->no_revoke ? "no" : NULL);
	talk_put_flag(&request, ATTR_KEEP_LOCAL, command->keep_local);
	outcome = talk_run(command, &request, &take);
	/* With nothing deleted, only the provider's word counts. */
	if (outcome == OUTCOME_DONE && command->keep_local && !logout.revoked)
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
	return screen_confirm(span_of(question));
}

static enum outcome forget_each(struct command *command, struct span names)
{
	enum outcome worst = OUTCOME_DONE;
	size_t i, n = 0;

	for (i = 0; i < names.n; i++)
		n += names.p[i] == '\0';
	if (n == 0)
		screen_say("no account is signed in, or none that this user "
			   "may see");
	if (n > 0 && !command->yes && !agrees(n)) {
		screen_say("nothing was signed out");
		return OUTCOME_NO;
	}
	for (i = 0; i < names.n; i += strlen(names.p + i) + 1)
		worst = outcome_worse(worst, forget(command, names.p + i));
	return worst;
}

static enum outcome forget_all(struct command *command)
{
	struct buf names = BUF_INIT(ACCOUNTS_MAX_BYTES);
	struct talk_request request;
	enum outcome outcome;

	talk_begin(&request, VERB_STATUS);
	outcome = talk_names(command, &request, &names);
	if (outcome == OUTCOME_DONE)
		outcome = forget_each(command, buf_span(&names));
	buf_drop(&names);
	return outcome;
}

enum outcome logout_run(struct command *command)
{
	if (command->all == (command->n_words > 0))
		return command_usage(command,
		    "either an account or --all is needed");
	if (command->yes && !command->all)
		return command_usage(command, "--yes is for --all");
	if (command->no_revoke && command->keep_local)
		return command_usage(command,
		    "--no-revoke and --keep-local leave nothing to do");
	if (command->all && !command->yes && !screen_can_ask())
		return command_usage(command,
		    "--all asks on a terminal; elsewhere it needs --yes");
	if (command->all)
		return forget_all(command);
	return command_account(command->words[0]) == FAULT_NONE ?
	    forget(command, command->words[0]) :
	    OUTCOME_USAGE;
}
