/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken watch: a line, and a command, for every state there is and then
 * for every change of one.
 *
 * Ends only by a signal, a refusal, or when the first connection fails: a
 * helper that restarts is waited for, and tells all states again, so that a
 * change in between is told, too.  The command is told each state once.
 */
#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/screen.h"
#include "cli/talk.h"

#define AGAIN_MS	500 /* between tries to reach the helper again */
#define EXEC_MAX_MS	10000
#define VALUE_MAX_BYTES (2 * WIRE_LIST_MAX_BYTES)
#define STATE_BYTES	16

/* What the command knows. */
struct told {
	bool unsaved;
	char state[STATE_BYTES];
	char account[];
};

struct watch {
	struct talk talk;
	void *told; /* of tsearch(3), by account */
	bool began; /* a helper has taken the request once */
	bool away;  /* and now there is none */
};

static int by_account(const void *a, const void *b)
{
	const struct told *left = a, *right = b;

	return strcmp(left->account, right->account);
}

/* One that was added with no state, if it has not been told of; NULL without
 * memory. */
static struct told *told_of(struct watch *watch, struct span account)
{
	struct told *told = calloc(1, sizeof(*told) + account.n + 1);
	struct told **found = NULL;

	if (told != NULL) {
		memcpy(told->account, account.p, account.n);
		found = tsearch(told, &watch->told, by_account);
	}
	if (found == NULL || *found != told)
		free(told);
	return found != NULL ? *found : NULL;
}

/* As a value of "name=value" pairs on one line, \" and \\ as in strings. */
static void add_pair(const struct attrs *list, const char *name, bool quoted)
{
	struct span text = attr_get(list, name);
	size_t i;

	for (i = 0; i < text.n && !quoted; i++)
		quoted = strchr(" \"\\", text.p[i]) != NULL;
	quoted = quoted || text.n == 0;
	screen_add(name);
	screen_add(quoted ? "=\"" : "=");
	while (text.n > 0) {
		if (text.p[0] == '"' || text.p[0] == '\\')
			screen_add("\\");
		i = 1;
		while (i < text.n && text.p[i] != '"' && text.p[i] != '\\')
			i++;
		screen_plain(&screen_out, (struct span){ text.p, i });
		text.p += i;
		text.n -= i;
	}
	screen_add(quoted ? "\"" : "");
}

/* In the child: setenv() keeps every value that ever was. */
static bool export_state(const struct attrs *list, const char *previous)
{
	static const char *const pairs[][2] = {
		{ ATTR_ACCOUNT, "MAILTOKEN_ACCOUNT" },
		{ ATTR_STATE, "MAILTOKEN_STATE" },
		{ ATTR_TEXT, "MAILTOKEN_TEXT" },
		{ ATTR_PROVIDER, "MAILTOKEN_PROVIDER" },
	};
	struct buf value = BUF_INIT(VALUE_MAX_BYTES);
	int bad = setenv("MAILTOKEN_PREVIOUS_STATE", previous, 1);
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		screen_plain(&value, attr_get(list, pairs[i][0]));
		bad |= setenv(pairs[i][1], value.p != NULL ? value.p : "", 1);
		buf_drop(&value);
	}
	return bad == 0;
}

/* Until it ends by itself; after a while it and what it started are ended.
 * What ends us ends them, too: the signal, or 0. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	int64_t left_ms, end_ms = ask_now_ms() + EXEC_MAX_MS;
	struct timespec limit;
	int status = 0, sent = 0;
	pid_t got;

	while (sent <= 0 && (got = waitpid(pid, &status, WNOHANG)) == 0 &&
	    (left_ms = end_ms - ask_now_ms()) > 0) {
		limit.tv_sec = (time_t)(left_ms / 1000);
		limit.tv_nsec = (long)(left_ms % 1000) * 1000000;
		sent = sigtimedwait(signals, NULL, &limit);
		sent = sent == SIGCHLD ? 0 : sent;
	}
	if (sent > 0) {
		/* A shell may put an interrupt off until its command ends. */
		(void)kill(-pid, SIGTERM);
		return sent;
	}
	if (got == 0) {
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		screen_say("the command took longer than %d s and was ended",
		    EXEC_MAX_MS / 1000);
		return 0;
	}
	if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		screen_say("the command ended with status %d",
		    WEXITSTATUS(status));
	if (got == pid && WIFSIGNALED(status))
		screen_say("the command was ended by signal %d",
		    WTERMSIG(status));
	return 0;
}

/* With the state in its environment; waited for. */
static void run_command(const char *exec, const struct attrs *list,
    const char *previous)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action;
	sigset_t signals, before;
	int sent = 0;
	pid_t pid;
	size_t i;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	/* Those that end us, unless they are ignored, as by nohup(1). */
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			(void)sigaddset(&signals, ends[i]);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, &signals, &before);
	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		if (export_state(list, previous))
			(void)execl("/bin/sh", "sh", "-c", exec, (char *)NULL);
		_exit(126);
	}
	if (pid < 0) {
		screen_say("the command could not be started");
	} else {
		(void)setpgid(pid, pid); /* whoever comes first */
		sent = wait_for(pid, &signals);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (sent > 0)
		(void)raise(sent);
}

/* One that is being renewed is as it was. */
static void command_changed(struct watch *watch, const char *exec,
    const struct attrs *list)
{
	struct told *told = told_of(watch, attr_get(list, ATTR_ACCOUNT));
	struct span state = attr_get(list, ATTR_STATE);
	bool unsaved = attr_is(list, ATTR_UNSAVED, "yes");
	char previous[STATE_BYTES];

	if (told == NULL || state.n >= STATE_BYTES ||
	    span_is(state, "refreshing") ||
	    (span_is(state, told->state) && unsaved == told->unsaved))
		return;
	memcpy(previous, told->state, STATE_BYTES);
	memcpy(told->state, state.p, state.n);
	told->state[state.n] = '\0';
	told->unsaved = unsaved;
	run_command(exec, list, previous);
}

static void tell(struct watch *watch, const struct talk *talk)
{
	const struct attrs *list = &talk->list;

	if (!attr_has(list, ATTR_ACCOUNT))
		return;
	if (!talk_json(talk)) {
		add_pair(list, ATTR_ACCOUNT, false);
		screen_add(" ");
		add_pair(list, ATTR_STATE, false);
		screen_add(" ");
		if (attr_is(list, ATTR_UNSAVED, "yes"))
			screen_add(ATTR_UNSAVED "=yes ");
		add_pair(list, ATTR_TEXT, true);
		screen_add("\n");
	}
	screen_flush();
	if (talk->command->exec != NULL)
		command_changed(watch, talk->command->exec, list);
}

/* A helper that hangs up inside of a list has died, or let go of us: a
 * command that ran long kept us from reading. */
static enum fault hear(const struct watch *watch, struct talk *talk,
    int64_t end_ms)
{
	enum fault fault = talk_next(talk, end_ms);
	char byte;

	if (fault == FAULT_GARBLED && watch->began &&
	    recv(talk->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return FAULT_NO_HELPER;
	return fault;
}

/* Once the helper tells changes, so that none can be missed. */
static enum fault tell_all(struct watch *watch)
{
	struct talk talk;
	enum fault fault;

	talk_begin(&talk, watch->talk.command, VERB_STATUS, NULL);
	talk.as_it_is = true;
	fault = talk_open(&talk);
	while (fault == FAULT_NONE) {
		fault = hear(watch, &talk, ask_now_ms() + STEP_MAX_MS);
		if (fault != FAULT_NONE || attr_has(&talk.list, ATTR_RESULT))
			break;
		tell(watch, &talk);
	}
	/* What is refused or breaks off has not told all: it is made again. */
	if (fault != FAULT_GARBLED &&
	    (fault != FAULT_NONE || ask_result(&talk.list) != FAULT_NONE))
		fault = FAULT_NO_HELPER;
	watch->talk.why = talk.why;
	talk_close(&talk);
	return fault;
}

/* Until the helper is gone (FAULT_NO_HELPER) or says no (FAULT_NONE). */
static enum fault follow(struct watch *watch)
{
	struct talk *talk = &watch->talk;
	enum fault fault;

	while ((fault = hear(watch, talk, ASK_FOREVER)) == FAULT_NONE &&
	    !attr_has(&talk->list, ATTR_RESULT)) {
		if (!attr_is(&talk->list, ATTR_EVENT, EVENT_WATCHING)) {
			tell(watch, talk);
			continue;
		}
		if (watch->away)
			screen_say("the helper is back");
		watch->away = false;
		watch->began = true;
		fault = tell_all(watch);
		if (fault != FAULT_NONE)
			return fault;
	}
	/* A helper that stops says "try later". */
	return fault == FAULT_NONE && watch->began &&
		outcome_of(ask_result(&talk->list)) == OUTCOME_LATER ?
	    FAULT_NO_HELPER :
	    fault;
}

static enum fault open_watch(struct watch *watch, struct command *command)
{
	talk_begin(&watch->talk, command, VERB_WATCH, NULL);
	watch->talk.as_it_is = watch->began;
	return talk_open(&watch->talk);
}

enum outcome watch_run(struct command *command)
{
	struct watch watch = { .began = false };
	enum fault fault = open_watch(&watch, command);

	while (fault == FAULT_NONE) {
		fault = follow(&watch);
		if (fault != FAULT_NO_HELPER || !watch.began)
			break;
		if (!watch.away)
			screen_say("the helper went away; waiting for it");
		watch.away = true;
		/* Until a helper takes the request again. */
		do {
			talk_close(&watch.talk);
			ask_pause(AGAIN_MS, ASK_FOREVER);
			fault = open_watch(&watch, command);
		} while (fault == FAULT_NO_HELPER);
	}
	tdestroy(watch.told, free);
	return talk_end(&watch.talk, fault);
}
