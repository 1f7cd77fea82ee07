/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken token: a bare token for another program.
 *
 * Every buffer that held it is wiped; there is no core file to find it in.
 */
#include "cli/verbs.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"

#define OUT_MAX_BYTES	   (2 * WIRE_LIST_MAX_BYTES)
#define MIN_VALIDITY_MAX_S 86400

static enum fault show(void *ctx, const struct attrs *list, struct why *why)
{
	const struct command *command = ctx;
	struct span token = attr_get(list, ATTR_TOKEN);
	struct buf out = BUF_INIT(OUT_MAX_BYTES);

	if (!attr_is_token(token, ACCESS_TOKEN_MAX_BYTES)) {
		why_set(why, 0, "the helper's answer has no usable token");
		return FAULT_GARBLED;
	}
	if (command->json)
		return json_show(list, why);
	buf_add(&out, token);
	buf_add_lit(&out, "\n");
	return print_answer(&out, why);
}

enum outcome token_run(struct command *command)
{
	const struct talk_take take = { .last = show, .ctx = command };
	const char *server = NULL, *min_validity = NULL;
	const struct args_option options[] = {
		{ .name = "server", .value = &server },
		{ .name = "min-validity", .value = &min_validity },
	};
	struct talk_request request;
	int64_t min_validity_s = 0;

	if (command_words(command, ARGS_TABLE(options), 1, 1) != FAULT_NONE ||
	    command_account(command->words.at[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (server != NULL && !attr_is_host(span_of(server))) {
		print_say("--server takes the name of one mail server, such "
			  "as smtp.example.com");
		return OUTCOME_USAGE;
	}
	if (min_validity != NULL &&
	    attr_number(span_of(min_validity), 0, MIN_VALIDITY_MAX_S,
		&min_validity_s) != FAULT_NONE) {
		print_say("--min-validity takes seconds, 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return OUTCOME_USAGE;
	}
	command_no_core();
	talk_begin(&request, VERB_TOKEN);
	talk_put(&request, ATTR_ACCOUNT, command->words.at[0]);
	talk_put(&request, ATTR_SERVER, server);
	if (min_validity != NULL)
		attr_put_int(&request.writer, ATTR_MIN_VALIDITY,
		    min_validity_s);
	return talk_run(command, &request, &take);
}
