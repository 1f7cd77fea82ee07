/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * clock.h with clocks that a test moves: the real ones plus offsets.
 *
 * MAILTOKEN_TEST_CLOCK names a listening SOCK_SEQPACKET socket of the test.
 * It is connected to, not bound: the sandbox is closed by then.  A message
 * "wall SECONDS" or "boot MILLISECONDS" adds to an offset; then the helper
 * is told that the clock jumped, and "ok" goes back.  After "hold" nothing
 * but these messages moves the clocks.  MAILTOKEN_TEST_CLOCK_AHEAD is in
 * seconds how far both are ahead at the start.  testclock.py is the other end.
 */
#include "daemon/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire/attr.h"

#define MOVE_MAX INT64_C(1000000000000)

struct clock_watch {
	int fd;
	struct event *event;
	clock_jumped_fn *jumped;
	void *ctx;
};

static int64_t wall_offset_s;
static int64_t boot_offset_ms;
static struct timespec held_wall, held_boot;
static bool held;

static struct timespec real(clockid_t id)
{
	struct timespec now = { 0, 0 };

	(void)clock_gettime(id, &now);
	return now;
}

struct now clock_now(void)
{
	struct timespec wall = held ? held_wall : real(CLOCK_REALTIME);
	struct timespec boot = held ? held_boot : real(CLOCK_BOOTTIME);

	return (struct now){ (int64_t)wall.tv_sec + wall_offset_s,
		(int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000 +
		    boot_offset_ms };
}

int64_t clock_wall_s(void)
{
	return clock_now().wall_s;
}

int64_t clock_boot_ms(void)
{
	return clock_now().boot_ms;
}

static void hold(void)
{
	held_wall = real(CLOCK_REALTIME);
	held_boot = real(CLOCK_BOOTTIME);
	held = true;
}

static bool move(struct span message)
{
	int64_t *offset = &wall_offset_s;
	int64_t by;

	if (message.n < 6 ||
	    (memcmp(message.p, "wall ", 5) != 0 &&
		memcmp(message.p, "boot ", 5) != 0))
		return false;
	if (message.p[0] == 'b')
		offset = &boot_offset_ms;
	message.p += 5;
	message.n -= 5;
	if (attr_number(message, -MOVE_MAX, MOVE_MAX, &by) != FAULT_NONE)
		return false;
	*offset += by;
	return true;
}

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	struct clock_watch *watch = arg;
	const char *answer = "bad";
	char bytes[64];
	ssize_t n;

	(void)what;
	n = recv(fd, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		(void)event_del(watch->event);
		return;
	}
	if (n == 4 && memcmp(bytes, "hold", 4) == 0) {
		hold();
		answer = "ok";
	} else if (move((struct span){ bytes, (size_t)n })) {
		answer = "ok";
		watch->jumped(watch->ctx);
	}
	(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
}

static enum fault open_control(const char *path, int *fd_out, struct why *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		why_set(why, ENAMETOOLONG, "MAILTOKEN_TEST_CLOCK");
		return FAULT_IO;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		why_set(why, errno, "MAILTOKEN_TEST_CLOCK %s", path);
		if (fd >= 0)
			(void)close(fd);
		return FAULT_IO;
	}
	*fd_out = fd;
	return FAULT_NONE;
}

enum fault clock_watch_new(struct event_base *base, clock_jumped_fn *jumped,
    void *ctx, struct clock_watch **watch_out, struct why *why)
{
	const char *path = getenv("MAILTOKEN_TEST_CLOCK");
	const char *ahead = getenv("MAILTOKEN_TEST_CLOCK_AHEAD");
	struct clock_watch *watch = calloc(1, sizeof(*watch));
	enum fault fault = FAULT_NONE;

	if (watch == NULL)
		return FAULT_NOMEM;
	if (ahead != NULL &&
	    attr_number(span_of(ahead), 0, MOVE_MAX, &wall_offset_s) ==
		FAULT_NONE)
		boot_offset_ms = wall_offset_s * 1000;
	watch->fd = -1;
	watch->jumped = jumped;
	watch->ctx = ctx;
	if (path != NULL)
		fault = open_control(path, &watch->fd, why);
	if (fault != FAULT_NONE)
		goto out;
	if (path != NULL) {
		watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST,
		    on_message, watch);
		if (watch->event == NULL ||
		    event_add(watch->event, NULL) != 0) {
			fault = FAULT_NOMEM;
			goto out;
		}
	}
	*watch_out = watch;
	watch = NULL;
out:
	clock_watch_free(watch);
	return fault;
}

void clock_watch_free(struct clock_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	free(watch);
}
