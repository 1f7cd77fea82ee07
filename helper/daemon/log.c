/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Levels, escaping and rate limit.  A line is built in the caller's struct and
 * leaves in one write, so that lines of two processes cannot mix.
 */
#include "daemon/log.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/clock.h"
#include "daemon/sink.h"
#include "wire/attr.h"

#define LINE_MAX_BYTES 2000
#define TAIL_BYTES     4 /* "..." and a closing quote */
#define WINDOW_MS      10000
#define WINDOW_LINES   100
/* One a level, and one for requests, which no level may suffer from. */
#define BUDGET_REQUEST 0
#define BUDGETS	       (LOG_LEVEL_DEBUG + 1)

static struct {
	enum log_level level;
	int64_t window_ms; /* when the present window began */
	int lines[BUDGETS];
	int64_t dropped;
	uint64_t dropped_ever;
	bool stalled;	     /* nobody reads */
	struct event *later; /* to say what was dropped */
} sink = { .level = LOG_LEVEL_INFO };

void log_open(void)
{
	sink_open();
}

uint64_t log_dropped(void)
{
	return sink.dropped_ever;
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

/* One byte inside quotes; what a terminal or a parser could obey is escaped,
 * but not the escapes of a text that has been through attr_plain(). */
static bool put_quoted(struct log_line *line, char c, bool is_plain)
{
	char escaped[8];

	if (c == '"')
		return put(line, "\\\"", 2);
	if (c == '\\' && is_plain)
		return put(line, &c, 1);
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

static void put_pair(struct log_line *line, const char *name, struct span value,
    bool is_plain)
{
	size_t i, start = line->n;
	bool bare;

	if (!line->on || value.n == 0)
		return;
	bare = is_bare(value);
	if ((line->n > 0 && !put(line, " ", 1)) ||
	    !put(line, name, strlen(name)) ||
	    !put(line, bare ? "=" : "=\"", bare ? 1 : 2)) {
		line->n = start;
		put_tail(line, "...");
		return;
	}
	for (i = 0; i < value.n; i++) {
		if (bare ? put(line, value.p + i, 1) :
			   put_quoted(line, value.p[i], is_plain))
			continue;
		put_tail(line, bare ? "..." : "...\"");
		return;
	}
	if (!bare && !put(line, "\"", 1))
		put_tail(line, "\"");
}

void log_span(struct log_line *line, const char *name, struct span value)
{
	put_pair(line, name, value, false);
}

void log_plain(struct log_line *line, const char *name, const char *text)
{
	put_pair(line, name, span_of(text), true);
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

/* What was held back is said first, or stays counted. */
static void tell_dropped(void)
{
	char text[64];
	int n;

	if (sink.dropped == 0)
		return;
	n = snprintf(text, sizeof(text), "event=log-dropped lines=%lld",
	    (long long)sink.dropped);
	sink.stalled = n < 0 || !sink_write(LOG_LEVEL_WARNING, text, (size_t)n);
	if (!sink.stalled)
		sink.dropped = 0;
}

static void say_later(void)
{
	static const struct timeval window = { WINDOW_MS / 1000, 0 };

	if (sink.later != NULL && !evtimer_pending(sink.later, NULL))
		(void)evtimer_add(sink.later, &window);
}

static void window_over(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	tell_dropped();
	if (sink.dropped > 0)
		say_later();
}

void log_attend(struct event_base *base)
{
	if (sink.later != NULL)
		event_free(sink.later);
	sink.later = base != NULL ? evtimer_new(base, window_over, NULL) : NULL;
	tell_dropped();
}

static void drop(void)
{
	sink.dropped++;
	sink.dropped_ever++;
	say_later();
}

static bool within_rate(enum log_level level, const char *event)
{
	int64_t now_ms = clock_boot_ms();
	int *lines =
	    &sink.lines[strcmp(event, "request") == 0 ? BUDGET_REQUEST :
							(int)level];

	if (now_ms < sink.window_ms || now_ms - sink.window_ms >= WINDOW_MS) {
		sink.window_ms = now_ms;
		memset(sink.lines, 0, sizeof(sink.lines));
		tell_dropped();
	} else if (sink.stalled) {
		tell_dropped();
	}
	if (*lines >= WINDOW_LINES) {
		drop();
		return false;
	}
	(*lines)++;
	return true;
}

void log_start(struct log_line *line, enum log_level level, const char *event)
{
	line->level = level;
	line->on = level <= sink.level && within_rate(level, event);
	line->n = 0;
	log_str(line, "event", event);
}

void log_end(struct log_line *line)
{
	if (line->n == 0 || sink_write((int)line->level, line->text, line->n))
		return;
	sink.stalled = true;
	drop();
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
		log_plain(&line, "text", text);
	log_end(&line);
}
