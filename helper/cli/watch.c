/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken watch: a line, and a command, for every change of a state.
 *
 * Ends only by a signal, a refusal, or when the first connection fails: a
 * helper that restarts is waited for, and then asked for the states, so that
 * a change in between is told, too.
 */
#include "cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/known.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/talk.h"
#include "cli/text.h"

#define LINE_MAX_BYTES (8 * WIRE_LIST_MAX_BYTES)
#define AGAIN_MS       500 /* between tries to reach the helper again */

struct watch {
	struct command *command;
	const char *exec;
	struct known *known;
	bool began; /* a helper has taken the request once */
	bool away;  /* and now there is none */
};

static void add_pair(struct buf *out, const struct attrs *attrs,
    const char *name, bool quoted)
{
	buf_add_str(out, name);
	buf_add_lit(out, "=");
	text_quoted(out, attr_get(attrs, name), quoted);
}

static enum fault print(const struct watch *watch, const struct attrs *attrs,
    struct why *why)
{
	struct buf out = BUF_INIT(LINE_MAX_BYTES);

	if (watch->command->json)
		return json_show(attrs, why);
	add_pair(&out, attrs, ATTR_ACCOUNT, false);
	buf_add_lit(&out, " ");
	add_pair(&out, attrs, ATTR_STATE, false);
	buf_add_lit(&out, " ");
	if (attr_is(attrs, ATTR_UNSAVED, "yes"))
		buf_add_lit(&out, ATTR_UNSAVED "=yes ");
	add_pair(&out, attrs, ATTR_TEXT, true);
	buf_add_lit(&out, "\n");
	return print_answer(&out, why);
}

/* In the child. */
static int export(const struct attrs *attrs)
{
	static const struct {
		const char *attr, *variable;
	} pairs[] = {
		{ ATTR_ACCOUNT, "MAILTOKEN_ACCOUNT" },
		{ ATTR_STATE, "MAILTOKEN_STATE" },
		{ ATTR_TEXT, "MAILTOKEN_TEXT" },
		{ ATTR_PROVIDER, "MAILTOKEN_PROVIDER" },
	};
	struct buf value = BUF_INIT(LINE_MAX_BYTES);
	size_t i;
	int bad;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		text_plain(&value, attr_get(attrs, pairs[i].attr));
		bad = setenv(pairs[i].variable, value.p != NULL ? value.p : "",
		    1);
		buf_drop(&value);
		if (bad != 0)
			return -1;
	}
	return 0;
}

static void run_command(const char *exec, const struct attrs *attrs)
{
	int status = 0;
	pid_t pid, got;

	pid = fork();
	if (pid == 0) {
		if (export(attrs) == 0)
			(void)execl("/bin/sh", "sh", "-c", exec, (char *)NULL);
		_exit(126);
	}
	if (pid < 0) {
		print_say("the command could not be started");
		return;
	}
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		print_say("the command ended with status %d",
		    WEXITSTATUS(status));
	if (got == pid && WIFSIGNALED(status))
		print_say("the command was ended by signal %d",
		    WTERMSIG(status));
}

static enum fault tell(const struct watch *watch, const struct attrs *list,
    struct why *why)
{
	enum fault fault = print(watch, list, why);

	if (fault == FAULT_NONE && watch->exec != NULL)
		run_command(watch->exec, list);
	return fault;
}

/* How known_change() and known_seen() are taken. */
static enum fault take(const struct watch *watch, const struct attrs *list,
    enum fault (*judge)(struct known *, const struct attrs *, bool *),
    struct why *why)
{
	bool news = false;
	enum fault fault;

	if (!attr_has(list, ATTR_ACCOUNT))
		return FAULT_NONE;
	fault = judge(watch->known, list, &news);
	if (fault != FAULT_NONE) {
		why_set(why, 0, "%s", fault_text(fault));
		return fault;
	}
	return news ? tell(watch, list, why) : FAULT_NONE;
}

static enum fault tell_gone(const struct watch *watch, struct why *why)
{
	struct attrs list = {
		.n = 3,
		.at = {
			{ span_of(WIRE_FIRST), span_of(WIRE_VERSION) },
			{ span_of(ATTR_ACCOUNT), { NULL, 0 } },
			{ span_of(ATTR_STATE), span_of("empty") },
		},
	};
	enum fault fault = FAULT_NONE;
	const char *account;

	while (fault == FAULT_NONE &&
	    (account = known_gone(watch->known)) != NULL) {
		list.at[1].value = span_of(account);
		fault = tell(watch, &list, why);
	}
	return fault;
}

/* A helper that hangs up inside of a list has died, or let go of us: a command
 * that ran long kept us from reading. */
static enum fault hear(const struct watch *watch, struct talk *talk,
    int64_t end_ms, struct why *why)
{
	enum fault fault = talk_next(talk, end_ms, why);
	char byte;

	if (fault == FAULT_GARBLED && watch->began &&
	    recv(talk->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return FAULT_NO_HELPER;
	return fault;
}

/* Once the helper tells changes, so that none can be missed. */
static enum fault look(const struct watch *watch, struct why *why)
{
	struct talk talk = TALK_INIT;
	struct talk_request request;
	enum fault fault, heard;

	known_look(watch->known);
	talk_begin(&request, VERB_STATUS);
	request.as_it_is = true;
	heard = talk_open(&talk, watch->command, &request, why);
	for (fault = FAULT_NONE; fault == FAULT_NONE;) {
		if (heard == FAULT_NONE)
			heard = hear(watch, &talk,
			    peerio_now_ms() + STEP_MAX_MS, why);
		if (heard != FAULT_NONE || talk_ends(&talk))
			break;
		fault = take(watch, &talk.list, known_seen, why);
	}
	/* What is refused or breaks off has not told all: it is made again. */
	if (fault == FAULT_NONE &&
	    (heard != FAULT_NONE || talk_result(&talk) != FAULT_NONE))
		fault = heard == FAULT_GARBLED ? heard : FAULT_NO_HELPER;
	if (fault == FAULT_NONE)
		fault = tell_gone(watch, why);
	talk_close(&talk);
	return fault;
}

/* Until the helper is gone (FAULT_NO_HELPER) or says no (FAULT_NONE). */
static enum fault follow(struct watch *watch, struct talk *talk,
    struct why *why)
{
	enum fault fault;

	for (;;) {
		fault = hear(watch, talk, PEERIO_FOREVER, why);
		if (fault != FAULT_NONE)
			return fault;
		if (talk_ends(talk))
			break;
		if (!attr_is(&talk->list, ATTR_EVENT, EVENT_WATCHING)) {
			fault = take(watch, &talk->list, known_change, why);
		} else {
			if (watch->away)
				print_say("the helper is back");
			watch->away = false;
			watch->began = true;
			fault = look(watch, why);
		}
		if (fault != FAULT_NONE)
			return fault;
	}
	/* A helper that stops says "try later". */
	return watch->began && outcome_of(talk_result(talk)) == OUTCOME_LATER ?
	    FAULT_NO_HELPER :
	    FAULT_NONE;
}

static enum fault open_watch(const struct watch *watch, struct talk *talk,
    struct why *why)
{
	struct talk_request request;

	talk_begin(&request, VERB_WATCH);
	request.as_it_is = watch->began;
	return talk_open(talk, watch->command, &request, why);
}

/* Until a helper takes the request again. */
static enum fault reopen(struct watch *watch, struct talk *talk,
    struct why *why)
{
	enum fault fault;

	if (!watch->away)
		print_say("the helper went away; waiting for it");
	watch->away = true;
	do {
		peerio_pause(AGAIN_MS, PEERIO_FOREVER);
		fault = open_watch(watch, talk, why);
	} while (fault == FAULT_NO_HELPER);
	return fault;
}

static enum outcome run(struct watch *watch)
{
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome = OUTCOME_DONE;
	enum fault fault;

	fault = open_watch(watch, &talk, &why);
	while (fault == FAULT_NONE) {
		fault = follow(watch, &talk, &why);
		if (fault != FAULT_NO_HELPER || !watch->began)
			break;
		talk_close(&talk);
		fault = reopen(watch, &talk, &why);
	}
	if (fault != FAULT_NONE)
		outcome = talk_failed(watch->command, fault, &why);
	else if (talk_result(&talk) != FAULT_NONE)
		outcome = talk_refused(watch->command, &talk);
	talk_close(&talk);
	return outcome;
}

enum outcome watch_run(struct command *command)
{
	struct watch watch = { .command = command };
	const struct args_option options[] = {
		{ .name = "exec", .value = &watch.exec },
	};
	enum outcome outcome;

	if (command_words(command, ARGS_TABLE(options), 0, 0) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (known_new(&watch.known) != FAULT_NONE) {
		print_say("%s", fault_text(FAULT_NOMEM));
		return outcome_of(FAULT_NOMEM);
	}
	outcome = run(&watch);
	known_free(watch.known);
	return outcome;
}
