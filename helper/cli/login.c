/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken login: the dialogue of a sign-in.
 */
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include "cli/screen.h"
#include "cli/signin.h"
#include "cli/talk.h"

#define MX_MAX_BYTES	1000
#define AFTER_NO_MAX_MS 5000 /* the helper's last word after our "no" */

struct login {
	struct talk talk;
	bool plain;    /* for programs: lines or JSON */
	bool declined; /* we answered no */
	struct signin signin;
};

/* "event=done" stands before a list that only has a result. */
static void show_plain(const struct talk *talk)
{
	const struct attrs *list = &talk->list;
	size_t i;

	if (!talk_json(talk)) {
		if (!attr_has(list, ATTR_EVENT))
			screen_add(ATTR_EVENT "=" EVENT_DONE "\n");
		for (i = 1; i < list->n; i++)
			screen_print("%.*s=%.*s\n", SPAN(list->at[i].name),
			    SPAN(list->at[i].value));
	}
	screen_flush();
}

static enum fault answer(struct login *login)
{
	const struct attrs *event = &login->talk.list;
	bool other = attr_is(event, ATTR_QUESTION, QUESTION_OTHER_USER);
	bool known = other || attr_is(event, ATTR_QUESTION, QUESTION_PROVIDER);
	bool yes = false;

	signin_clear(&login->signin);
	if (known && !login->plain && screen.keyboard)
		yes = screen_confirm("%.*s", SPAN(attr_get(event, ATTR_TEXT)));
	else if (other)
		screen_say("somebody else signed in; if that is meant, sign in "
			   "again with --as-delegate");
	else
		screen_say("the helper asks what this version cannot answer");
	login->declined = !yes;
	return talk_answer(&login->talk, span_of(yes ? "yes" : "no"));
}

/* One event that does not end the sign-in. */
static enum fault take_event(struct login *login)
{
	struct talk *talk = &login->talk;
	const struct attrs *event = &talk->list;
	char link[SIGNIN_LINK_BYTES];
	struct why why;

	if (login->plain) {
		show_plain(talk);
	} else if (attr_is(event, ATTR_EVENT, EVENT_SHOW_CODE) ||
	    attr_is(event, ATTR_EVENT, EVENT_SHOW_URL)) {
		signin_clear(&login->signin);
		/* With which provider and how, and why so. */
		if (attr_has(event, ATTR_TEXT))
			screen_print("Signing in with %.*s.\n",
			    SPAN(attr_get(event, ATTR_TEXT)));
		signin_show(&login->signin, talk->account, event);
	} else if (attr_is(event, ATTR_EVENT, EVENT_WAITING)) {
		signin_lapses(&login->signin, event);
	}
	if (talk->command->browser != NULL && signin_link(event, link) &&
	    strncmp(link, "https://", 8) == 0 && !start_browser(link, &why))
		screen_say("%s", why.text);
	if (!attr_is(event, ATTR_EVENT, EVENT_ASK))
		return FAULT_NONE;
	if (!attr_is(event, ATTR_QUESTION, QUESTION_PASTE_URL))
		return answer(login);
	/* The browser may come back by itself: nothing waits for this. */
	if (login->plain && screen.keyboard)
		screen_say("%.*s", SPAN(attr_get(event, ATTR_TEXT)));
	signin_ask(&login->signin,
	    login->plain || !screen.keyboard ? NULL : event);
	return FAULT_NONE;
}

/* Until a list with a result has come. */
static enum fault follow(struct login *login)
{
	struct signin *signin = &login->signin;
	struct talk *talk = &login->talk;
	enum fault fault = FAULT_NONE;
	int64_t wake_ms;

	while (fault == FAULT_NONE) {
		wake_ms = login->declined ? ask_now_ms() + AFTER_NO_MAX_MS :
					    signin_tick(signin);
		/* First what has come already: it would not wake the wait. */
		fault = talk_next(talk, signin->reads ? ask_now_ms() : wake_ms);
		if (fault == FAULT_NONE) {
			if (attr_has(&talk->list, ATTR_RESULT))
				break;
			fault = take_event(login);
			continue;
		}
		if (fault != FAULT_TIMEOUT || login->declined)
			break;
		fault = FAULT_NONE;
		if (!signin->reads || !signin_wait(signin, talk->fd, wake_ms))
			continue;
		fault = talk_answer(talk, buf_span(&signin->pasted));
		signin_clear(signin);
		if (fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG) {
			why_set(&talk->why, 0,
			    "what was pasted cannot be sent");
			fault = FAULT_GRAMMAR;
		}
	}
	return fault;
}

static bool is_among(const char *account, struct span names)
{
	size_t n = strlen(account), i;

	for (i = 0; i + n <= names.n; i++)
		if (strncasecmp(names.p + i, account, n) == 0 &&
		    (i == 0 || names.p[i - 1] == ' ') &&
		    (i + n == names.n || names.p[i + n] == ' '))
			return true;
	return false;
}

/* What happens from now on. */
static void show_done(const struct talk *talk)
{
	const struct attrs *done = &talk->list;
	struct span servers = attr_get(done, ATTR_SERVERS);
	struct span identity = attr_get(done, ATTR_IDENTITY);

	if (attr_has(done, ATTR_TEXT)) /* nobody had to sign in */
		screen_print("%.*s.\n", SPAN(attr_get(done, ATTR_TEXT)));
	else
		screen_print("%s is signed in (provider %.*s).\n",
		    talk->account, SPAN(attr_get(done, ATTR_PROVIDER)));
	if (identity.n > 0 && !is_among(talk->account, identity))
		screen_print("It was %.*s who signed in for it.\n",
		    SPAN(identity));
	if (servers.n > 0)
		screen_print("Tokens for %.*s are kept fresh from now on.\n",
		    SPAN(servers));
	else
		screen_print("Its tokens are kept fresh from now on.\n");
	talk_whose(talk);
}

/* Only what signal-safety(7) allows. */
static void cancel(int number)
{
	static const char text[] = "\nmailtoken: the sign-in was cancelled\n";
	size_t skip = screen.terminal ? 0 : 1;

	(void)number;
	(void)!write(STDERR_FILENO, text + skip, sizeof(text) - 1 - skip);
	_exit(OUTCOME_NO); /* the kernel hangs up, which cancels */
}

/* Host programs ask for the very name: one that was mistyped helps nobody. */
static bool is_meant(const struct command *command, bool plain)
{
	const char *name = command->words[0], *at = strchr(name, '@');

	if (command->any_name != NULL ||
	    (at != NULL && at != name && at[1] != '\0' &&
		strpbrk(name, " \t\"<>,;") == NULL))
		return true;
	if (plain || !screen.keyboard) {
		screen_say("%s is no mail address; if that is the account's "
			   "name all the same, add --any-name",
		    name);
		return false;
	}
	return screen_confirm(
	    "%s is no mail address. Is that the account's name all the same?",
	    name);
}

enum outcome login_run(struct command *command)
{
	const struct sigaction action = { .sa_handler = cancel };
	const char *at = strrchr(command->words[0], '@');
	struct buf exchangers = BUF_INIT(MX_MAX_BYTES);
	struct login login = {
		.plain = command->json != NULL || !screen.terminal,
		.signin = SIGNIN_INIT,
	};
	struct talk *talk = &login.talk;
	enum fault fault;

	if (!command_servers(command) || !is_meant(command, login.plain))
		return OUTCOME_USAGE;
	/* Where a human can say no to what they lead to. */
	if (!login.plain && screen.keyboard && at != NULL &&
	    command->provider == NULL && command->issuer == NULL)
		mx_find(at + 1, &exchangers);
	talk_begin(talk, command, VERB_SIGN_IN, command->words[0]);
	talk_put(talk, ATTR_PROVIDER, command->provider);
	talk_put(talk, ATTR_FLOW, command->flow);
	talk_put(talk, ATTR_ISSUER, command->issuer);
	talk_put(talk, ATTR_PROTOCOLS, command->protocols);
	talk_put(talk, ATTR_MX, exchangers.p);
	talk_put_servers(talk);
	talk_put(talk, ATTR_AS_DELEGATE, command->as_delegate);
	buf_drop(&exchangers);
	fault = talk_open(talk);
	if (fault == FAULT_NONE) {
		(void)sigaction(SIGINT, &action, NULL);
		(void)sigaction(SIGTERM, &action, NULL);
		fault = follow(&login);
		signin_clear(&login.signin);
	}
	if (fault == FAULT_NONE && login.plain)
		show_plain(talk);
	if (login.declined) {
		if (fault == FAULT_NONE)
			screen_say("%s was not signed in, and nothing was kept",
			    talk->account);
		talk_close(talk);
		return OUTCOME_NO;
	}
	if (fault == FAULT_NONE && ask_result(&talk->list) == FAULT_NONE) {
		talk_warn(talk, "");
		if (!login.plain)
			show_done(talk);
	}
	return talk_end(talk, fault);
}
