/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken version: this program's and the helper's.
 */
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"

static void add_part(struct buf *out, const struct attrs *attrs,
    const char *name)
{
	if (!attr_has(attrs, name))
		return;
	buf_add_lit(out, ", ");
	buf_add_str(out, name);
	buf_add_lit(out, " ");
	screen_plain(out, attr_get(attrs, name));
}

struct version {
	const struct command *command;
	bool shown;
};

/* helper is NULL when none answered. */
static enum fault show(void *ctx, const struct attrs *helper, struct buf *out,
    struct why *why)
{
	struct version *version = ctx;

	(void)why;
	version->shown = true;
	if (version->command->json) {
		buf_add_lit(out, "{\"version\": ");
		json_string(out, span_of(MAILTOKEN_VERSION));
		if (helper != NULL) {
			buf_add_lit(out, ", \"helper\": ");
			json_object(out, helper);
		}
		buf_add_lit(out, "}\n");
		return FAULT_NONE;
	}
	buf_add_lit(out, "mailtoken " MAILTOKEN_VERSION "\n");
	if (helper == NULL)
		return FAULT_NONE;
	buf_add_lit(out, "mailtokend ");
	screen_plain(out, attr_get(helper, ATTR_VERSION));
	add_part(out, helper, ATTR_PROTOCOL);
	add_part(out, helper, ATTR_PID);
	add_part(out, helper, ATTR_KEYRING);
	buf_add_lit(out, "\n");
	return FAULT_NONE;
}

enum outcome version_run(struct command *command)
{
	struct version version = { .command = command };
	const struct talk_take take = { .last = show, .ctx = &version };
	struct buf out = BUF_INIT(TALK_SHOWN_MAX_BYTES);
	struct talk_request request;
	struct why why;
	enum outcome outcome;

	talk_begin(&request, VERB_VERSION);
	request.as_it_is = true;
	outcome = talk_run(command, &request, &take);
	if (version.shown)
		return outcome;
	if (show(&version, NULL, &out, &why) != FAULT_NONE ||
	    screen_answer(&out, &why) != FAULT_NONE) {
		screen_say("%s", why.text);
		return OUTCOME_NO;
	}
	return outcome;
}
