/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Others may share the file description of our stderr, so O_NONBLOCK is not
 * ours to set: a pipe or terminal is opened once more, a socket is asked for
 * each line not to wait.  Where neither can be, what has room for a line is
 * written to.  A file on a disk is written as files are.
 */
#include "daemon/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"

#define HEAD_BYTES 64

static struct {
	int fd;
	bool is_syslog;
	bool is_socket;
	bool may_block; /* poll(2) is all there is */
	char rest[SINK_LINE_MAX_BYTES + HEAD_BYTES];
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

void sink_open(void)
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

static ssize_t put(const char *text, size_t n)
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
	done = put(sink.rest, sink.n_rest);
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
	done = put(line, n);
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

bool sink_write(int level, const char *text, size_t n)
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
