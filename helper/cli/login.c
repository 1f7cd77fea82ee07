/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken login: the dialogue of a sign-in, and what a human sees and types
 * meanwhile.
 *
 * Owns the screen: link, code, picture, the time left.  Owns standard input
 * while an address may be pasted, and the bytes that came, which hold a code
 * and are wiped: reads it by read(2), never stdio, and not at all while
 * another job has the terminal.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include "cli/screen.h"
#include "cli/talk.h"

#define MX_MAX_BYTES	1000
#define AFTER_NO_MAX_MS 5000 /* the helper's last word after our "no" */

#define LINK_BYTES  8192
#define PASTE_BYTES 16384
#define LIFE_MAX_S  86400
#define ROWS_PROMPT 3	/* in place of the time left */
#define QUIET_MS    300 /* after a line, before it is whole */
#define WAIT_MAX_MS 60000

struct signin {
	enum {
		SIGNIN_NOTHING,
		SIGNIN_TIME_LEFT,
		SIGNIN_PROMPT
	} below;	/* what stands below the link */
	int64_t end_ms; /* when it lapses; clock of ask_now_ms() */
	int64_t said_s; /* the time left that stands on the screen */

	bool reads;	  /* an address is waited for */
	bool ended;	  /* and nothing more will come */
	bool line;	  /* what came has a whole line */
	int64_t quiet_ms; /* when that counts as all */
	struct buf pasted;
};

struct login {
	struct talk talk;
	bool plain;    /* for programs: lines or JSON */
	bool declined; /* we answered no */
	struct signin signin;
};

static void add_shown(struct span text)
{
	screen_add(screen.colours ? "    \033[1m" : "    ");
	screen_plain(&screen_out, text);
	screen_add(screen.colours ? "\033[0m\n" : "\n");
}

/* How many rows a text takes with n characters around it. */
static size_t rows_of(struct span text, size_t n)
{
	return 1 + (screen_width(text) + n) / screen.columns;
}

/* The most useful link of an event, printable ASCII; false where it has none.
 */
static bool signin_link(const struct attrs *event, char link[LINK_BYTES])
{
	struct span text = attr_get(event, ATTR_URL);

	if (text.n == 0)
		text = attr_get(event, ATTR_VERIFICATION_URI_COMPLETE);
	if (text.n == 0)
		text = attr_get(event, ATTR_VERIFICATION_URI);
	if (!attr_is_token(text, LINK_BYTES - 1))
		return false;
	memcpy(link, text.p, text.n);
	link[text.n] = '\0';
	return true;
}

static bool begins(struct span text, const char *with)
{
	return text.n > strlen(with) && memcmp(text.p, with, strlen(with)) == 0;
}

/* Take the time left from an event, if it has one. */
static void signin_lapses(struct signin *signin, const struct attrs *event)
{
	int64_t left_s;

	if (attr_number(attr_get(event, ATTR_EXPIRES_IN), 0, LIFE_MAX_S,
		&left_s) == FAULT_NONE)
		signin->end_ms = ask_now_ms() + left_s * 1000;
}

/* A picture of the link where all the rest stays on the screen below it, then
 * the link and the code; nothing stands below the cursor before. */
static void signin_show(struct signin *signin, const char *account,
    const struct attrs *event)
{
	static const char fixed[] = "To sign in , open this :";
	struct span code = attr_get(event, ATTR_USER_CODE);
	struct span link = attr_get(event, ATTR_URL);
	struct span back = attr_get(event, ATTR_REDIRECT_URI);
	const char *what = "link in a browser on any device";
	char whole[LINK_BYTES];
	size_t below;

	if (code.n > 0) {
		what = "page in a browser on any device";
		link = attr_get(event, ATTR_VERIFICATION_URI);
	} else if (begins(back, "http://127.0.0.1:") ||
	    begins(back, "http://localhost:")) {
		/* The browser comes back by itself. */
		what = "link in a browser on this computer";
	}
	below = rows_of(span_of(account), sizeof(fixed) - 1 + strlen(what)) +
	    rows_of(link, 4) +
	    (code.n > 0 ? 2 + rows_of(code, 4) : ROWS_PROMPT);
	if (screen.pictures && below < screen.rows && signin_link(event, whole))
		qr_draw(whole, screen.rows - below);
	screen_print("To sign in %s, open this %s:\n", account, what);
	add_shown(link);
	if (code.n > 0) {
		screen_add("and enter this code:\n");
		add_shown(code);
	}
	screen_flush();
	signin->below = SIGNIN_TIME_LEFT;
	signin->said_s = INT64_MAX;
	signin_lapses(signin, event);
}

/* Bring the time left up to date; when that is due again. */
static int64_t signin_tick(struct signin *signin)
{
	/* A terminal that cannot rewrite a line gets one a minute. */
	int64_t step_ms = screen.in_place ? 1000 : 60000;
	int64_t now_ms = ask_now_ms(), left_ms = signin->end_ms - now_ms;
	int64_t left_s;

	if (signin->below != SIGNIN_TIME_LEFT)
		return ASK_FOREVER;
	left_ms = left_ms > 0 ? left_ms : 0;
	left_s = (left_ms + step_ms - 1) / step_ms * (step_ms / 1000);
	/* The helper's clock and ours may differ by a moment: never go up. */
	if (left_s < signin->said_s && screen.in_place) {
		screen_add("\r");
		screen_print("Waiting for you; %lld:%02lld left",
		    (long long)left_s / 60, (long long)left_s % 60);
		screen_add("\033[K");
	} else if (left_s < signin->said_s) {
		screen_print("Waiting for you; %s left\n",
		    screen_left(left_s).text);
	}
	if (left_s < signin->said_s)
		signin->said_s = left_s;
	screen_flush();
	return left_ms > 0 ? now_ms + (left_ms - 1) % step_ms + 1 : ASK_FOREVER;
}

/* Take what is below the link off the screen, read no address any more, and
 * wipe. */
static void signin_clear(struct signin *signin)
{
	if (signin->below != SIGNIN_NOTHING && screen.in_place)
		screen_add("\r\033[K");
	else if (signin->below == SIGNIN_PROMPT)
		screen_add("\n");
	screen_flush();
	signin->below = SIGNIN_NOTHING;
	signin->reads = false;
	signin->line = false;
	buf_drop(&signin->pasted);
}

/* Begin to read an address, with the words of an ask event and a prompt if
 * there is one. */
static void signin_ask(struct signin *signin, const struct attrs *event)
{
	struct span text;

	if (event != NULL) {
		signin_clear(signin);
		text = attr_get(event, ATTR_TEXT);
		signin->below = SIGNIN_PROMPT;
		if (text.n > 0)
			screen_print("%c%.*s.\n",
			    toupper((unsigned char)text.p[0]), (int)text.n - 1,
			    text.p + 1);
		screen_print("Paste the address you ended at: ");
		screen_flush();
	}
	signin->reads = true;
}

/* True when an empty line, or the end, makes it whole. */
static bool read_some(struct signin *signin)
{
	char bytes[4096];
	bool whole = false;
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes)), i;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	signin->ended = n <= 0;
	for (i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			whole = whole ||
			    (signin->line && (i == 0 || bytes[i - 1] == '\n'));
			signin->line = signin->pasted.n > 0;
		} else if ((unsigned char)bytes[i] > 0x20 && bytes[i] != 0x7f) {
			buf_add(&signin->pasted, (struct span){ bytes + i, 1 });
		}
	}
	explicit_bzero(bytes, sizeof(bytes));
	/* Too long for any address: the helper says so of what fits. */
	signin->pasted.fault = FAULT_NONE;
	signin->quiet_ms = ask_now_ms() + QUIET_MS;
	return (whole || signin->ended) && signin->pasted.n > 0;
}

/*
 * Until fd can be read, an address was pasted, or wake_ms.  Lines that come in
 * one go are one address that was broken: they count as whole when it is quiet
 * for a moment, or at an empty line.  True when signin->pasted is whole,
 * without the lines' ends.
 */
static bool signin_wait(struct signin *signin, int fd, int64_t wake_ms)
{
	/* A job in the background would be stopped by reading its terminal. */
	pid_t front = tcgetpgrp(STDIN_FILENO);
	bool may_read = !signin->ended && (front == -1 || front == getpgrp());
	struct pollfd polls[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = may_read ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int64_t left_ms;
	int n;

	if (signin->line && wake_ms > signin->quiet_ms)
		wake_ms = signin->quiet_ms;
	left_ms = wake_ms - ask_now_ms();
	left_ms = left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : left_ms;
	n = poll(polls, 2, left_ms > 0 ? (int)left_ms : 0);
	if (n > 0 && polls[1].revents != 0)
		return read_some(signin);
	return n >= 0 && signin->line && ask_now_ms() >= signin->quiet_ms;
}

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
	char link[LINK_BYTES];
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
		.signin.pasted = BUF_INIT(PASTE_BYTES),
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
