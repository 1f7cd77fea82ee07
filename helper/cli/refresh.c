/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken refresh: renew one account, or all that are due.
 */
#include "cli/screen.h"
#include "cli/talk.h"

#define RECORD_MAX_MS 600000 /* thousands may stand in the queue */

struct refresh {
	const char *account; /* NULL: all that are due */
	enum outcome worst;
};

static const char unsaved[] =
    "; unsaved: the new grant is in memory only, because the keyring could "
    "not be written: make that possible, and do not stop the helper before";

/* "ACCOUNT: renewed; ..." or "ACCOUNT: why not" */
static void show(struct span account, const struct attrs *list,
    enum fault renewed, struct buf *out)
{
	struct span text = attr_get(list, ATTR_TEXT);
	struct buf life = BUF_INIT(80);
	int64_t expires_s;

	if (renewed != FAULT_NONE) {
		text = text.n > 0 ? text : span_of(fault_text(renewed));
		screen_line(out, "%.*s: %.*s", SPAN(account), SPAN(text));
		return;
	}
	if (attr_get_int(list, ATTR_EXPIRES, 1, INT64_MAX, &expires_s) ==
	    FAULT_NONE) {
		buf_add_lit(&life, "; the token is good for ");
		screen_duration(&life, expires_s - screen_now_s());
	}
	screen_line(out, "%.*s: renewed%.*s%s", SPAN(account),
	    SPAN(buf_span(&life)),
	    attr_is(list, ATTR_UNSAVED, "yes") ? unsaved : "");
	buf_drop(&life);
}

static enum fault take_one(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why)
{
	struct refresh *refresh = ctx;
	enum fault renewed = fault_from_word(attr_get(list, ATTR_OUTCOME));

	(void)why;
	refresh->worst = outcome_worse(refresh->worst, outcome_of(renewed));
	show(attr_get(list, ATTR_ACCOUNT), list, renewed, out);
	return FAULT_NONE;
}

/* The answer for one account is the list that ends it. */
static enum fault take_last(void *ctx, const struct attrs *list,
    struct buf *out, struct why *why)
{
	const struct refresh *refresh = ctx;

	(void)why;
	show(span_of(refresh->account), list, FAULT_NONE, out);
	return FAULT_NONE;
}

enum outcome refresh_run(struct command *command)
{
	struct refresh refresh = { .account = command->words[0] };
	struct talk_take take = {
		.each = take_one,
		.last = take_last,
		.ctx = &refresh,
		.json = command->json,
		.wait_ms = RECORD_MAX_MS,
	};
	struct talk_request request;
	enum outcome outcome;

	if (command->due == (command->n_words == 1))
		return command_usage(command,
		    "refresh takes an account, or --due for all");
	if (command->due) {
		refresh.account = NULL;
		take.last = NULL;
	} else if (command_account(refresh.account) != FAULT_NONE) {
		return OUTCOME_USAGE;
	}
	talk_begin(&request, VERB_REFRESH);
	talk_put(&request, ATTR_ACCOUNT, refresh.account);
	talk_put_flag(&request, ATTR_DUE, command->due);
	outcome = talk_run(command, &request, &take);
	return outcome != OUTCOME_DONE ? outcome : refresh.worst;
}
