/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * slices - what goes over all accounts shares the event loop
 *
 * One slice a turn, of whichever work began first and can go on; sockets and
 * timers have their turn before the next.  Works of one uid go one after the
 * other, so that nobody has more of the helper by asking more often.
 */
#ifndef MAILTOKEN_DAEMON_SLICES_H
#define MAILTOKEN_DAEMON_SLICES_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

/* Few: who asks for a token while a long work goes on waits for half a slice;
 * with 20 of them twice as long as without, and a turn more costs little. */
#define SLICES_STEPS  5
#define SLICES_MS     2
#define SLICES_NOBODY ((uid_t)-1) /* the helper's own */

struct slices;

/* Held by value by who has the work; zeroed: it is not under way. */
struct slices_work {
	uid_t uid;

	/* One account; false when there is none left. */
	bool (*step)(void *ctx);

	/* A slice is over; slices_go_on() says when the next may be.  NULL:
	 * at once. */
	void (*rest)(void *ctx);

	/* It is not under way any more and may be freed.  NULL: nothing. */
	void (*end)(void *ctx);
	void *ctx;

	struct slices *slices; /* slices.c's from here on */
	bool ready;
	struct slices_work *next;
};

/* Held by value by the engine. */
struct slices {
	struct event timer;
	struct slices_work *first;
};

/* slices_end - forgets what is under way. */
void slices_init(struct slices *slices, struct event_base *base);
void slices_end(struct slices *slices);

/* slices_begin - nothing when it is under way; no step is done before this
 * has returned. */
void slices_begin(struct slices *slices, struct slices_work *work);

/* slices_go_on - nothing when it is not under way. */
void slices_go_on(struct slices_work *work);

/* slices_drop - end is not called; not from inside step.  Nothing when it is
 * not under way. */
void slices_drop(struct slices_work *work);

#endif
