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
#include <stdlib.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/expiry.h"
#include "daemon/refresh.h"
#include "daemon/serve.h"
#include "daemon/supervise.h"
#include "daemon/verbs.h"
#include "wire/ask.h"

#define LOCK_WAIT_MS  35000
#define LOCK_PAUSE_MS 250
#define STOP_MAX_MS   20000
#define STOP_LOOK_MS  20
#define QUIET_MAX_MS  600000
#define EVENTS_MAX    6
#define EXIT_HELD     75 /* another helper kept the keyring */

struct running {
	struct keeper_options options;
	struct event_base *base;
	struct keeper *keeper;
	struct serve *serve;
	struct event *events[EVENTS_MAX];
	size_t n_events;
	struct event *quiet; /* only where a supervisor starts us */
	int64_t stop_at_ms;
};

void run_complain(const char *text)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0)
		(void)fprintf(stderr, "mailtokend: %s\n", text);
}

/* What the loop has to call; every_ms 0: not by time. */
static bool call(struct running *running, event_callback_fn fn, int number,
    short what, int64_t every_ms)
{
	struct timeval every = clock_span(every_ms);
	struct event *event;

	event = event_new(running->base, number, what | EV_PERSIST, fn,
	    running);
	if (event == NULL)
		return false;
	running->events[running->n_events++] = event;
	return event_add(event, every_ms > 0 ? &every : NULL) == 0;
}

static void look_whether_done(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;
	bool late = clock_boot_ms() >= running->stop_at_ms;
	const struct engine *engine = keeper_engine(running->keeper);
	bool left = engine->fleet == NULL || fleet_leave(engine->fleet);
	bool done = refreshes_running(engine->refreshes) == 0;

	(void)fd;
	(void)events;
	if (!late &&
	    !(done && serve_is_idle(running->serve) &&
		keeper_is_saved(running->keeper) && left))
		return;
	if (late && !done)
		log_event(LOG_LEVEL_WARNING, "stop",
		    "a provider did not answer in time; stopping without it");
	serve_give_up(running->serve);
	(void)event_base_loopexit(running->base, NULL);
}

static void stop(evutil_socket_t fd, short events, void *ctx)
{
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
	listen_close(running->options.listeners);
	keeper_stop(running->keeper);
	if (!call(running, look_whether_done, -1, 0, STOP_LOOK_MS))
		(void)event_base_loopexit(running->base, NULL);
}

static void hang_up(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;

	(void)fd;
	(void)events;
	supervise_reloading();
	(void)keeper_try(running->keeper, true, NULL);
	supervise_ready();
}

static void alive(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	supervise_alive();
}

static void daily(evutil_socket_t fd, short events, void *ctx)
{
	const struct running *running = ctx;

	(void)fd;
	(void)events;
	expiry_log(keeper_engine(running->keeper)->config);
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
	next = clock_span(left_ms);
	(void)evtimer_add(running->quiet, &next);
}

/* Another helper may be about to end; a held lock ends this one. */
static bool wait_for_lock(struct keeper *keeper)
{
	int64_t until_ms = ask_now_ms() + LOCK_WAIT_MS;
	struct why why = { .err = 0, .text = "" };
	bool told = false;

	while (keeper_start(keeper, &why) == FAULT_LOCKED) {
		if (ask_now_ms() >= until_ms) {
			log_event(LOG_LEVEL_ERROR, "lock", "%s", why.text);
			run_complain(why.text);
			return false;
		}
		if (!told)
			log_event(LOG_LEVEL_NOTICE, "lock",
			    "%s; waiting for it to end", why.text);
		told = true;
		ask_pause(LOCK_PAUSE_MS, until_ms);
	}
	return true;
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

/* Until it is told to stop. */
static int run(struct running *running, int ready_fd)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int64_t watchdog_ms = supervise_watchdog_ms();
	const struct engine *engine = keeper_engine(running->keeper);

	/* To stop during the wait is to end; to reload, to do nothing. */
	(void)sigaction(SIGHUP, &ignore, NULL);
	if (!wait_for_lock(running->keeper))
		return EXIT_HELD;
	if (!call(running, stop, SIGTERM, EV_SIGNAL, 0) ||
	    !call(running, stop, SIGINT, EV_SIGNAL, 0) ||
	    !call(running, hang_up, SIGHUP, EV_SIGNAL, 0) ||
	    !call(running, daily, -1, 0, EXPIRY_LOOK_MS) ||
	    (watchdog_ms > 0 && !call(running, alive, -1, 0, watchdog_ms)))
		return EXIT_FAILURE;
	if (running->quiet != NULL)
		look_whether_quiet(-1, 0, running);
	leave_foreground(ready_fd);
	supervise_ready();
	if (engine->working)
		log_event(LOG_LEVEL_NOTICE, "start", "mailtokend %s is ready",
		    MAILTOKEN_VERSION);
	else
		log_event(LOG_LEVEL_ERROR, "start",
		    "mailtokend %s cannot work and answers why: %s",
		    MAILTOKEN_VERSION, engine->config_trouble);
	return event_base_dispatch(running->base) < 0 ? EXIT_FAILURE : 0;
}

static enum fault make(struct running *running)
{
	struct keeper_options *options = &running->options;
	enum fault fault;

	running->base = options->base = event_base_new();
	if (running->base == NULL)
		return FAULT_NOMEM;
	log_attend(running->base);
	if (options->listeners->adopted && options->source.user_helper)
		running->quiet = evtimer_new(running->base, look_whether_quiet,
		    running);
	options->jumped = running->quiet;
	fault = keeper_new(options, &running->keeper);
	if (fault != FAULT_NONE)
		return fault;
	return serve_new(keeper_engine(running->keeper), options->listeners,
	    &verbs_calls, &running->serve);
}

int run_helper(const struct keeper_options *options, int ready_fd)
{
	struct running running = { .options = *options };
	enum fault fault = make(&running);
	int status = EXIT_FAILURE;
	sigset_t late;

	if (fault == FAULT_NONE)
		status = run(&running, ready_fd);
	else
		run_complain(fault_text(fault));
	/* They have done what they can do, and must not end the last save. */
	(void)sigemptyset(&late);
	(void)sigaddset(&late, SIGTERM);
	(void)sigaddset(&late, SIGINT);
	(void)sigaddset(&late, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &late, NULL);
	while (running.n_events > 0)
		event_free(running.events[--running.n_events]);
	if (running.quiet != NULL)
		event_free(running.quiet);
	serve_free(running.serve);
	keeper_free(running.keeper);
	log_attend(NULL);
	if (running.base != NULL)
		event_base_free(running.base);
	return status;
}
