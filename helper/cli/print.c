/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Terminal facts, and writing.
 */
#include "cli/print.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/text.h"

#define COLUMNS_MIN	   40
#define SENTENCE_MAX_BYTES 2048
#define PREFIX		   "mailtoken: "

bool print_on_terminal(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

bool print_in_place(void)
{
	const char *term = getenv("TERM");

	return print_on_terminal() && term != NULL && term[0] != '\0' &&
	    strcmp(term, "dumb") != 0;
}

/* no-color.org: set and not empty */
bool print_colours(void)
{
	const char *no_color = getenv("NO_COLOR");

	return print_in_place() && (no_color == NULL || no_color[0] == '\0');
}

bool print_pictures(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = NULL;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')
			break;
	}
	return print_in_place() && value != NULL &&
	    (strcasestr(value, "utf-8") != NULL ||
		strcasestr(value, "utf8") != NULL);
}

size_t print_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
		return PRINT_ROWS;
	return size.ws_row;
}

static size_t columns_of(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return PRINT_COLUMNS;
	return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

size_t print_columns(void)
{
	return columns_of(STDOUT_FILENO);
}

void print_bold(struct buf *out, struct span text)
{
	if (print_colours())
		buf_add_lit(out, "\033[1m");
	text_plain(out, text);
	if (print_colours())
		buf_add_lit(out, "\033[0m");
}

int64_t print_now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
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

enum fault print_answer(struct buf *out, struct why *why)
{
	enum fault fault = buf_fault(out);

	if (fault == FAULT_NONE)
		fault = write_all(STDOUT_FILENO, buf_span(out), why);
	else
		why_set(why, 0, "%s", fault_text(fault));
	buf_drop(out);
	return fault;
}

void print_sentence(struct buf *out, struct buf *sentence, size_t indent)
{
	const struct text_box box = {
		.indent = indent,
		.columns = print_on_terminal() ? print_columns() : 0,
	};

	text_wrap(out, buf_span(sentence), &box);
	buf_drop(sentence);
}

bool print_confirm(struct span question)
{
	struct buf out = BUF_INIT(4 * SENTENCE_MAX_BYTES);
	struct buf line = BUF_INIT(4 * SENTENCE_MAX_BYTES);
	struct why why;
	int first, c;

	buf_add(&line, question);
	print_sentence(&out, &line, 0);
	buf_add_lit(&out, "[y/N] ");
	if (print_answer(&out, &why) != FAULT_NONE)
		return false;
	/* To its end: what is left would answer the next question. */
	for (c = first = getchar(); c != '\n' && c != EOF;)
		c = getchar();
	if (first == EOF) {
		buf_add_lit(&out, "\n");
		(void)!print_answer(&out, &why);
	}
	return first == 'y' || first == 'Y';
}

void print_say_text(struct span text)
{
	struct buf line = BUF_INIT(4 * SENTENCE_MAX_BYTES);
	struct text_box box = {
		.at = sizeof(PREFIX) - 1,
		.indent = 4,
		.columns = isatty(STDERR_FILENO) == 1 ?
		    columns_of(STDERR_FILENO) :
		    0,
	};

	if (text.n > SENTENCE_MAX_BYTES)
		text.n = SENTENCE_MAX_BYTES;
	buf_add_lit(&line, PREFIX);
	text_wrap(&line, text, &box);
	/* Nobody could be told that stderr is gone. */
	(void)!write_all(STDERR_FILENO, buf_span(&line), NULL);
	buf_drop(&line);
}

void print_say(const char *format, ...)
{
	char sentence[SENTENCE_MAX_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (n > 0)
		print_say_text(span_of(sentence));
}
