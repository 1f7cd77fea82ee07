/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The event loop with what drives it from outside.
 */
#include "daemon/run.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/keeper.h"
#include "daemon/supervise.h"
#include "wire/peerio.h"

#define LOCK_WAIT_MS  35000
#define LOCK_PAUSE_MS 250
#define STOP_MAX_MS   20000
#define STOP_LOOK_MS  20
#define QUIET_MAX_MS  600000

struct running {
	const struct run_start *start;
	struct event_base *base;
	struct keeper *keeper;
	struct serve *serve;
	struct event *signals[3];
	struct event *watchdog;
	struct event *quiet; /* only where a supervisor starts us */
	struct event *poll;  /* while stopping */
	int64_t stop_at_ms;
};

void run_complain(const char *text)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0)
		(void)fprintf(stderr, "mailtokend: %s\n", text);
}

static struct timeval span_of_ms(int64_t ms)
{
	struct timeval span = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	return span;
}

static void look_whether_done(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;
	bool late = clock_boot_ms() >= running->stop_at_ms;
	bool done = keeper_is_done(running->keeper);

	(void)fd;
	(void)events;
	if (!late &&
	    !(done && serve_is_idle(running->serve) &&
		keeper_is_saved(running->keeper)))
		return;
	if (late && !done)
		log_event(LOG_LEVEL_WARNING, "stop",
		    "a provider did not answer in time; stopping without it");
	serve_give_up(running->serve);
	(void)event_base_loopexit(running->base, NULL);
}

static void stop(evutil_socket_t fd, short events, void *ctx)
{
	struct timeval often = span_of_ms(STOP_LOOK_MS);
	struct running *running = ctx;

	(void)fd;
	(void)events;
	if (running->stop_at_ms > 0)
		return; /* a second one shortens nothing */
	running->stop_at_ms = clock_boot_ms() + STOP_MAX_MS;
	supervise_stopping();
	log_event(LOG_LEVEL_NOTICE, "stop", "stopping");
	serve_stop(running->serve);
	/* Who comes now is refused, and finds the next helper by trying. */
	listen_close(running->start->listeners);
	keeper_stop(running->keeper);
	running->poll = event_new(running->base, -1, EV_PERSIST,
	    look_whether_done, running);
	if (running->poll == NULL || event_add(running->poll, &often) != 0)
		(void)event_base_loopexit(running->base, NULL);
}

static void hang_up(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;

	(void)fd;
	(void)events;
	supervise_reloading();
	keeper_reload(running->keeper);
	supervise_ready();
}

static void alive(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	supervise_alive();
}

/* A user's helper that systemd starts for each request need not stay. */
static void look_whether_quiet(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;
	int64_t left_ms = QUIET_MAX_MS - serve_quiet_ms(running->serve);
	struct timeval next;

	(void)fd;
	(void)events;
	if (left_ms <= 0 && keeper_is_saved(running->keeper)) {
		stop(-1, 0, running);
		return;
	}
	if (left_ms <= 0)
		left_ms = QUIET_MAX_MS;
	/* A moment early by the event loop's clock is no reason to stay. */
	if (left_ms < 1000)
		left_ms = 1000;
	next = span_of_ms(left_ms);
	(void)evtimer_add(running->quiet, &next);
}

/* Another helper may be about to end; a held lock ends this one. */
static bool wait_for_lock(struct keeper *keeper)
{
	int64_t until_ms = peerio_now_ms() + LOCK_WAIT_MS;
	struct why why = { .err = 0, .text = "" };
	bool told = false;

	while (keeper_start(keeper, &why) == FAULT_LOCKED) {
		if (peerio_now_ms() >= until_ms) {
			log_event(LOG_LEVEL_ERROR, "lock", "%s", why.text);
			run_complain(why.text);
			return false;
		}
		if (!told)
			log_event(LOG_LEVEL_NOTICE, "lock",
			    "%s; waiting for it to end", why.text);
		told = true;
		peerio_pause(LOCK_PAUSE_MS, until_ms);
	}
	return true;
}

static bool catch_signals(struct running *running)
{
	struct event **signals = running->signals;
	size_t i;

	signals[0] = evsignal_new(running->base, SIGTERM, stop, running);
	signals[1] = evsignal_new(running->base, SIGINT, stop, running);
	signals[2] = evsignal_new(running->base, SIGHUP, hang_up, running);
	for (i = 0; i < 3; i++)
		if (signals[i] == NULL || evsignal_add(signals[i], NULL) != 0)
			return false;
	return true;
}

/* Neither is needed to serve. */
static void start_timers(struct running *running)
{
	int64_t watchdog_ms = supervise_watchdog_ms();
	struct timeval often = span_of_ms(watchdog_ms);

	if (watchdog_ms > 0)
		running->watchdog = event_new(running->base, -1, EV_PERSIST,
		    alive, NULL);
	if (running->watchdog != NULL)
		(void)event_add(running->watchdog, &often);
	if (running->quiet != NULL)
		look_whether_quiet(-1, 0, running);
}

static void leave_foreground(int ready_fd)
{
	int i, null;

	if (ready_fd < 0)
		return;
	(void)!write(ready_fd, "", 1);
	(void)close(ready_fd);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = STDIN_FILENO; null >= 0 && i <= STDERR_FILENO; i++)
		(void)dup2(null, i);
	if (null >= 0)
		(void)close(null);
	log_open(); /* not the terminal's any more */
}

static enum run_end run(struct running *running)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* To stop during the wait is to end; to reload, to do nothing. */
	(void)sigaction(SIGHUP, &ignore, NULL);
	if (!wait_for_lock(running->keeper))
		return RUN_HELD;
	if (!catch_signals(running))
		return RUN_FAILED;
	start_timers(running);
	leave_foreground(running->start->ready_fd);
	supervise_ready();
	if (keeper_trouble(running->keeper) == NULL)
		log_event(LOG_LEVEL_NOTICE, "start", "mailtokend %s is ready",
		    MAILTOKEN_VERSION);
	else
		log_event(LOG_LEVEL_ERROR, "start",
		    "mailtokend %s cannot work and answers why: %s",
		    MAILTOKEN_VERSION, keeper_trouble(running->keeper));
	return event_base_dispatch(running->base) < 0 ? RUN_FAILED :
							RUN_STOPPED;
}

static enum fault make(struct running *running)
{
	const struct run_start *start = running->start;
	struct keeper_options options = { .source = *start->source,
		.log_level = start->log_level,
		.listeners = start->listeners,
		.sandbox = true };
	struct serve_host host;
	enum fault fault;

	running->base = options.base = event_base_new();
	if (running->base == NULL)
		return FAULT_NOMEM;
	if (start->listeners->adopted && start->source->user_helper)
		running->quiet = evtimer_new(running->base, look_whether_quiet,
		    running);
	options.jumped = running->quiet;
	fault = keeper_new(&options, start->config, start->trouble,
	    &running->keeper);
	if (fault != FAULT_NONE)
		return fault;
	host = keeper_host(running->keeper);
	return serve_new(running->base, start->listeners, &host,
	    &running->serve);
}

static void drop(struct running *running)
{
	struct event *events[] = { running->signals[0], running->signals[1],
		running->signals[2], running->watchdog, running->quiet,
		running->poll };
	sigset_t late;
	size_t i;

	/* They have done what they can do, and must not end the last save. */
	(void)sigemptyset(&late);
	(void)sigaddset(&late, SIGTERM);
	(void)sigaddset(&late, SIGINT);
	(void)sigaddset(&late, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &late, NULL);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	serve_free(running->serve);
	keeper_free(running->keeper);
	if (running->base != NULL)
		event_base_free(running->base);
}

enum run_end run_helper(const struct run_start *start)
{
	struct running running = { .start = start };
	enum fault fault = make(&running);
	enum run_end end = RUN_FAILED;

	if (fault == FAULT_NONE)
		end = run(&running);
	else
		run_complain(fault_text(fault));
	drop(&running);
	return end;
}
