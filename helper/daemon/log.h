/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * log - one line an event, one sink
 *
 * logfmt: event=... then name=value pairs; values with blanks or quotes are
 * quoted, foreign bytes escaped.  The sink is stderr with "<N>" prefixes under a
 * supervisor that reads it (JOURNAL_STREAM names it, or there is no /dev/log),
 * else syslog LOG_MAIL; never both.  A line that cannot be written at once is
 * dropped.  So is what is over 100 lines in 10 s of one level, or of requests
 * of one uid, or of all strangers.  What was dropped is counted in a later
 * line, which comes within ten seconds of the first that was dropped.  There is
 * no way to give it a secret.
 */
#ifndef MAILTOKEN_DAEMON_LOG_H
#define MAILTOKEN_DAEMON_LOG_H

#include "wire/fault.h"

struct event_base;

/* The numbers of syslog(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* log_open - choose the sink; once, after stray descriptors are closed. */
void log_open(void);

/* log_attend - the base whose loop will run; NULL before it goes: what was
 * dropped until then is said. */
void log_attend(struct event_base *base);

/* log_dropped - how many lines there could have been and were not. */
uint64_t log_dropped(void);

/* log_level_set - lines above level are dropped. */
void log_level_set(enum log_level level);

/* log_level_from_word - "error" .. "debug"; FAULT_GRAMMAR. */
enum fault log_level_from_word(const char *word,
    enum log_level *level_out) MUST_CHECK;

/*
 * A line: log_start(), then fields in order, then log_end(), which writes.
 * Fields may be NULL or empty and are left out then.  Line limit 2,000 bytes,
 * then cut.
 */
struct log_line {
	enum log_level level;
	bool on;
	size_t n;
	char text[2048];
};

void log_start(struct log_line *line, enum log_level level, const char *event);
/* log_request_start - of the line of a request by uid, or LOG_STRANGERS. */
#define LOG_STRANGERS (-1)
void log_request_start(struct log_line *line, enum log_level level,
    int64_t uid);
void log_str(struct log_line *line, const char *name, const char *value);
void log_span(struct log_line *line, const char *name, struct span value);
/* log_plain - a text that attr_plain() has made, or a sentence of ours. */
void log_plain(struct log_line *line, const char *name, const char *text);
void log_int(struct log_line *line, const char *name, int64_t value);
void log_end(struct log_line *line);

/* log_event - the short form: an event and one sentence (text=...). */
void log_event(enum log_level level, const char *event, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
