/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken reload: have the configuration read anew.
 */
#include "cli/verbs.h"

#include "cli/print.h"
#include "cli/record.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES (2 * WIRE_LIST_MAX_BYTES)

static enum fault show(const struct command *command, const struct attrs *attrs,
    struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
	size_t i;

	if (command->json)
		return record_show(command, attrs, why);
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

enum outcome reload_run(struct command *command, int argc, char **argv)
{
	struct command_line line = { .argc = argc, .argv = argv };
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct attr_writer writer;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	if (command_words(command, &line) != FAULT_NONE)
		return OUTCOME_USAGE;
	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_RELOAD);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_ask(&talk, command, buf_span(&request),
		    TALK_AS_IT_IS, &why);
	if (fault == FAULT_NONE && talk_result(&talk) != FAULT_NONE) {
		outcome = talk_refused(command, &talk);
		goto out;
	}
	if (fault == FAULT_NONE)
		fault = show(command, &talk.list, &why);
	outcome = fault == FAULT_NONE ? OUTCOME_DONE :
					talk_failed(command, fault, &why);
out:
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}
