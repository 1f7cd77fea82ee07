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

struct version {
	const struct command *command;
	bool shown;
};

/* helper is NULL when none answered. */
static enum fault show(void *ctx, const struct attrs *helper, struct why *why)
{
	struct version *version = ctx;
	struct buf out = BUF_INIT(ANSWER_MAX_BYTES);

	version->shown = true;
	if (version->command->json) {
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

enum outcome version_run(struct command *command)
{
	struct version version = { .command = command };
	const struct talk_take take = { .last = show, .ctx = &version };
	struct talk_request request;
	struct why why = { .err = 0 };
	enum outcome outcome;

	if (command_words(command, ARGS_NONE, 0, 0) != FAULT_NONE)
		return OUTCOME_USAGE;
	talk_begin(&request, VERB_VERSION);
	request.as_it_is = true;
	outcome = talk_run(command, &request, &take);
	if (!version.shown && show(&version, NULL, &why) != FAULT_NONE) {
		print_say("%s", why.text);
		return OUTCOME_NO;
	}
	return outcome;
}
