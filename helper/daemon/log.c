/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Levels, escaping and rate limit.  A line is built in the caller's struct and
 * leaves in one write, so that lines of two processes cannot mix.
 */
#include "daemon/log.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "wire/attr.h"

#define LINE_MAX_BYTES 2000
#define HEAD_BYTES     64
#define SINK_BYTES     2048
#define TAIL_BYTES     4 /* "..." and a closing quote */
#define WINDOW_MS      10000
#define WINDOW_LINES   100
/* One a level, then those of requests, which no level may suffer from: all
 * strangers have one, others some uids together. */
#define BUDGET_STRANGERS (LOG_LEVEL_DEBUG + 1)
#define BUDGETS_OF_UIDS	 61 /* prime: uids that follow each other differ */
#define BUDGETS		 (BUDGET_STRANGERS + 1 + BUDGETS_OF_UIDS)

/*
 * Where lines go; never waits.  Others may share the file description of our
 * stderr, so O_NONBLOCK is not ours to set: a pipe or terminal is opened once
 * more, a socket is asked for each line not to wait.  Where neither can be,
 * what has room for a line is written to.  A file on a disk is written as
 * files are.
 */
static struct {
	int fd;
	bool is_syslog;
	bool is_socket;
	bool may_block; /* poll(2) is all there is */
	char rest[SINK_BYTES + HEAD_BYTES];
	size_t n_rest; /* of a line that went out in part */
} sink = { .fd = STDERR_FILENO };

/* JOURNAL_STREAM is "device:inode" of the stream (systemd.exec(5)). */
static bool journal_reads(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];

	if (stream == NULL)
		return false;
	(void)snprintf(ours, sizeof(ours), "%llu:%llu",
	    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	return strcmp(stream, ours) == 0;
}

/* Old daemons listen for streams. */
static int connect_syslog(void)
{
	static const struct sockaddr_un log = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
		if (fd >= 0 &&
		    connect(fd, (const struct sockaddr *)&log, sizeof(log)) ==
			0)
			return fd;
		if (fd >= 0)
			(void)close(fd);
	}
	return -1;
}

static void open_stderr(const struct stat *st)
{
	int fd;

	sink.fd = STDERR_FILENO;
	sink.is_socket = S_ISSOCK(st->st_mode);
	sink.may_block = S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode);
	if (!sink.may_block)
		return;
	fd = open("/proc/self/fd/2",
	    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	sink.fd = fd;
	sink.may_block = false;
}

void log_open(void)
{
	struct stat st = { .st_mode = 0 };

	(void)fstat(STDERR_FILENO, &st);
	if (sink.fd > STDERR_FILENO)
		(void)close(sink.fd);
	sink.n_rest = 0;
	sink.is_syslog = !journal_reads(&st) && access("/dev/log", F_OK) == 0;
	sink.is_socket = sink.is_syslog;
	if (!sink.is_syslog) {
		open_stderr(&st);
		return;
	}
	tzset(); /* the sandbox may hide the file */
	sink.fd = connect_syslog();
}

static ssize_t put_bytes(const char *text, size_t n)
{
	struct pollfd room = { .fd = sink.fd, .events = POLLOUT };
	ssize_t done;

	if (sink.may_block &&
	    (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0)) {
		errno = EAGAIN;
		return -1;
	}
	do {
		done = sink.is_socket ?
		    send(sink.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) :
		    write(sink.fd, text, n);
	} while (done < 0 && errno == EINTR);
	return done;
}

static bool put_rest(void)
{
	ssize_t done;

	if (sink.n_rest == 0)
		return true;
	done = put_bytes(sink.rest, sink.n_rest);
	if (done <= 0)
		return false;
	sink.n_rest -= (size_t)done;
	memmove(sink.rest, sink.rest + done, sink.n_rest);
	return sink.n_rest == 0;
}

static bool put_line(const char *line, size_t n)
{
	ssize_t done;

	if (!put_rest())
		return false;
	done = put_bytes(line, n);
	if (done < 0)
		return false;
	sink.n_rest = n - (size_t)done;
	memcpy(sink.rest, line + done, sink.n_rest);
	return true;
}

static size_t head(int level, char *out, size_t out_bytes)
{
	time_t now = (time_t)clock_wall_s();
	char when[32] = "";
	struct tm parts;
	int n;

	if (!sink.is_syslog) {
		n = snprintf(out, out_bytes, "<%d>", level);
		return n > 0 ? (size_t)n : 0;
	}
	if (localtime_r(&now, &parts) != NULL)
		(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &parts);
	n = snprintf(out, out_bytes,
	    "<%d>%s mailtokend[%ld]: ", LOG_MAIL | level, when, (long)getpid());
	return n > 0 ? (size_t)n : 0;
}

/* A line without its LF, of syslog's level; false when it cannot be taken at
 * once. */
static bool sink_write(int level, const char *text, size_t n)
{
	char line[sizeof(sink.rest)];
	size_t n_head = head(level, line, HEAD_BYTES);

	if (n > sizeof(line) - n_head - 1)
		n = sizeof(line) - n_head - 1;
	memcpy(line + n_head, text, n);
	line[n_head + n] = '\n';
	n += n_head + 1;
	if (put_line(line, n))
		return true;
	if (!sink.is_syslog || errno == EAGAIN || errno == ENOBUFS)
		return false;
	/* It was restarted. */
	if (sink.fd >= 0)
		(void)close(sink.fd);
	sink.n_rest = 0;
	sink.fd = connect_syslog();
	return sink.fd >= 0 && put_line(line, n);
}

static struct {
	enum log_level level;
	int64_t window_ms; /* when the present window began */
	int lines[BUDGETS];
	int64_t dropped;
	uint64_t dropped_ever;
	bool stalled;	     /* nobody reads */
	struct event *later; /* to say what was dropped */
} limit = { .level = LOG_LEVEL_INFO };

uint64_t log_dropped(void)
{
	return limit.dropped_ever;
}

void log_level_set(enum log_level level)
{
	limit.level = level;
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

	if (limit.dropped == 0)
		return;
	n = snprintf(text, sizeof(text), "event=log-dropped lines=%lld",
	    (long long)limit.dropped);
	limit.stalled = n < 0 ||
	    !sink_write(LOG_LEVEL_WARNING, text, (size_t)n);
	if (!limit.stalled)
		limit.dropped = 0;
}

static void say_later(void)
{
	static const struct timeval window = { WINDOW_MS / 1000, 0 };

	if (limit.later != NULL && !evtimer_pending(limit.later, NULL))
		(void)evtimer_add(limit.later, &window);
}

static void window_over(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	tell_dropped();
	if (limit.dropped > 0)
		say_later();
}

void log_attend(struct event_base *base)
{
	if (limit.later != NULL)
		event_free(limit.later);
	limit.later = base != NULL ? evtimer_new(base, window_over, NULL) :
				     NULL;
	tell_dropped();
}

static void drop(void)
{
	limit.dropped++;
	limit.dropped_ever++;
	say_later();
}

static bool within_rate(size_t budget)
{
	int64_t now_ms = clock_boot_ms();
	int *lines = &limit.lines[budget];

	if (now_ms < limit.window_ms || now_ms - limit.window_ms >= WINDOW_MS) {
		limit.window_ms = now_ms;
		memset(limit.lines, 0, sizeof(limit.lines));
		tell_dropped();
	} else if (limit.stalled) {
		tell_dropped();
	}
	if (*lines >= WINDOW_LINES) {
		drop();
		return false;
	}
	(*lines)++;
	return true;
}

static void begin(struct log_line *line, enum log_level level,
    const char *event, size_t budget)
{
	line->level = level;
	line->on = level <= limit.level && within_rate(budget);
	line->n = 0;
	log_str(line, "event", event);
}

void log_start(struct log_line *line, enum log_level level, const char *event)
{
	begin(line, level, event, level);
}

void log_request_start(struct log_line *line, enum log_level level, int64_t uid)
{
	begin(line, level, "request",
	    uid == LOG_STRANGERS ?
		BUDGET_STRANGERS :
		BUDGET_STRANGERS + 1 + (size_t)(uid % BUDGETS_OF_UIDS));
}

void log_end(struct log_line *line)
{
	if (line->n == 0 || sink_write((int)line->level, line->text, line->n))
		return;
	limit.stalled = true;
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
