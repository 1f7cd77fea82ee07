/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken token: a bare token for another program.
 *
 * Every buffer that held it is wiped; there is no core file to find it in.
 */
#include "cli/verbs.h"

#include <sys/resource.h>

#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"

#define OUT_MAX_BYTES	   (2 * WIRE_LIST_MAX_BYTES)
#define MIN_VALIDITY_MAX_S 86400

struct token {
	const char *account;
	const char *server;
	const char *min_validity;
	int64_t min_validity_s;
};

static enum fault show(const struct command *command, const struct attrs *attrs,
    struct why *why)
{
	struct span token = attr_get(attrs, ATTR_TOKEN);
	struct buf out = BUF_INIT(OUT_MAX_BYTES);

	if (!attr_is_token(token, ACCESS_TOKEN_MAX_BYTES)) {
		why_set(why, 0, "the helper's answer has no usable token");
		return FAULT_GARBLED;
	}
	if (command->json)
		json_object(&out, attrs);
	else
		buf_add(&out, token);
	buf_add_lit(&out, "\n");
	return print_answer(&out, why);
}

static enum fault build_request(const struct token *token, struct buf *out)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_TOKEN);
	attr_put_str(&writer, ATTR_ACCOUNT, token->account);
	if (token->server != NULL)
		attr_put_str(&writer, ATTR_SERVER, token->server);
	if (token->min_validity != NULL)
		attr_put_int(&writer, ATTR_MIN_VALIDITY, token->min_validity_s);
	return attr_end(&writer);
}

static enum outcome fetch(struct command *command, const struct token *token)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	fault = build_request(token, &request);
	if (fault == FAULT_NONE)
		fault = talk_ask(&talk, command, buf_span(&request), TALK_START,
		    &why);
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

enum outcome token_run(struct command *command, int argc, char **argv)
{
	const struct rlimit no_core = { 0, 0 };
	struct token token = { .account = NULL };
	const struct args_option options[] = {
		{ .name = "server", .value = &token.server },
		{ .name = "min-validity", .value = &token.min_validity },
	};
	struct command_line line = {
		.argc = argc,
		.argv = argv,
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.words_min = 1,
		.words_max = 1,
	};

	if (command_words(command, &line) != FAULT_NONE ||
	    command_account(line.words.at[0]) != FAULT_NONE)
		return OUTCOME_USAGE;
	token.account = line.words.at[0];
	if (token.server != NULL && !attr_is_host(span_of(token.server))) {
		print_say("--server takes the name of one mail server, such "
			  "as smtp.example.com");
		return OUTCOME_USAGE;
	}
	if (token.min_validity != NULL &&
	    attr_number(span_of(token.min_validity), 0, MIN_VALIDITY_MAX_S,
		&token.min_validity_s) != FAULT_NONE) {
		print_say("--min-validity takes seconds, 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return OUTCOME_USAGE;
	}
	(void)setrlimit(RLIMIT_CORE, &no_core);
	return fetch(command, &token);
}
