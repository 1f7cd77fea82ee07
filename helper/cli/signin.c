/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen and the keyboard of a sign-in.
 */
#include "cli/signin.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"

#define LIFE_MAX_S  86400
#define ROWS_PROMPT 3	/* in place of the time left */
#define QUIET_MS    300 /* after a line, before it is whole */
#define WAIT_MAX_MS 60000

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

static bool begins(struct span text, const char *with)
{
	return text.n > strlen(with) && memcmp(text.p, with, strlen(with)) == 0;
}

void signin_show(struct signin *signin, const char *account,
    const struct attrs *event)
{
	static const char fixed[] = "To sign in , open this :";
	struct span code = attr_get(event, ATTR_USER_CODE);
	struct span link = attr_get(event, ATTR_URL);
	struct span back = attr_get(event, ATTR_REDIRECT_URI);
	const char *what = "link in a browser on any device";
	char whole[SIGNIN_LINK_BYTES];
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

void signin_lapses(struct signin *signin, const struct attrs *event)
{
	int64_t left_s;

	if (attr_number(attr_get(event, ATTR_EXPIRES_IN), 0, LIFE_MAX_S,
		&left_s) == FAULT_NONE)
		signin->end_ms = ask_now_ms() + left_s * 1000;
}

int64_t signin_tick(struct signin *signin)
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

void signin_ask(struct signin *signin, const struct attrs *event)
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

void signin_clear(struct signin *signin)
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

bool signin_wait(struct signin *signin, int fd, int64_t wake_ms)
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
