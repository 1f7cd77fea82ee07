/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The real clocks.  A step of the wall clock is told by a timerfd that is set
 * to a time which never comes and cancelled by the kernel when the clock is
 * set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
 */
#include "daemon/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct clock_watch {
	int fd;
	struct event *event;
	clock_jumped_fn *jumped;
	void *ctx;
};

struct now clock_now(void)
{
	struct timespec wall = { 0, 0 }, boot = { 0, 0 };

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	(void)clock_gettime(CLOCK_BOOTTIME, &boot);
	return (struct now){ (int64_t)wall.tv_sec,
		(int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000 };
}

int64_t clock_wall_s(void)
{
	return clock_now().wall_s;
}

int64_t clock_boot_ms(void)
{
	return clock_now().boot_ms;
}

static int arm(int fd)
{
	/* 2100-01-01: far enough, and a time_t of 32 bits reads it, too. */
	struct itimerspec never = { .it_value = { .tv_sec = sizeof(time_t) > 4 ?
					    (time_t)4102444800LL :
					    0x7fffffff } };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
	    &never, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct clock_watch *watch = arg;
	uint64_t expirations;
	ssize_t n;

	(void)what;
	n = read(fd, &expirations, sizeof(expirations));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	(void)arm(fd);
	watch->jumped(watch->ctx);
}

enum fault clock_watch_new(struct event_base *base, clock_jumped_fn *jumped,
    void *ctx, struct clock_watch **watch_out, struct why *why)
{
	struct clock_watch *watch;
	enum fault fault = FAULT_IO;

	watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return FAULT_NOMEM;
	watch->jumped = jumped;
	watch->ctx = ctx;
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->fd < 0 || arm(watch->fd) != 0) {
		why_set(why, errno, "a timer that tells of clock steps");
		goto out;
	}
	watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST,
	    on_timer, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
		fault = FAULT_NOMEM;
		goto out;
	}
	*watch_out = watch;
	return FAULT_NONE;
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
