/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken reload: have the configuration read anew.
 */
#include "cli/verbs.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES (2 * WIRE_LIST_MAX_BYTES)

static enum fault show(void *ctx, const struct attrs *attrs, struct why *why)
{
	const struct command *command = ctx;
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	size_t i;

	if (command->json)
		return json_show(attrs, why);
	for (i = 0; i < attrs->n; i++) {
		if (span_is(attrs->at[i].name, ATTR_CHANGED))
			buf_add_lit(&out, "changed: ");
		else if (span_is(attrs->at[i].name, ATTR_NEEDS_RESTART))
			buf_add_lit(&out, "needs a restart: ");
		else if (span_is(attrs->at[i].name, ATTR_WARNING))
			buf_add_lit(&out, "warning: ");
		else
			continue;
		text_plain(&out, attrs->at[i].value);
		buf_add_lit(&out, "\n");
	}
	if (out.n == 0)
		buf_add_lit(&out, "nothing changed\n");
	return print_answer(&out, why);
}

enum outcome reload_run(struct command *command)
{
	const struct talk_take take = { .last = show, .ctx = command };
	struct talk_request request;

	if (command_words(command, ARGS_NONE, 0, 0) != FAULT_NONE)
		return OUTCOME_USAGE;
	talk_begin(&request, VERB_RELOAD);
	request.as_it_is = true;
	return talk_run(command, &request, &take);
}
