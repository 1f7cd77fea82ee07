/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * clock - the only reader of clocks in the helper
 *
 * Wall time is what stands on disk; boot time (CLOCK_BOOTTIME) goes on during
 * suspend and is never set.  clock.c is the real one; the tests' helper links
 * tests/lib/clock_moved.c, whose clocks are moved through a socket.
 */
#ifndef MAILTOKEN_DAEMON_CLOCK_H
#define MAILTOKEN_DAEMON_CLOCK_H

#include <sys/time.h>

#include "wire/fault.h"

/* clock_span - for timers; a negative one is none at all. */
static inline struct timeval clock_span(int64_t ms)
{
	return (struct timeval){ .tv_sec = ms > 0 ? (time_t)(ms / 1000) : 0,
		.tv_usec = ms > 0 ? (suseconds_t)(ms % 1000 * 1000) : 0 };
}

struct event_base;
struct clock_watch;

struct now {
	int64_t wall_s;	 /* unix seconds */
	int64_t boot_ms; /* milliseconds of CLOCK_BOOTTIME */
};

/* clock_now - both; clock_wall_s, clock_boot_ms - one of them. */
struct now clock_now(void);
int64_t clock_wall_s(void);
int64_t clock_boot_ms(void);

/*
 * clock_watch_new - call jumped from the loop after each step of the wall
 * clock (timerfd with TFD_TIMER_CANCEL_ON_SET)
 *
 * FAULT_IO, FAULT_NOMEM.
 */
typedef void clock_jumped_fn(void *ctx);
enum fault clock_watch_new(struct event_base *base, clock_jumped_fn *jumped,
    void *ctx, struct clock_watch **watch_out, struct why *why) MUST_CHECK;
void clock_watch_free(struct clock_watch *watch);

#endif
