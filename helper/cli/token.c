/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken token: a bare token for another program.
 *
 * Every buffer that held it is wiped; there is no core file to find it in.
 */
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"

#define MIN_VALIDITY_MAX_S 86400

static enum fault show(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why)
{
	const struct command *command = ctx;
	struct span token = attr_get(list, ATTR_TOKEN);

	if (!attr_is_token(token, ACCESS_TOKEN_MAX_BYTES)) {
		why_set(why, 0, "the helper's answer has no usable token");
		return FAULT_GARBLED;
	}
	if (command->json) {
		json_line(out, list);
		return FAULT_NONE;
	}
	buf_add(out, token);
	buf_add_lit(out, "\n");
	return FAULT_NONE;
}

enum outcome token_run(struct command *command)
{
	const struct talk_take take = { .last = show, .ctx = command };
	const struct command_list *servers = &command->servers;
	struct talk_request request;
	int64_t min_validity_s;

	if (command_account(command->words[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (servers->n > 1 ||
	    (servers->n == 1 && !attr_is_host(span_of(servers->at[0])))) {
		screen_say("--server takes the name of one mail server, such "
			   "as smtp.example.com");
		return OUTCOME_USAGE;
	}
	if (command->min_validity != NULL &&
	    attr_number(span_of(command->min_validity), 0, MIN_VALIDITY_MAX_S,
		&min_validity_s) != FAULT_NONE) {
		screen_say("--min-validity takes seconds, 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return OUTCOME_USAGE;
	}
	command_no_core();
	talk_begin(&request, VERB_TOKEN);
	talk_put(&request, ATTR_ACCOUNT, command->words[0]);
	talk_put(&request, ATTR_SERVER, servers->n > 0 ? servers->at[0] : NULL);
	talk_put(&request, ATTR_MIN_VALIDITY, command->min_validity);
	return talk_run(command, &request, &take);
}
