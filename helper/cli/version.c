/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken version: this program's and the helper's.
 */
#include "cli/verbs.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"
#include "cli/text.h"

#define ANSWER_MAX_BYTES (8 * WIRE_LIST_MAX_BYTES)

static void add_part(struct buf *out, const struct attrs *attrs,
    const char *name)
{
	if (!attr_has(attrs, name))
		return;
	buf_add_lit(out, ", ");
	buf_add_str(out, name);
	buf_add_lit(out, " ");
	text_plain(out, attr_get(attrs, name));
}

/* helper is NULL when none answered. */
static enum fault show(const struct command *command,
    const struct attrs *helper, struct why *why)
{
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);

	if (command->json) {
		buf_add_lit(&out, "{\"version\": ");
		json_string(&out, span_of(MAILTOKEN_VERSION));
		if (helper != NULL) {
			buf_add_lit(&out, ", \"helper\": ");
			json_object(&out, helper);
		}
		buf_add_lit(&out, "}\n");
		return print_answer(&out, why);
	}
	buf_add_lit(&out, "mailtoken " MAILTOKEN_VERSION "\n");
	if (helper != NULL) {
		buf_add_lit(&out, "mailtokend ");
		text_plain(&out, attr_get(helper, ATTR_VERSION));
		add_part(&out, helper, ATTR_PROTOCOL);
		add_part(&out, helper, ATTR_PID);
		add_part(&out, helper, ATTR_KEYRING);
		buf_add_lit(&out, "\n");
	}
	return print_answer(&out, why);
}

enum outcome version_run(struct command *command, int argc, char **argv)
{
	struct command_line line = { .argc = argc, .argv = argv };
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct attr_writer writer;
	struct why why = { .err = 0 }, mute;
	enum outcome outcome = OUTCOME_DONE;
	enum fault fault, shown;

	if (command_words(command, &line) != FAULT_NONE)
		return OUTCOME_USAGE;
	attr_begin(&writer, &request, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_VERSION);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_ask(&talk, command, buf_span(&request),
		    TALK_AS_IT_IS, &why);
	shown = show(command,
	    fault == FAULT_NONE && talk_result(&talk) == FAULT_NONE ?
		&talk.list :
		NULL,
	    &mute);
	if (shown != FAULT_NONE)
		outcome = talk_failed(command, shown, &mute);
	else if (fault != FAULT_NONE)
		outcome = talk_failed(command, fault, &why);
	else if (talk_result(&talk) != FAULT_NONE)
		outcome = talk_refused(command, &talk);
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}
