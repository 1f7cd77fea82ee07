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

#include "wire/attr.h"

#define SENTENCE_MAX_BYTES 2048
#define LINE_MAX_BYTES	   (4 * 65536) /* the longest values in a row */
#define PREFIX		   "mailtoken: "

void screen_init(void)
{
	(void)setlocale(LC_CTYPE, "C.UTF-8");
}

bool screen_is_terminal(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

bool screen_can_ask(void)
{
	return isatty(STDIN_FILENO) == 1 && screen_is_terminal();
}

bool screen_in_place(void)
{
	const char *term = getenv("TERM");

	return screen_is_terminal() && term != NULL && term[0] != '\0' &&
	    strcmp(term, "dumb") != 0;
}

bool screen_colours(void)
{
	const char *no_color = getenv("NO_COLOR");

	return screen_in_place() && (no_color == NULL || no_color[0] == '\0');
}

bool screen_pictures(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = "";
	size_t i;

	for (i = 0; i < 3 && value[0] == '\0'; i++)
		if (getenv(names[i]) != NULL)
			value = getenv(names[i]);
	return screen_in_place() &&
	    (strcasestr(value, "utf-8") != NULL ||
		strcasestr(value, "utf8") != NULL);
}

size_t screen_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

size_t screen_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
		return 24;
	return size.ws_row;
}

int64_t screen_now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

/*
 * The character at p: its bytes, and its columns or -1 for one that would do
 * harm.  U+200B-200F, U+2028-202E and U+2060-206F hide text or turn it round.
 */
static int width_at(const char *p, size_t n, size_t *bytes_out)
{
	wchar_t c = 0;

	*bytes_out = attr_utf8_bytes((const unsigned char *)p, n);
	if (*bytes_out == 0) {
		*bytes_out = 1;
		return -1;
	}
	if (*bytes_out == 1)
		return *p >= 0x20 && *p != 0x7f ? 1 : -1;
	if (mbrtowc(&c, p, *bytes_out, &(mbstate_t){ 0 }) != *bytes_out)
		return 1;
	if (c < 0xa0 || (c >= 0x200b && c <= 0x200f) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f))
		return -1;
	return wcwidth(c) < 0 ? 1 : wcwidth(c);
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

size_t screen_width(struct span text)
{
	size_t i, n, columns = 0;
	int wide;

	for (i = 0; i < text.n; i += n) {
		wide = width_at(text.p + i, text.n - i, &n);
		columns += wide < 0 ? 1 : (size_t)wide;
	}
	return columns;
}

void screen_cut(struct buf *out, struct span text, size_t columns)
{
	size_t at = screen_width(text), i, n;
	int wide;

	if (at <= columns) {
		screen_plain(out, text);
	} else {
		for (i = at = 0; i < text.n; i += n) {
			wide = width_at(text.p + i, text.n - i, &n);
			wide = wide < 0 ? 1 : wide;
			if (at + (size_t)wide > columns - 3)
				break;
			at += (size_t)wide;
		}
		screen_plain(out, (struct span){ text.p, i });
		buf_add_lit(out, "...");
		at += 3;
	}
	for (; at < columns; at++)
		buf_add_lit(out, " ");
}

void screen_line(struct buf *out, const char *format, ...)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	size_t room = 0;
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	p = buf_space(&line, n < 0 ? SIZE_MAX : (size_t)n + 1, &room);
	if (p == NULL || n < 0 || room <= (size_t)n) {
		out->fault = p == NULL ? buf_fault(&line) : FAULT_TOO_BIG;
	} else {
		va_start(args, format);
		(void)vsnprintf(p, room, format, args);
		va_end(args);
		screen_plain(out, (struct span){ p, (size_t)n });
		buf_add_lit(out, "\n");
	}
	buf_drop(&line);
}

void screen_duration(struct buf *out, int64_t seconds)
{
	int64_t n = seconds < 1 ? 0 : seconds;
	const char *unit = " s";

	if (n >= 2 * 86400) {
		n /= 86400;
		unit = " days";
	} else if (n >= 3600) {
		buf_add_int(out, n / 3600);
		buf_add_lit(out, " h");
		n = n % 3600 / 60;
		if (n == 0)
			return;
		buf_add_lit(out, " ");
		unit = " min";
	} else if (n >= 60) {
		n /= 60;
		unit = " min";
	}
	buf_add_int(out, n);
	buf_add_str(out, unit);
}

static enum fault write_all(int fd, struct span bytes, struct why *why)
{
	struct pollfd poller = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (bytes.n > 0) {
		n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EAGAIN) {
			(void)poll(&poller, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			why_set(why, errno, "cannot write the answer");
			return FAULT_IO;
		}
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return FAULT_NONE;
}

enum fault screen_answer(struct buf *out, struct why *why)
{
	enum fault fault = buf_fault(out);

	if (fault == FAULT_NONE)
		fault = write_all(STDOUT_FILENO, buf_span(out), why);
	else
		why_set(why, 0, "%s", fault_text(fault));
	buf_drop(out);
	return fault;
}

bool screen_confirm(struct span question)
{
	struct buf out = BUF_INIT(4 * SENTENCE_MAX_BYTES);
	struct why why;
	int first, c;

	screen_line(&out, "%.*s", SPAN(question));
	buf_add_lit(&out, "[y/N] ");
	if (screen_answer(&out, &why) != FAULT_NONE)
		return false;
	/* To its end: what is left would answer the next question. */
	for (c = first = getchar(); c != '\n' && c != EOF;)
		c = getchar();
	if (first == EOF) {
		buf_add_lit(&out, "\n");
		(void)!screen_answer(&out, &why);
	}
	return first == 'y' || first == 'Y';
}

void screen_say(const char *format, ...)
{
	struct buf line = BUF_INIT(4 * SENTENCE_MAX_BYTES);
	char sentence[SENTENCE_MAX_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (n <= 0)
		return;
	buf_add_lit(&line, PREFIX);
	screen_plain(&line, span_of(sentence));
	buf_add_lit(&line, "\n");
	/* Nobody could be told that stderr is gone. */
	(void)!write_all(STDERR_FILENO, buf_span(&line), NULL);
	buf_drop(&line);
}
