/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The conversation with the helper, and the sentences for when there is none.
 */
#include "cli/talk.h"

#include <errno.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/start.h"
#include "wire/ask.h"
#include "wire/ids.h"

#define UNIT  "mailtoken.socket"
#define TIMER "mailtoken-renew.timer" /* a user's helper ends when idle */

static enum fault dial(struct talk *talk, const struct command *command,
    int retry_ms, struct why *why)
{
	struct ask ask = {
		.address = command->address,
		.deadline_ms = peerio_now_ms() + STEP_MAX_MS,
		.retry_ms = retry_ms,
	};

	return ask_open(&ask, &talk->fd, why);
}

/* Nobody listened: err is what connect said. */
static bool is_absent(enum fault fault, const struct why *why)
{
	return fault == FAULT_NO_HELPER &&
	    (why->err == ENOENT || why->err == ECONNREFUSED);
}

static enum fault dial_or_start(struct talk *talk, struct command *command,
    bool as_it_is, struct why *why)
{
	enum fault fault, started;
	struct why reason;

	fault = dial(talk, command, 0, why);
	if (fault == FAULT_NO_HELPER && why->err == EAGAIN)
		return dial(talk, command, CONNECT_RETRY_MAX_MS, why);
	if (is_absent(fault, why) && start_fall_back(command) == FAULT_NONE)
		fault = dial(talk, command, 0, why);
	if (!is_absent(fault, why) || as_it_is || !start_may(command))
		return fault;

	if (start_is_stale(&reason)) {
		*why = reason;
		return FAULT_NO_HELPER;
	}
	started = start_helper(MAILTOKEN_MAILTOKEND,
	    peerio_now_ms() + START_MAX_MS, &reason);
	fault = dial(talk, command,
	    started == FAULT_NONE ? CONNECT_RETRY_MAX_MS : 0, why);
	if (fault != FAULT_NONE && started != FAULT_NONE) {
		/* Another error than connect's, so that it is told as it is. */
		reason.err = 0;
		*why = reason;
	}
	return fault;
}

void talk_begin(struct talk_request *request, const char *verb)
{
	*request = (struct talk_request){
		.bytes = BUF_INIT(WIRE_LIST_MAX_BYTES),
	};
	attr_begin(&request->writer, &request->bytes, WIRE_FIRST);
	attr_put_str(&request->writer, ATTR_VERB, verb);
}

void talk_put(struct talk_request *request, const char *name, const char *value)
{
	if (value != NULL)
		attr_put_str(&request->writer, name, value);
}

void talk_put_flag(struct talk_request *request, const char *name, bool yes)
{
	talk_put(request, name, yes ? "yes" : NULL);
}

void talk_put_list(struct talk_request *request, const char *name,
    const struct command_list *words)
{
	struct buf line = BUF_INIT(WIRE_LINE_MAX_BYTES);
	size_t i;

	for (i = 0; i < words->n; i++) {
		if (i > 0)
			buf_add_lit(&line, " ");
		buf_add_str(&line, words->at[i]);
	}
	if (words->n > 0)
		attr_put(&request->writer, name, buf_span(&line));
	buf_drop(&line);
}

enum fault talk_open(struct talk *talk, struct command *command,
    struct talk_request *request, struct why *why)
{
	enum fault fault;

	fault = attr_end(&request->writer);
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s",
		    fault == FAULT_NOMEM ? fault_text(fault) :
					   "a word of the command line is too "
					   "long or has bytes that cannot be "
					   "sent");
	/* Once: a helper that restarts must not become another one. */
	if (fault == FAULT_NONE && command->address.path[0] == '\0')
		fault = start_choose(command, why);
	if (fault == FAULT_NONE)
		fault = dial_or_start(talk, command, request->as_it_is, why);
	if (fault == FAULT_NONE)
		fault = talk_send(talk, buf_span(&request->bytes), why);
	buf_drop(&request->bytes);
	return fault;
}

enum fault talk_send(struct talk *talk, struct span list, struct why *why)
{
	enum fault fault;

	fault = peerio_send(talk->fd, list, peerio_now_ms() + STEP_MAX_MS, why);
	/* A helper that refuses at once may have answered before it closed. */
	return fault == FAULT_NO_HELPER ? FAULT_NONE : fault;
}

enum fault talk_next(struct talk *talk, int64_t deadline_ms, struct why *why)
{
	enum fault fault;

	if (talk->has_list)
		peerio_next(&talk->in);
	talk->has_list = false;
	fault = peerio_receive(talk->fd, &talk->in, deadline_ms, &talk->list,
	    why);
	talk->has_list = fault == FAULT_NONE;
	return fault;
}

bool talk_ends(const struct talk *talk)
{
	return attr_has(&talk->list, ATTR_RESULT);
}

enum fault talk_result(const struct talk *talk)
{
	return ask_result(&talk->list);
}

void talk_close(struct talk *talk)
{
	if (talk->fd >= 0)
		(void)close(talk->fd);
	talk->fd = -1;
	talk->has_list = false;
	buf_drop(&talk->in);
}

static enum fault show(const struct talk_take *take, talk_fn *text,
    const struct attrs *list, struct why *why)
{
	struct buf out = BUF_INIT(TALK_SHOWN_MAX_BYTES);
	enum fault fault = FAULT_NONE;

	if (take->json)
		json_line(&out, list);
	else
		fault = text(take->ctx, list, &out, why);
	if (fault == FAULT_NONE && (out.n > 0 || out.fault != FAULT_NONE))
		fault = screen_answer(&out, why);
	buf_drop(&out);
	return fault;
}

static enum fault take_all(struct talk *talk, const struct talk_take *take,
    struct why *why)
{
	int64_t wait_ms = take->wait_ms > 0 ? take->wait_ms : STEP_MAX_MS;
	enum fault fault;

	for (;;) {
		fault = talk_next(talk, peerio_now_ms() + wait_ms, why);
		if (fault != FAULT_NONE)
			return fault;
		if (talk_ends(talk) || take->each == NULL)
			break;
		fault = show(take, take->each, &talk->list, why);
		if (fault != FAULT_NONE)
			return fault;
	}
	if (talk_result(talk) == FAULT_GARBLED) {
		why_set(why, 0, "the helper's answer has no known result");
		return FAULT_GARBLED;
	}
	if (talk_result(talk) == FAULT_NONE && take->last != NULL)
		return show(take, take->last, &talk->list, why);
	return FAULT_NONE;
}

enum outcome talk_run(struct command *command, struct talk_request *request,
    const struct talk_take *take)
{
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	enum outcome outcome = OUTCOME_DONE;
	enum fault fault;

	fault = talk_open(&talk, command, request, &why);
	if (fault == FAULT_NONE)
		fault = take_all(&talk, take, &why);
	if (fault != FAULT_NONE) {
		outcome = talk_failed(command, fault, &why);
	} else if (talk_result(&talk) != FAULT_NONE) {
		if (take->subject != NULL)
			screen_say("%s is not %s:", take->subject, take->done);
		outcome = talk_refused(command, &talk);
	}
	talk_close(&talk);
	return outcome;
}

static enum fault add_name(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why)
{
	struct buf *names = ctx;

	(void)out;
	buf_add(names, attr_get(list, ATTR_ACCOUNT));
	buf_add(names, (struct span){ "", 1 });
	if (buf_fault(names) != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(buf_fault(names)));
	return buf_fault(names);
}

enum outcome talk_names(struct command *command, struct talk_request *request,
    struct buf *names)
{
	const struct talk_take take = { .each = add_name, .ctx = names };

	return talk_run(command, request, &take);
}

/* A user who has no keyring yet needs no helper to be told so. */
static bool say_nothing_begun(const struct why *why)
{
	char keyring[ADDRESS_FILE_MAX_BYTES];

	if (why->err != ENOENT || address_user_keyring(keyring) != FAULT_NONE ||
	    access(keyring, F_OK) == 0)
		return false;
	screen_say("no account of yours is signed in, and no helper of yours "
		   "runs (%s): run \"mailtoken login ACCOUNT\", which starts "
		   "one",
	    why->text);
	return true;
}

static void say_no_helper(const struct command *command, const struct why *why)
{
	struct why shut;

	if (why->err == 0) {
		screen_say("%s", why->text);
		return;
	}
	if (why->err == EACCES) {
		ids_say_shut(command->address.path, why->text, &shut);
		screen_say("%s", shut.text);
		return;
	}
	switch (command->helper) {
	case COMMAND_OWN:
		if (start_may(command) && say_nothing_begun(why))
			break;
		screen_say("no helper of yours answers (%s): start it with "
			   "\"systemctl --user enable --now " UNIT " " TIMER
			   "\", or with \"mailtokend --background\"",
		    why->text);
		break;
	case COMMAND_SYSTEM:
		screen_say("the system's helper does not answer (%s): start "
			   "it with \"systemctl enable --now " UNIT "\"%s",
		    why->text,
		    command->by_default && getuid() != 0 ?
			", or take a helper of your own with --user" :
			"");
		break;
	case COMMAND_NAMED:
		screen_say("no helper answers (%s): start mailtokend",
		    why->text);
		break;
	}
}

enum outcome talk_failed(const struct command *command, enum fault fault,
    const struct why *why)
{
	if (fault == FAULT_NO_HELPER)
		say_no_helper(command, why);
	else if (fault == FAULT_TIMEOUT)
		screen_say("the helper did not answer in time: its log says "
			   "why; try again later");
	else if (fault == FAULT_GARBLED)
		screen_say("%s: compare the versions with \"mailtoken "
			   "version\"",
		    why->text);
	else if (fault == FAULT_UNTRUSTED)
		screen_say("%s; nothing was sent", why->text);
	else
		screen_say("%s", why->text);
	return fault == FAULT_NO_HELPER && why->err == EACCES ?
	    OUTCOME_DENIED :
	    outcome_of(fault);
}

static void say_hint(const struct command *command, enum fault fault)
{
	bool own = command->helper == COMMAND_OWN;

	if (fault != FAULT_UNKNOWN_ACCOUNT && fault != FAULT_DENIED)
		return;
	if (command->both)
		screen_say(own ? "your own helper was asked; --system asks "
				 "the system's" :
				 "the system's helper was asked; --user asks "
				 "your own");
	else if (command->by_default && !own && fault == FAULT_DENIED)
		screen_say("the system's helper was asked; --user takes a "
			   "helper and a keyring of your own");
	else if (fault == FAULT_UNKNOWN_ACCOUNT)
		screen_say("\"mailtoken status\" lists the accounts this user "
			   "may see; \"mailtoken login %s\" signs one in",
		    command->n_words > 0 ? command->words[0] : "ACCOUNT");
}

enum outcome talk_refused(const struct command *command,
    const struct talk *talk)
{
	enum fault fault = talk_result(talk);
	struct span text = attr_get(&talk->list, ATTR_TEXT);
	int64_t later_s;

	if (text.n == 0)
		text = span_of(fault_text(fault));
	screen_say("%.*s", SPAN(text));
	if (attr_get_int(&talk->list, ATTR_RETRY_AFTER, 1, INT32_MAX,
		&later_s) == FAULT_NONE)
		screen_say("try again in %lld s", (long long)later_s);
	say_hint(command, fault);
	return outcome_of(fault);
}

void talk_warn(const struct attrs *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (span_is(list->at[i].name, ATTR_WARNING))
			screen_say("%.*s", SPAN(list->at[i].value));
}

void talk_whose(const struct command *command, struct buf *out)
{
	char keyring[ADDRESS_FILE_MAX_BYTES];

	if (!command->both || !screen_is_terminal())
		return;
	if (command->helper == COMMAND_OWN &&
	    address_user_keyring(keyring) == FAULT_NONE)
		screen_line(out,
		    "(Your own keyring, %s; --system asks the system's "
		    "helper.)",
		    keyring);
	else
		screen_line(out,
		    "(The system's keyring, %s; --user asks your own helper.)",
		    address_system_keyring());
}
