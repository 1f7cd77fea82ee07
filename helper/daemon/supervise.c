/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3) by their pages:
 * a datagram and a few variables.  A supervisor that does not read is not
 * waited for, but a second for words that it counts on.
 */
#include "daemon/supervise.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire/attr.h"

#define FIRST_HANDED_OVER 3
#define HANDED_OVER_MAX	  1024
#define PATIENCE_S	  1

static void notify(const char *words, bool patient)
{
	const struct timeval limit = { PATIENCE_S, 0 };
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path != NULL ? strlen(path) : 0;
	int fd;

	if (n < 2 || n > sizeof(to.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* unix(7), abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)sendto(fd, words, strlen(words),
	    MSG_NOSIGNAL | (patient ? 0 : MSG_DONTWAIT),
	    (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)close(fd);
}

/* A variable that is a number, and meant for this process if pid_name is. */
static int64_t number_of(const char *name, const char *pid_name)
{
	const char *text = getenv(name), *pid_text = getenv(pid_name);
	int64_t number, pid;

	if (text == NULL ||
	    attr_number(span_of(text), 1, INT64_MAX / 2, &number) != FAULT_NONE)
		return 0;
	if (pid_text != NULL &&
	    (attr_number(span_of(pid_text), 1, INT32_MAX, &pid) != FAULT_NONE ||
		pid != getpid()))
		return 0;
	return number;
}

int supervise_fds(void)
{
	static int n = -1;
	int i;

	if (n >= 0)
		return n;
	n = 0;
	if (getenv("LISTEN_PID") != NULL &&
	    number_of("LISTEN_FDS", "LISTEN_PID") <= HANDED_OVER_MAX)
		n = (int)number_of("LISTEN_FDS", "LISTEN_PID");
	for (i = 0; i < n; i++)
		(void)fcntl(FIRST_HANDED_OVER + i, F_SETFD, FD_CLOEXEC);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return n;
}

void supervise_ready(void)
{
	notify("READY=1", true);
}

void supervise_status(const char *sentence)
{
	char words[WHY_MAX_BYTES + 16];

	(void)snprintf(words, sizeof(words), "STATUS=%s", sentence);
	notify(words, false);
}

void supervise_reloading(void)
{
	struct timespec now = { 0, 0 };
	char words[64];

	/* Type=notify-reload matches the reload by this time. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(words, sizeof(words),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify(words, true);
}

void supervise_stopping(void)
{
	notify("STOPPING=1", false);
}

void supervise_alive(void)
{
	notify("WATCHDOG=1", false);
}

int64_t supervise_watchdog_ms(void)
{
	/* Half of the limit, as sd_watchdog_enabled(3) advises. */
	return number_of("WATCHDOG_USEC", "WATCHDOG_PID") / 2000;
}
