/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken login: the dialogue of a sign-in.
 */
#include "cli/verbs.h"

#include <unistd.h>

#include "cli/print.h"
#include "cli/record.h"
#include "cli/signin.h"
#include "cli/talk.h"

#define AFTER_NO_MAX_MS	5000	/* the helper's last word after our "no" */

struct login {
	struct command *command;
	const char *account;
	const char *provider;
	const char *flow;
	struct args_list servers;
	bool as_delegate;
	bool plain;		/* for programs: lines or JSON */
	bool declined;		/* we answered no */
	struct signin signin;
};

static enum fault build_request(const struct login *login, struct buf *out)
{
	struct buf servers = BUF_INIT(WIRE_LINE_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;
	size_t i;

	for (i = 0; i < login->servers.n; i++) {
		if (i > 0)
			buf_add_lit(&servers, " ");
		buf_add_str(&servers, login->servers.at[i]);
	}
	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_VERB, VERB_SIGN_IN);
	attr_put_str(&writer, ATTR_ACCOUNT, login->account);
	if (login->provider != NULL)
		attr_put_str(&writer, ATTR_PROVIDER, login->provider);
	if (login->flow != NULL)
		attr_put_str(&writer, ATTR_FLOW, login->flow);
	if (servers.n > 0)
		attr_put(&writer, ATTR_SERVERS, buf_span(&servers));
	if (login->as_delegate)
		attr_put_str(&writer, ATTR_AS_DELEGATE, "yes");
	fault = attr_end(&writer);
	buf_drop(&servers);
	return fault;
}

static enum fault send_answer(struct talk *talk, bool yes, struct why *why)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;

	attr_begin(&writer, &list, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ANSWER, yes ? "yes" : "no");
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_send(talk, buf_span(&list), why);
	buf_drop(&list);
	return fault;
}

static enum fault answer(struct login *login, struct talk *talk,
    struct why *why)
{
	bool known = attr_is(&talk->list, ATTR_QUESTION, QUESTION_OTHER_USER);
	bool yes = false;

	signin_clear(&login->signin);
	if (known && !login->plain && isatty(STDIN_FILENO) == 1)
		yes = signin_ask(&talk->list);
	else if (known)
		print_say("somebody else signed in; if that is meant, sign in "
		    "again with --as-delegate");
	else
		print_say("the helper asks what this version cannot answer");
	login->declined = !yes;
	return send_answer(talk, yes, why);
}

/* One event that does not end the sign-in. */
static enum fault take_event(struct login *login, struct talk *talk,
    struct why *why)
{
	const struct attrs *event = &talk->list;
	enum fault fault;

	if (login->plain) {
		fault = record_show(login->command, event, why);
		if (fault != FAULT_NONE)
			return fault;
	} else if (attr_is(event, ATTR_EVENT, EVENT_SHOW_CODE)) {
		signin_show(&login->signin, login->account, event);
	} else if (attr_is(event, ATTR_EVENT, EVENT_WAITING)) {
		signin_waiting(&login->signin, event);
	}
	if (attr_is(event, ATTR_EVENT, EVENT_ASK))
		return answer(login, talk, why);
	return FAULT_NONE;
}

/* Until a list with a result has come. */
static enum fault follow(struct login *login, struct talk *talk,
    struct why *why)
{
	int64_t wake_ms;
	enum fault fault;

	for (;;) {
		wake_ms = login->declined ?
		    peerio_now_ms() + AFTER_NO_MAX_MS :
		    signin_wake_ms(&login->signin);
		fault = talk_next(talk, wake_ms, why);
		if (fault == FAULT_TIMEOUT && !login->declined) {
			signin_tick(&login->signin);
			continue;
		}
		if (fault != FAULT_NONE || talk_ends(talk))
			return fault;
		fault = take_event(login, talk, why);
		if (fault != FAULT_NONE)
			return fault;
	}
}

static void say_warnings(const struct attrs *done)
{
	size_t i;

	for (i = 0; i < done->n; i++)
		if (span_is(done->at[i].name, ATTR_WARNING))
			print_say_text(done->at[i].value);
}

static enum outcome finish(const struct login *login, struct talk *talk)
{
	enum fault fault = talk_result(talk);
	struct why why;

	if (login->plain &&
	    record_show(login->command, &talk->list, &why) != FAULT_NONE) {
		print_say("%s", why.text);
		return OUTCOME_NO;
	}
	if (fault != FAULT_NONE && !login->declined)
		return talk_refused(login->command, talk);
	if (login->declined) {
		print_say("%s was not signed in, and nothing was kept",
		    login->account);
		return OUTCOME_NO;
	}
	say_warnings(&talk->list);
	if (!login->plain)
		signin_done(login->command, login->account, &talk->list);
	return OUTCOME_DONE;
}

static enum outcome sign_in(struct login *login)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome;
	enum fault fault;

	fault = build_request(login, &request);
	if (fault != FAULT_NONE) {
		outcome = outcome_of(fault);
		print_say("a name on the command line has bytes that cannot "
		    "be sent");
		goto out;
	}
	fault = talk_open(&talk, login->command, buf_span(&request),
	    TALK_START, &why);
	if (fault == FAULT_NONE) {
		signin_catch_signals();
		fault = follow(login, &talk, &why);
		signin_clear(&login->signin);
	}
	if (fault == FAULT_NONE)
		outcome = finish(login, &talk);
	else if (login->declined)
		outcome = OUTCOME_NO;
	else
		outcome = talk_failed(login->command, fault, &why);
out:
	talk_close(&talk);
	buf_drop(&request);
	return outcome;
}

static bool check_servers(const struct args_list *servers)
{
	size_t i;

	for (i = 0; i < servers->n; i++) {
		const char *name = servers->at[i];

		if (strncmp(name, "*.", 2) == 0)
			name += 2;
		if (attr_is_host(span_of(name)))
			continue;
		print_say("--server takes one mail server, such as "
		    "smtp.example.com or *.example.com");
		return false;
	}
	return true;
}

enum outcome login_run(struct command *command, int argc, char **argv)
{
	struct login login = { .command = command };
	const struct args_option options[] = {
		{ .name = "provider", .value = &login.provider },
		{ .name = "flow", .value = &login.flow },
		{ .name = "server", .list = &login.servers },
		{ .name = "as-delegate", .flag = &login.as_delegate },
	};
	struct command_line line = {
		.argc = argc, .argv = argv, .options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.words_min = 1, .words_max = 1,
	};

	if (command_words(command, &line) != FAULT_NONE ||
	    command_account(line.words.at[0]) != FAULT_NONE ||
	    !check_servers(&login.servers))
		return OUTCOME_USAGE;
	login.account = line.words.at[0];
	login.plain = command->json || !print_on_terminal();
	return sign_in(&login);
}
