/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * slots - at most 32 exchanges with providers at once
 *
 * What wants one queues: requests before renewals, then by when the token
 * ends.  A slot is held from the start of an exchange to its end.
 */
#ifndef MAILTOKEN_DAEMON_SLOTS_H
#define MAILTOKEN_DAEMON_SLOTS_H

#include "wire/fault.h"

#define SLOTS_MAX 32

struct slots;

typedef void slot_start_fn(void *ctx);

/* Held by whoever wants a slot; all zero when idle. */
struct slot_wish {
	slot_start_fn *start;
	void *ctx;
	bool urgent;	/* somebody waits for it */
	int64_t ends_s; /* unix seconds */
	enum {
		SLOT_IDLE,
		SLOT_QUEUED,
		SLOT_HELD
	} place;
	/* Of the queue: */
	int64_t turn; /* among equals the first to come */
	struct slot_wish *child;
	struct slot_wish *next; /* sibling */
	struct slot_wish *prev; /* sibling, or the parent of the first */
};

enum fault slots_new(struct slots **slots_out) MUST_CHECK;
void slots_free(struct slots *slots);

/*
 * slots_want - start is called, now or when a slot is free; a wish that is
 * queued already only becomes urgent
 */
void slots_want(struct slots *slots, struct slot_wish *wish);

/* slots_done - give the slot back, or leave the queue; then others start. */
void slots_done(struct slots *slots, struct slot_wish *wish);

/* slots_held - how many exchanges are in flight. */
unsigned slots_held(const struct slots *slots);

#endif
