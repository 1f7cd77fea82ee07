/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Terminal facts, harmless text, and writing.
 */
#include "cli/screen.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define ANSWER_MAX_BYTES ((size_t)1 << 30) /* a hundred thousand accounts */
#define LINE_MAX_BYTES	 (4 * WIRE_LIST_MAX_BYTES)

struct screen screen;
struct buf screen_out = BUF_INIT(ANSWER_MAX_BYTES);

void screen_init(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	const char *locale = "";
	struct winsize size = { 0 };
	size_t i;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	for (i = 0; i < 3 && locale[0] == '\0'; i++)
		if (getenv(names[i]) != NULL)
			locale = getenv(names[i]);
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen.terminal = isatty(STDOUT_FILENO) == 1;
	screen.keyboard = isatty(STDIN_FILENO) == 1;
	screen.in_place = screen.terminal && term != NULL && term[0] != '\0' &&
	    strcmp(term, "dumb") != 0;
	screen.colours = screen.in_place &&
	    (no_color == NULL || no_color[0] == '\0');
	screen.pictures = screen.in_place &&
	    (strcasestr(locale, "utf-8") != NULL ||
		strcasestr(locale, "utf8") != NULL);
	screen.columns = size.ws_col > 0 ? size.ws_col : 80;
	screen.rows = size.ws_row > 0 ? size.ws_row : 24;
}

/*
 * The character at p: its bytes, and its columns or -1 for one that would do
 * harm.  U+200B-200F, U+2028-202E and U+2060-206F hide text or turn it round.
 */
static int width_at(const char *p, size_t n, size_t *bytes_out)
{
	unsigned code = 0;

	*bytes_out = attr_utf8(p, n, &code);
	if (*bytes_out == 0) {
		*bytes_out = 1;
		return -1;
	}
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) ||
	    (code >= 0x200b && code <= 0x200f) ||
	    (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2060 && code <= 0x206f))
		return -1;
	return wcwidth((wchar_t)code) < 0 ? 1 : wcwidth((wchar_t)code);
}

void screen_plain(struct buf *out, struct span text)
{
	size_t i, n;

	for (i = 0; i < text.n; i += n) {
		if (width_at(text.p + i, text.n - i, &n) < 0)
			buf_add_lit(out, "?");
		else
			buf_add(out, (struct span){ text.p + i, n });
	}
}

/* The bytes at its start that take at most columns, and how many they take. */
static size_t fitting(struct span text, size_t columns, size_t *columns_out)
{
	size_t i, n;
	int wide;

	*columns_out = 0;
	for (i = 0; i < text.n; i += n) {
		wide = width_at(text.p + i, text.n - i, &n);
		wide = wide < 0 ? 1 : wide;
		if (*columns_out + (size_t)wide > columns)
			break;
		*columns_out += (size_t)wide;
	}
	return i;
}

size_t screen_width(struct span text)
{
	size_t columns;

	(void)fitting(text, SIZE_MAX, &columns);
	return columns;
}

void screen_cut(struct span text, size_t columns)
{
	size_t at;

	if (fitting(text, columns, &at) == text.n) {
		screen_plain(&screen_out, text);
	} else {
		text.n = fitting(text, columns - 3, &at);
		screen_plain(&screen_out, text);
		screen_add("...");
		at += 3;
	}
	for (; at < columns; at++)
		screen_add(" ");
}

/* A word is never broken: it may be a command or a link. */
void screen_wrap(struct span text, size_t indent)
{
	size_t room = screen.columns > 2 * indent ? screen.columns - indent : 1;
	size_t cut, at;

	while (screen.terminal && (cut = fitting(text, room, &at)) < text.n) {
		while (cut > 0 && text.p[cut] != ' ')
			cut--;
		while (cut == 0 || (cut < text.n && text.p[cut] != ' '))
			cut++;
		if (cut == text.n)
			break;
		screen_plain(&screen_out, (struct span){ text.p, cut });
		screen_add("\n");
		screen_print("%*s", (int)indent, "");
		text.p += cut + 1;
		text.n -= cut + 1;
	}
	screen_plain(&screen_out, text);
	screen_add("\n");
}

/* By way of a buf, which wipes: a line may have a code of a sign-in. */
PRINTF_LIKE(2, 0)
static void add_text(struct buf *out, const char *format, va_list args)
{
	bool line = strlen(format) > 0 && format[strlen(format) - 1] == '\n';
	struct buf text = BUF_INIT(LINE_MAX_BYTES);
	size_t room = 0;
	va_list again;
	char *p;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	p = buf_space(&text, n < 0 ? SIZE_MAX : (size_t)n, &room);
	if (p == NULL || n < 0 || room < (size_t)n) {
		out->fault = p == NULL ? buf_fault(&text) : FAULT_TOO_BIG;
	} else {
		(void)vsnprintf(p, room + 1, format, args);
		screen_plain(out, (struct span){ p, (size_t)n - line });
		buf_add_str(out, line ? "\n" : "");
	}
	buf_drop(&text);
}

void screen_add(const char *text)
{
	buf_add_str(&screen_out, text);
}

void screen_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_text(&screen_out, format, args);
	va_end(args);
}

struct screen_left screen_left(int64_t seconds)
{
	long long s = seconds > 0 ? seconds : 0;
	struct screen_left left;
	size_t n = sizeof(left.text);

	if (s >= 2LL * 86400)
		(void)snprintf(left.text, n, "%lld days", s / 86400);
	else if (s >= 3600 && s % 3600 >= 60)
		(void)snprintf(left.text, n, "%lld h %lld min", s / 3600,
		    s % 3600 / 60);
	else if (s >= 3600)
		(void)snprintf(left.text, n, "%lld h", s / 3600);
	else if (s >= 60)
		(void)snprintf(left.text, n, "%lld min", s / 60);
	else
		(void)snprintf(left.text, n, "%lld s", s);
	return left;
}

int64_t screen_now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

/* 0, or the errno that says why not. */
static int write_all(int fd, struct span bytes)
{
	struct pollfd poller = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (bytes.n > 0) {
		n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EAGAIN) {
			(void)poll(&poller, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return errno;
		} else if (n > 0) {
			bytes.p += n;
			bytes.n -= (size_t)n;
		}
	}
	return 0;
}

enum outcome outcome_of(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return OUTCOME_DONE;
	case FAULT_TRY_LATER:
	case FAULT_BUSY:
	case FAULT_TIMEOUT:
	case FAULT_INTERNAL:
	case FAULT_NO_HELPER:
	case FAULT_NOMEM: return OUTCOME_LATER;
	case FAULT_DENIED: return OUTCOME_DENIED;
	case FAULT_BAD_REQUEST:
	case FAULT_GRAMMAR:
	case FAULT_TOO_BIG: return OUTCOME_USAGE;
	case FAULT_LOGIN_NEEDED:
	case FAULT_UNKNOWN_ACCOUNT:
	case FAULT_WRONG_SERVER:
	case FAULT_CONFIG_ERROR:
	case FAULT_UNTRUSTED:
	case FAULT_GARBLED:
	case FAULT_IO:
	case FAULT_UNSAFE:
	case FAULT_NOT_FOUND:
	case FAULT_LOCKED:
	case FAULT_READ_ONLY: return OUTCOME_NO;
	}
	return OUTCOME_NO;
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	if (a == OUTCOME_DONE)
		return b;
	if (b == OUTCOME_DONE || a == b)
		return a;
	return OUTCOME_NO;
}

void screen_flush(void)
{
	enum fault fault = buf_fault(&screen_out);
	struct why why;
	int err = fault == FAULT_NONE ?
	    write_all(STDOUT_FILENO, buf_span(&screen_out)) :
	    0;

	buf_drop(&screen_out);
	if (fault == FAULT_NONE && err == 0)
		return;
	why_set(&why, err, "cannot write the answer");
	screen_say("%s", err != 0 ? why.text : fault_text(fault));
	_exit((int)(err != 0 ? OUTCOME_NO : outcome_of(fault)));
}

bool screen_confirm(const char *format, ...)
{
	va_list args;
	int first, c;

	va_start(args, format);
	add_text(&screen_out, format, args);
	va_end(args);
	screen_add("\n[y/N] ");
	screen_flush();
	/* To its end: what is left would answer the next question. */
	for (c = first = getchar(); c != '\n' && c != EOF;)
		c = getchar();
	if (first == EOF)
		screen_add("\n");
	screen_flush(); /* before what is said next */
	return first == 'y' || first == 'Y';
}

void screen_say(const char *format, ...)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	va_list args;

	if (screen.said != NULL) {
		buf_add_str(screen.said, screen.said->n > 0 ? "; " : "");
		va_start(args, format);
		add_text(screen.said, format, args);
		va_end(args);
		return;
	}
	buf_add_lit(&line, "mailtoken: ");
	va_start(args, format);
	add_text(&line, format, args);
	va_end(args);
	buf_add_lit(&line, "\n");
	/* Nobody could be told that stderr is gone. */
	(void)write_all(STDERR_FILENO, buf_span(&line));
	buf_drop(&line);
}
