/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken refresh: renew one account, or all that are due.
 */
#include "cli/verbs.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES 65536
#define RECORD_MAX_MS	 600000 /* thousands may stand in the queue */

struct refresh {
	const struct command *command;
	const char *account; /* NULL: all that are due */
	enum outcome worst;
};

/* "ACCOUNT: renewed; ..." or "ACCOUNT: why not" */
static enum fault show(const struct refresh *refresh, const struct attrs *list,
    enum fault renewed, struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	struct span text = attr_get(list, ATTR_TEXT);
	int64_t expires_s;

	if (refresh->command->json)
		return json_show(list, why);
	buf_add(&line,
	    refresh->account != NULL ? span_of(refresh->account) :
				       attr_get(list, ATTR_ACCOUNT));
	buf_add_lit(&line, ": ");
	if (renewed != FAULT_NONE && text.n > 0)
		buf_add(&line, text);
	else if (renewed != FAULT_NONE)
		buf_add_str(&line, fault_text(renewed));
	else
		buf_add_lit(&line, "renewed");
	if (renewed == FAULT_NONE &&
	    attr_get_int(list, ATTR_EXPIRES, 1, INT64_MAX, &expires_s) ==
		FAULT_NONE) {
		buf_add_lit(&line, "; the token is good for ");
		text_duration(&line, expires_s - print_now_s());
	}
	if (renewed == FAULT_NONE && attr_is(list, ATTR_UNSAVED, "yes"))
		buf_add_lit(&line,
		    "; unsaved: the new grant is in memory only, because the "
		    "keyring could not be written: make that possible, and do "
		    "not stop the helper before");
	print_sentence(&out, &line, 4);
	return print_answer(&out, why);
}

static enum fault take_one(void *ctx, const struct attrs *list, struct why *why)
{
	struct refresh *refresh = ctx;
	enum fault renewed = fault_from_word(attr_get(list, ATTR_OUTCOME));

	refresh->worst = outcome_worse(refresh->worst, outcome_of(renewed));
	return show(refresh, list, renewed, why);
}

/* The answer for one account is the list that ends it. */
static enum fault take_last(void *ctx, const struct attrs *list,
    struct why *why)
{
	const struct refresh *refresh = ctx;

	return refresh->account != NULL ? show(refresh, list, FAULT_NONE, why) :
					  FAULT_NONE;
}

enum outcome refresh_run(struct command *command)
{
	struct refresh refresh = { .command = command };
	const struct talk_take take = {
		.each = take_one,
		.last = take_last,
		.ctx = &refresh,
		.wait_ms = RECORD_MAX_MS,
	};
	bool due = false;
	const struct args_option options[] = {
		{ .name = "due", .flag = &due },
	};
	struct talk_request request;
	enum outcome outcome;

	if (command_words(command, ARGS_TABLE(options), 0, 1) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (due == (command->words.n == 1)) {
		(void)command_usage(command,
		    "refresh takes an account, or --due for all");
		return OUTCOME_USAGE;
	}
	if (!due) {
		refresh.account = command->words.at[0];
		if (command_account(refresh.account) != FAULT_NONE)
			return OUTCOME_USAGE;
	}
	talk_begin(&request, VERB_REFRESH);
	talk_put(&request, ATTR_ACCOUNT, refresh.account);
	talk_put(&request, ATTR_DUE, due ? "yes" : NULL);
	outcome = talk_run(command, &request, &take);
	return outcome != OUTCOME_DONE ? outcome : refresh.worst;
}
