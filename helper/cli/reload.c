/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken reload: have the configuration read anew.
 */
#include "cli/screen.h"
#include "cli/talk.h"

static enum fault show(void *ctx, const struct attrs *attrs, struct buf *out,
    struct why *why)
{
	size_t i;

	(void)ctx;
	(void)why;
	for (i = 0; i < attrs->n; i++) {
		if (span_is(attrs->at[i].name, ATTR_CHANGED))
			buf_add_lit(out, "changed: ");
		else if (span_is(attrs->at[i].name, ATTR_NEEDS_RESTART))
			buf_add_lit(out, "needs a restart: ");
		else if (span_is(attrs->at[i].name, ATTR_WARNING))
			buf_add_lit(out, "warning: ");
		else
			continue;
		screen_plain(out, attrs->at[i].value);
		buf_add_lit(out, "\n");
	}
	if (out->n == 0)
		buf_add_lit(out, "nothing changed\n");
	return FAULT_NONE;
}

enum outcome reload_run(struct command *command)
{
	const struct talk_take take = { .last = show, .json = command->json };
	struct talk_request request;

	talk_begin(&request, VERB_RELOAD);
	request.as_it_is = true;
	return talk_run(command, &request, &take);
}
