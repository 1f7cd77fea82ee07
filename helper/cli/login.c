/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken login: the dialogue of a sign-in.
 */
#include <unistd.h>

#include "cli/json.h"
#include "cli/mx.h"
#include "cli/paste.h"
#include "cli/screen.h"
#include "cli/signin.h"
#include "cli/start.h"
#include "cli/talk.h"

#define MX_MAX_BYTES	 1000
#define CHOICE_MAX_BYTES 8192
#define AFTER_NO_MAX_MS	 5000 /* the helper's last word after our "no" */

struct login {
	struct command *command;
	const char *account;
	bool plain;    /* for programs: lines or JSON */
	bool declined; /* we answered no */
	struct paste paste;
	struct signin signin;
};

/* "event=done" stands before a list that only has a result. */
static enum fault show_plain(const struct login *login,
    const struct attrs *list, struct why *why)
{
	struct buf out = BUF_INIT(TALK_SHOWN_MAX_BYTES);
	size_t i;

	if (login->command->json) {
		json_line(&out, list);
		return screen_answer(&out, why);
	}
	if (!attr_has(list, ATTR_EVENT))
		buf_add_lit(&out, ATTR_EVENT "=" EVENT_DONE "\n");
	for (i = 1; i < list->n; i++) {
		buf_add(&out, list->at[i].name);
		buf_add_lit(&out, "=");
		screen_plain(&out, list->at[i].value);
		buf_add_lit(&out, "\n");
	}
	return screen_answer(&out, why);
}

/* Where a human can say no to what it leads to. */
static void put_mx(const struct login *login, struct talk_request *request)
{
	const char *at = strrchr(login->account, '@');
	struct buf names = BUF_INIT(MX_MAX_BYTES);

	if (login->plain || isatty(STDIN_FILENO) != 1 || at == NULL ||
	    login->command->provider != NULL || login->command->issuer != NULL)
		return;
	mx_find(at + 1, &names);
	if (names.n > 0)
		attr_put(&request->writer, ATTR_MX, buf_span(&names));
	buf_drop(&names);
}

static void build_request(const struct login *login,
    struct talk_request *request)
{
	const struct command *command = login->command;

	talk_begin(request, VERB_SIGN_IN);
	talk_put(request, ATTR_ACCOUNT, login->account);
	talk_put(request, ATTR_PROVIDER, command->provider);
	talk_put(request, ATTR_FLOW, command->flow);
	talk_put(request, ATTR_ISSUER, command->issuer);
	talk_put(request, ATTR_PROTOCOLS, command->protocols);
	put_mx(login, request);
	talk_put_list(request, ATTR_SERVERS, &command->servers);
	talk_put_flag(request, ATTR_AS_DELEGATE, command->as_delegate);
}

static enum fault send_answer(struct talk *talk, struct span answer,
    struct why *why)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;

	attr_begin(&writer, &list, WIRE_FIRST);
	attr_put(&writer, ATTR_ANSWER, answer);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE)
		fault = talk_send(talk, buf_span(&list), why);
	else
		why_set(why, 0, "%s", fault_text(fault));
	buf_drop(&list);
	return fault;
}

static enum fault answer(struct login *login, struct talk *talk,
    struct why *why)
{
	bool other = attr_is(&talk->list, ATTR_QUESTION, QUESTION_OTHER_USER);
	bool known = other ||
	    attr_is(&talk->list, ATTR_QUESTION, QUESTION_PROVIDER);
	bool yes = false;

	paste_close(&login->paste);
	signin_clear(&login->signin);
	if (known && !login->plain && isatty(STDIN_FILENO) == 1)
		yes = screen_confirm(attr_get(&talk->list, ATTR_TEXT));
	else if (other)
		screen_say("somebody else signed in; if that is meant, sign in "
			   "again with --as-delegate");
	else
		screen_say("the helper asks what this version cannot answer");
	login->declined = !yes;
	return send_answer(talk, span_of(yes ? "yes" : "no"), why);
}

/* The browser may come back by itself meanwhile: nothing waits for this. */
static void ask_for_address(struct login *login, const struct attrs *event)
{
	paste_open(&login->paste);
	if (isatty(STDIN_FILENO) != 1)
		return;
	if (login->plain)
		screen_say("%.*s", SPAN(attr_get(event, ATTR_TEXT)));
	else
		signin_prompt(&login->signin, event);
}

static enum fault send_pasted(struct login *login, struct talk *talk,
    struct why *why)
{
	enum fault fault;

	fault = send_answer(talk, paste_text(&login->paste), why);
	if (fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG) {
		why_set(why, 0, "what was pasted cannot be sent");
		return FAULT_GRAMMAR;
	}
	paste_close(&login->paste);
	return fault;
}

static void open_link(const struct login *login, const struct attrs *event)
{
	char link[SIGNIN_LINK_BYTES];
	struct why why = { .err = 0 };

	if (!login->command->browser || !signin_link(event, link) ||
	    strncmp(link, "https://", 8) != 0)
		return;
	if (start_browser(link, &why) != FAULT_NONE)
		screen_say("%s", why.text);
}

/* With which provider and how, and why so. */
static void say_choice(const struct attrs *event)
{
	struct buf out = BUF_INIT(CHOICE_MAX_BYTES);
	struct why why;

	if (!attr_has(event, ATTR_TEXT))
		return;
	screen_line(&out, "Signing in with %.*s.",
	    SPAN(attr_get(event, ATTR_TEXT)));
	(void)!screen_answer(&out, &why);
}

/* One event that does not end the sign-in. */
static enum fault take_event(struct login *login, struct talk *talk,
    struct why *why)
{
	const struct attrs *event = &talk->list;
	enum fault fault;

	if (login->plain) {
		fault = show_plain(login, event, why);
		if (fault != FAULT_NONE)
			return fault;
	} else if (attr_is(event, ATTR_EVENT, EVENT_SHOW_CODE) ||
	    attr_is(event, ATTR_EVENT, EVENT_SHOW_URL)) {
		say_choice(event);
		signin_show(&login->signin, login->account, event);
	} else if (attr_is(event, ATTR_EVENT, EVENT_WAITING)) {
		signin_waiting(&login->signin, event);
	}
	open_link(login, event);
	if (!attr_is(event, ATTR_EVENT, EVENT_ASK))
		return FAULT_NONE;
	if (!attr_is(event, ATTR_QUESTION, QUESTION_PASTE_URL))
		return answer(login, talk, why);
	ask_for_address(login, event);
	return FAULT_NONE;
}

/* The next list, or an address that was pasted meanwhile and was sent. */
static enum fault next(struct login *login, struct talk *talk, int64_t wake_ms,
    struct why *why)
{
	enum fault fault, sent;

	if (!login->paste.open)
		return talk_next(talk, wake_ms, why);
	/* First what has come already: it would not wake the wait. */
	fault = talk_next(talk, peerio_now_ms(), why);
	if (fault != FAULT_TIMEOUT ||
	    !paste_wait(&login->paste, talk->fd, wake_ms))
		return fault;
	sent = send_pasted(login, talk, why);
	return sent != FAULT_NONE ? sent : FAULT_TIMEOUT;
}

/* Until a list with a result has come. */
static enum fault follow(struct login *login, struct talk *talk,
    struct why *why)
{
	int64_t wake_ms;
	enum fault fault;

	for (;;) {
		wake_ms = login->declined ? peerio_now_ms() + AFTER_NO_MAX_MS :
					    signin_wake_ms(&login->signin);
		fault = next(login, talk, wake_ms, why);
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

static enum outcome finish(const struct login *login, struct talk *talk)
{
	enum fault fault = talk_result(talk);
	struct why why;

	if (login->plain &&
	    show_plain(login, &talk->list, &why) != FAULT_NONE) {
		screen_say("%s", why.text);
		return OUTCOME_NO;
	}
	if (fault != FAULT_NONE && !login->declined)
		return talk_refused(login->command, talk);
	if (login->declined) {
		screen_say("%s was not signed in, and nothing was kept",
		    login->account);
		return OUTCOME_NO;
	}
	talk_warn(&talk->list);
	if (!login->plain)
		signin_done(login->command, login->account, &talk->list);
	return OUTCOME_DONE;
}

static enum outcome sign_in(struct login *login)
{
	struct talk talk = TALK_INIT;
	struct why why = { .err = 0 };
	struct talk_request request;
	enum outcome outcome;
	enum fault fault;

	build_request(login, &request);
	fault = talk_open(&talk, login->command, &request, &why);
	if (fault == FAULT_NONE) {
		signin_catch_signals();
		fault = follow(login, &talk, &why);
		paste_close(&login->paste);
		signin_clear(&login->signin);
	}
	if (fault == FAULT_NONE)
		outcome = finish(login, &talk);
	else if (login->declined)
		outcome = OUTCOME_NO;
	else
		outcome = talk_failed(login->command, fault, &why);
	talk_close(&talk);
	return outcome;
}

/* Host programs ask for the very name: one that was mistyped helps nobody. */
static bool is_meant(const struct login *login)
{
	struct buf question = BUF_INIT(CHOICE_MAX_BYTES);
	const char *at = strchr(login->account, '@');
	bool yes;

	if (at != NULL && at != login->account && at[1] != '\0' &&
	    strpbrk(login->account, " \t\"<>,;") == NULL)
		return true;
	if (login->plain || isatty(STDIN_FILENO) != 1) {
		screen_say("%s is no mail address; if that is the account's "
			   "name all the same, add --any-name",
		    login->account);
		return false;
	}
	buf_add_str(&question, login->account);
	buf_add_lit(&question,
	    " is no mail address. Is that the account's name all the same?");
	yes = screen_confirm(buf_span(&question));
	buf_drop(&question);
	return yes;
}

enum outcome login_run(struct command *command)
{
	struct login login = {
		.command = command,
		.account = command->words[0],
		.plain = command->json || !screen_is_terminal(),
		.paste = PASTE_INIT,
	};

	if (command_account(login.account) != FAULT_NONE ||
	    command_servers(command) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (!command->any_name && !is_meant(&login))
		return OUTCOME_USAGE;
	return sign_in(&login);
}
