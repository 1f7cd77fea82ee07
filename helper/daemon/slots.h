/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * slots - at most 32 exchanges with providers at once
 *
 * What wants one queues: who waits for mail goes before renewals, always, and
 * each of these two is first come, first served.  Where accounts of more than
 * one token host are known, none of these holds more than half: one that hangs
 * must not keep the others from theirs.  A slot is held from the start of an
 * exchange to its end.
 */
#ifndef MAILTOKEN_DAEMON_SLOTS_H
#define MAILTOKEN_DAEMON_SLOTS_H

#include "wire/fault.h"

#define SLOTS_MAX	32
#define SLOTS_SHARE_MAX (SLOTS_MAX / 2)

struct slots;
struct slot_share;

typedef void slot_start_fn(void *ctx);

/* Held by whoever wants a slot; all zero when idle. */
struct slot_wish {
	slot_start_fn *start;
	void *ctx;
	struct slot_share *share; /* of slots_share(); not while it waits */
	bool urgent;		  /* somebody waits for it */
	enum {
		SLOT_IDLE,
		SLOT_QUEUED,
		SLOT_HELD
	} place;
	/* Of the queue: */
	int64_t turn; /* the first to come */
	bool in_urgent;
	struct slot_wish *next;
	struct slot_wish *prev;
};

enum fault slots_new(struct slots **slots_out) MUST_CHECK;
void slots_free(struct slots *slots);

/* slots_share - that of a token host, known from now on; NULL without
 * memory, which is no share at all. */
struct slot_share *slots_share(struct slots *slots, const char *host);

/*
 * slots_want - start is called, now or when a slot is free; a wish that is
 * queued already can only become urgent, and queues anew then
 */
void slots_want(struct slots *slots, struct slot_wish *wish);

/* slots_done - give the slot back, or leave the queue; then others start. */
void slots_done(struct slots *slots, struct slot_wish *wish);

/* slots_held - how many exchanges are in flight. */
unsigned slots_held(const struct slots *slots);

#endif
