/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sink, escaping and rate limit.  A line is built in the caller's struct and
 * leaves in one write, so that lines of two processes cannot mix.
 */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "wire/attr.h"

#define LINE_MAX_BYTES 2000
#define TAIL_BYTES     4 /* "..." and a closing quote */
#define WINDOW_MS      10000
#define WINDOW_LINES   100

static struct {
	bool to_syslog;
	enum log_level level;
	int64_t window_ms; /* when the present window began */
	int lines;
	int64_t dropped;
} sink = { false, LOG_LEVEL_INFO, 0, 0, 0 };

/* JOURNAL_STREAM is "device:inode" of the stream (systemd.exec(5)). */
static bool journal_reads_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(ours, sizeof(ours), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void log_open(void)
{
	sink.to_syslog = !journal_reads_stderr() &&
	    access("/dev/log", F_OK) == 0;
	if (sink.to_syslog)
		openlog("mailtokend", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_level_set(enum log_level level)
{
	sink.level = level;
}

enum fault log_level_from_word(const char *word, enum log_level *level_out)
{
	static const struct {
		const char *word;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "notice", LOG_LEVEL_NOTICE },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].word, word) == 0) {
			*level_out = levels[i].level;
			return FAULT_NONE;
		}
	}
	return FAULT_GRAMMAR;
}

/* All of the text or, at the limit, nothing; false then. */
static bool put(struct log_line *line, const char *text, size_t n)
{
	if (n > LINE_MAX_BYTES - TAIL_BYTES - line->n)
		return false;
	memcpy(line->text + line->n, text, n);
	line->n += n;
	return true;
}

static bool is_bare(struct span value)
{
	size_t i;

	for (i = 0; i < value.n; i++)
		if (value.p[i] <= 0x20 || value.p[i] > 0x7e ||
		    value.p[i] == '"' || value.p[i] == '=' ||
		    value.p[i] == '\\')
			return false;
	return true;
}

/* One byte inside quotes; what a terminal or a parser could obey is escaped. */
static bool put_quoted(struct log_line *line, char c)
{
	char escaped[8];

	if (c == '"')
		return put(line, "\\\"", 2);
	attr_plain((struct span){ &c, 1 }, escaped, sizeof(escaped));
	return put(line, escaped, strlen(escaped));
}

/* Cut lines end in "..."; room for that is always kept. */
static void put_tail(struct log_line *line, const char *tail)
{
	size_t n = strlen(tail);

	memcpy(line->text + line->n, tail, n);
	line->n += n;
	line->on = false;
}

void log_span(struct log_line *line, const char *name, struct span value)
{
	bool bare = is_bare(value);
	size_t i, start = line->n;

	if (!line->on || value.n == 0)
		return;
	if ((line->n > 0 && !put(line, " ", 1)) ||
	    !put(line, name, strlen(name)) ||
	    !put(line, bare ? "=" : "=\"", bare ? 1 : 2)) {
		line->n = start;
		put_tail(line, "...");
		return;
	}
	for (i = 0; i < value.n; i++) {
		if (bare ? put(line, value.p + i, 1) :
			   put_quoted(line, value.p[i]))
			continue;
		put_tail(line, bare ? "..." : "...\"");
		return;
	}
	if (!bare && !put(line, "\"", 1))
		put_tail(line, "\"");
}

void log_str(struct log_line *line, const char *name, const char *value)
{
	log_span(line, name, span_of(value));
}

void log_int(struct log_line *line, const char *name, int64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)value);
	log_str(line, name, digits);
}

void log_start(struct log_line *line, enum log_level level, const char *event)
{
	line->level = level;
	line->on = level <= sink.level;
	line->n = 0;
	log_str(line, "event", event);
}

static void send_line(enum log_level level, const char *text, size_t n)
{
	char out[sizeof(((struct log_line *)NULL)->text) + 8];
	int length;

	if (sink.to_syslog) {
		syslog((int)level, "%.*s", (int)n, text);
		return;
	}
	length = snprintf(out, sizeof(out), "<%d>%.*s\n", (int)level, (int)n,
	    text);
	/* A log that cannot be written is no reason to stop serving. */
	while (length > 0 && write(STDERR_FILENO, out, (size_t)length) < 0 &&
	    errno == EINTR)
		continue;
}

/* Whether this line may go out; says first what was held back before. */
static bool within_rate(enum log_level level)
{
	int64_t now_ms = clock_boot_ms(), dropped;
	struct log_line line;

	if (now_ms < sink.window_ms || now_ms - sink.window_ms >= WINDOW_MS) {
		dropped = sink.dropped;
		sink.window_ms = now_ms;
		sink.lines = 0;
		sink.dropped = 0;
		if (dropped > 0) {
			log_start(&line, LOG_LEVEL_WARNING, "log-dropped");
			log_int(&line, "lines", dropped);
			send_line(line.level, line.text, line.n);
		}
	}
	if (level < LOG_LEVEL_INFO)
		return true;
	if (sink.lines >= WINDOW_LINES) {
		sink.dropped++;
		return false;
	}
	sink.lines++;
	return true;
}

void log_end(struct log_line *line)
{
	if (line->level > sink.level || line->n == 0 ||
	    !within_rate(line->level))
		return;
	send_line(line->level, line->text, line->n);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	struct log_line line;
	char text[TEXT_MAX_BYTES];
	va_list args;
	int n;

	log_start(&line, level, event);
	if (!line.on)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		log_str(&line, "text", text);
	log_end(&line);
}
