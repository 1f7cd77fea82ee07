/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken watch: a line, and a command, for every state there is and then
 * for every change of one.
 *
 * Ends only by a signal, a refusal, or when the first connection fails: a
 * helper that restarts is waited for, and tells all states again, so that a
 * change in between is told, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"

#define AGAIN_MS 500 /* between tries to reach the helper again */

struct watch {
	struct command *command;
	bool began; /* a helper has taken the request once */
	bool away;  /* and now there is none */
};

/* As a value of "name=value" pairs on one line, \" and \\ as in strings. */
static void add_pair(struct buf *out, const struct attrs *attrs,
    const char *name, bool quoted)
{
	struct span text = attr_get(attrs, name);
	size_t i;

	for (i = 0; i < text.n && !quoted; i++)
		quoted = strchr(" \"\\", text.p[i]) != NULL;
	quoted = quoted || text.n == 0;
	buf_add_str(out, name);
	buf_add_str(out, quoted ? "=\"" : "=");
	while (text.n > 0) {
		i = 1;
		while (i < text.n && text.p[i] != '"' && text.p[i] != '\\')
			i++;
		if (text.p[0] == '"' || text.p[0] == '\\')
			buf_add_lit(out, "\\");
		screen_plain(out, (struct span){ text.p, i });
		text.p += i;
		text.n -= i;
	}
	buf_add_str(out, quoted ? "\"" : "");
}

static enum fault print(const struct watch *watch, const struct attrs *attrs,
    struct why *why)
{
	struct buf out = BUF_INIT(TALK_SHOWN_MAX_BYTES);

	if (watch->command->json) {
		json_line(&out, attrs);
		return screen_answer(&out, why);
	}
	add_pair(&out, attrs, ATTR_ACCOUNT, false);
	buf_add_lit(&out, " ");
	add_pair(&out, attrs, ATTR_STATE, false);
	buf_add_lit(&out, " ");
	if (attr_is(attrs, ATTR_UNSAVED, "yes"))
		buf_add_lit(&out, ATTR_UNSAVED "=yes ");
	add_pair(&out, attrs, ATTR_TEXT, true);
	buf_add_lit(&out, "\n");
	return screen_answer(&out, why);
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
	struct buf value = BUF_INIT(TALK_SHOWN_MAX_BYTES);
	size_t i;
	int bad;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		screen_plain(&value, attr_get(attrs, pairs[i].attr));
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
		screen_say("the command could not be started");
		return;
	}
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		screen_say("the command ended with status %d",
		    WEXITSTATUS(status));
	if (got == pid && WIFSIGNALED(status))
		screen_say("the command was ended by signal %d",
		    WTERMSIG(status));
}

static enum fault tell(const struct watch *watch, const struct attrs *list,
    struct why *why)
{
	enum fault fault;

	if (!attr_has(list, ATTR_ACCOUNT))
		return FAULT_NONE;
	fault = print(watch, list, why);
	if (fault == FAULT_NONE && watch->command->exec != NULL)
		run_command(watch->command->exec, list);
	return fault;
}

/* A helper that hangs up inside of a list has died, or let go of us: a
 * command that ran long kept us from reading. */
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
static enum fault tell_all(const struct watch *watch, struct why *why)
{
	struct talk talk = TALK_INIT;
	struct talk_request request;
	enum fault fault = FAULT_NONE, heard;

	talk_begin(&request, VERB_STATUS);
	request.as_it_is = true;
	heard = talk_open(&talk, watch->command, &request, why);
	while (heard == FAULT_NONE && fault == FAULT_NONE) {
		heard = hear(watch, &talk, peerio_now_ms() + STEP_MAX_MS, why);
		if (heard != FAULT_NONE || talk_ends(&talk))
			break;
		fault = tell(watch, &talk.list, why);
	}
	/* What is refused or breaks off has not told all: it is made again. */
	if (fault == FAULT_NONE &&
	    (heard != FAULT_NONE || talk_result(&talk) != FAULT_NONE))
		fault = heard == FAULT_GARBLED ? heard : FAULT_NO_HELPER;
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
			fault = tell(watch, &talk->list, why);
		} else {
			if (watch->away)
				screen_say("the helper is back");
			watch->away = false;
			watch->began = true;
			fault = tell_all(watch, why);
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
		screen_say("the helper went away; waiting for it");
	watch->away = true;
	do {
		peerio_pause(AGAIN_MS, PEERIO_FOREVER);
		fault = open_watch(watch, talk, why);
	} while (fault == FAULT_NO_HELPER);
	return fault;
}

enum outcome watch_run(struct command *command)
{
	struct watch watch = { .command = command };
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome = OUTCOME_DONE;
	enum fault fault;

	fault = open_watch(&watch, &talk, &why);
	while (fault == FAULT_NONE) {
		fault = follow(&watch, &talk, &why);
		if (fault != FAULT_NO_HELPER || !watch.began)
			break;
		talk_close(&talk);
		fault = reopen(&watch, &talk, &why);
	}
	if (fault != FAULT_NONE)
		outcome = talk_failed(command, fault, &why);
	else if (talk_result(&talk) != FAULT_NONE)
		outcome = talk_refused(command, &talk);
	talk_close(&talk);
	return outcome;
}
