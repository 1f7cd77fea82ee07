/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen of a sign-in.
 */
#include "cli/signin.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "cli/qr.h"
#include "cli/screen.h"
#include "cli/talk.h"

#define SCREEN_MAX_BYTES 65536
#define LIFE_MAX_S	 86400
#define ROWS_PROMPT	 3 /* in place of the time left */

/* The screen is decoration: a write that fails does not end the sign-in. */
static void put(struct buf *out)
{
	struct why why;

	(void)!screen_answer(out, &why);
}

static void add_shown(struct buf *out, struct span text)
{
	buf_add_lit(out, "    ");
	buf_add_str(out, screen_colours() ? "\033[1m" : "");
	screen_plain(out, text);
	buf_add_str(out, screen_colours() ? "\033[0m\n" : "\n");
}

/* How many rows of the terminal whole lines take. */
static size_t rows_of(struct span lines)
{
	size_t rows = 0, start = 0, i;

	for (i = 0; i < lines.n; i++) {
		if (lines.p[i] != '\n')
			continue;
		rows += 1 +
		    screen_width((struct span){ lines.p + start, i - start }) /
			screen_columns();
		start = i + 1;
	}
	return rows;
}

bool signin_link(const struct attrs *event, char link[SIGNIN_LINK_BYTES])
{
	struct span text = attr_get(event, ATTR_URL);

	if (text.n == 0)
		text = attr_get(event, ATTR_VERIFICATION_URI_COMPLETE);
	if (text.n == 0)
		text = attr_get(event, ATTR_VERIFICATION_URI);
	if (!attr_is_token(text, SIGNIN_LINK_BYTES - 1))
		return false;
	memcpy(link, text.p, text.n);
	link[text.n] = '\0';
	return true;
}

/* With its title, where taken rows leave room. */
static void add_picture(struct buf *out, const struct attrs *event,
    size_t taken)
{
	struct buf picture = BUF_INIT(SCREEN_MAX_BYTES);
	char link[SIGNIN_LINK_BYTES];

	if (!screen_pictures() || ++taken >= screen_rows() ||
	    !signin_link(event, link))
		return;
	if (qr_draw(link, screen_columns(), screen_rows() - taken,
		screen_colours(), &picture)) {
		buf_add_lit(out, "The link as a picture, for a telephone:\n");
		buf_add(out, buf_span(&picture));
	}
	buf_drop(&picture);
}

static void set_end(struct signin *signin, const struct attrs *event)
{
	int64_t left_s;

	if (attr_get_int(event, ATTR_EXPIRES_IN, 0, LIFE_MAX_S, &left_s) ==
	    FAULT_NONE)
		signin->end_ms = peerio_now_ms() + left_s * 1000;
}

static void begin(struct signin *signin, const struct attrs *event)
{
	signin_clear(signin);
	signin->shown = true;
	signin->said_s = -1;
	set_end(signin, event);
}

/* Whether the browser comes back by itself. */
static bool is_here(struct span uri)
{
	static const char *const here[] = { "http://127.0.0.1:",
		"http://localhost:" };
	size_t i;

	for (i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		if (uri.n > strlen(here[i]) &&
		    memcmp(uri.p, here[i], strlen(here[i])) == 0)
			return true;
	return false;
}

void signin_show(struct signin *signin, const char *account,
    const struct attrs *event)
{
	bool code = attr_is(event, ATTR_EVENT, EVENT_SHOW_CODE);
	bool comes_back = is_here(attr_get(event, ATTR_REDIRECT_URI));
	struct buf out = BUF_INIT(2 * SCREEN_MAX_BYTES);
	struct buf words = BUF_INIT(SCREEN_MAX_BYTES);

	begin(signin, event);
	screen_line(&words, "To sign in %s, open this %s:", account,
	    code	   ? "page in a browser on any device" :
		comes_back ? "link in a browser on this computer" :
			     "link in a browser on any device");
	add_shown(&words,
	    attr_get(event, code ? ATTR_VERIFICATION_URI : ATTR_URL));
	if (code) {
		screen_line(&words, "and enter this code:");
		add_shown(&words, attr_get(event, ATTR_USER_CODE));
	}
	add_picture(&out, event,
	    rows_of(buf_span(&words)) + (code ? 1 : ROWS_PROMPT));
	buf_add(&out, buf_span(&words));
	buf_drop(&words);
	put(&out);
	signin_tick(signin);
}

void signin_prompt(struct signin *signin, const struct attrs *event)
{
	struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
	struct span text = attr_get(event, ATTR_TEXT);

	signin_clear(signin);
	signin->shown = true;
	signin->prompted = true;
	if (text.n > 0)
		screen_line(&out, "%c%.*s.", toupper((unsigned char)text.p[0]),
		    (int)text.n - 1, text.p + 1);
	buf_add_lit(&out, "Paste the address you ended at: ");
	put(&out);
}

static int64_t left_s(const struct signin *signin)
{
	int64_t left_ms = signin->end_ms - peerio_now_ms();

	return left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}

void signin_waiting(struct signin *signin, const struct attrs *event)
{
	set_end(signin, event);
	signin_tick(signin);
}

/* What the time is rounded up to: a plain terminal gets a line a minute. */
static int64_t step_s(void)
{
	return screen_in_place() ? 1 : 60;
}

void signin_tick(struct signin *signin)
{
	struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
	int64_t left = left_s(signin), step = step_s();
	char clock[32];

	left = (left + step - 1) / step * step;
	/* The helper's clock and ours may differ by a moment: never go up. */
	if (!signin->shown || signin->prompted ||
	    (signin->said_s >= 0 && left >= signin->said_s))
		return;
	signin->said_s = left;
	if (screen_in_place()) {
		(void)snprintf(clock, sizeof(clock), "%lld:%02lld",
		    (long long)(left / 60), (long long)(left % 60));
		buf_add_lit(&out, "\rWaiting for you; ");
		buf_add_str(&out, clock);
		buf_add_lit(&out, " left\033[K");
	} else {
		buf_add_lit(&out, "Waiting for you; ");
		screen_duration(&out, left);
		buf_add_lit(&out, " left\n");
	}
	put(&out);
}

int64_t signin_wake_ms(const struct signin *signin)
{
	int64_t step_ms = step_s() * 1000, left_ms;

	if (!signin->shown || signin->prompted)
		return PEERIO_FOREVER;
	left_ms = signin->end_ms - peerio_now_ms();
	if (left_ms <= 0)
		return PEERIO_FOREVER;
	return peerio_now_ms() + (left_ms - 1) % step_ms + 1;
}

void signin_clear(struct signin *signin)
{
	struct buf out = BUF_INIT(SCREEN_MAX_BYTES);

	if (signin->shown && screen_in_place())
		buf_add_lit(&out, "\r\033[K");
	else if (signin->prompted)
		buf_add_lit(&out, "\n");
	if (out.n > 0)
		put(&out);
	signin->shown = false;
	signin->prompted = false;
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

void signin_done(const struct command *command, const char *account,
    const struct attrs *done)
{
	struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
	struct span servers = attr_get(done, ATTR_SERVERS);
	struct span identity = attr_get(done, ATTR_IDENTITY);

	if (attr_has(done, ATTR_TEXT)) /* nobody had to sign in */
		screen_line(&out, "%.*s.", SPAN(attr_get(done, ATTR_TEXT)));
	else
		screen_line(&out, "%s is signed in (provider %.*s).", account,
		    SPAN(attr_get(done, ATTR_PROVIDER)));
	if (identity.n > 0 && !is_among(account, identity))
		screen_line(&out, "It was %.*s who signed in for it.",
		    SPAN(identity));
	if (servers.n > 0)
		screen_line(&out, "Tokens for %.*s are kept fresh from now on.",
		    SPAN(servers));
	else
		screen_line(&out, "Its tokens are kept fresh from now on.");
	talk_whose(command, &out);
	put(&out);
}

static volatile sig_atomic_t newline_first;

/* Only what signal-safety(7) allows. */
static void cancel(int number)
{
	static const char text[] = "\nmailtoken: the sign-in was cancelled\n";
	size_t skip = newline_first ? 0 : 1;

	(void)number;
	(void)!write(STDERR_FILENO, text + skip, sizeof(text) - 1 - skip);
	_exit(OUTCOME_NO);
}

void signin_catch_signals(void)
{
	struct sigaction action = { .sa_handler = cancel };

	newline_first = screen_is_terminal() ? 1 : 0;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}
