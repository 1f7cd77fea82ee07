/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The queue is a pairing heap (Fredman et al., 1986): all accounts of a large
 * keyring may want a turn at once when a clock is put right, and a sorted list
 * would keep the helper busy for minutes then.
 */
#include "daemon/slots.h"

#include <stdlib.h>

struct slots {
	unsigned held;
	bool starting;
	int64_t turns;
	struct slot_wish *queue; /* the next to start */
};

enum fault slots_new(struct slots **slots_out)
{
	struct slots *slots = calloc(1, sizeof(*slots));

	if (slots == NULL)
		return FAULT_NOMEM;
	*slots_out = slots;
	return FAULT_NONE;
}

void slots_free(struct slots *slots)
{
	free(slots);
}

static bool is_before(const struct slot_wish *a, const struct slot_wish *b)
{
	if (a->urgent != b->urgent)
		return a->urgent;
	if (a->ends_s != b->ends_s)
		return a->ends_s < b->ends_s;
	return a->turn < b->turn;
}

static struct slot_wish *meld(struct slot_wish *a, struct slot_wish *b)
{
	struct slot_wish *first = a;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (is_before(b, a)) {
		first = b;
		b = a;
	}
	b->prev = first;
	b->next = first->child;
	if (b->next != NULL)
		b->next->prev = b;
	first->child = b;
	return first;
}

/* Siblings to one heap: in pairs first, which is what makes it fast. */
static struct slot_wish *meld_all(struct slot_wish *sibling)
{
	struct slot_wish *pairs = NULL, *all = NULL, *a, *b;

	while ((a = sibling) != NULL) {
		b = a->next;
		sibling = b != NULL ? b->next : NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while ((a = pairs) != NULL) {
		pairs = a->next;
		all = meld(all, a);
	}
	return all;
}

static void link_wish(struct slots *slots, struct slot_wish *wish)
{
	wish->child = NULL;
	slots->queue = meld(slots->queue, wish);
}

static void unlink_wish(struct slots *slots, struct slot_wish *wish)
{
	struct slot_wish *rest = meld_all(wish->child);

	if (wish == slots->queue) {
		slots->queue = rest;
		return;
	}
	if (wish->prev->child == wish)
		wish->prev->child = wish->next;
	else
		wish->prev->next = wish->next;
	if (wish->next != NULL)
		wish->next->prev = wish->prev;
	slots->queue = meld(slots->queue, rest);
}

static void start_some(struct slots *slots)
{
	struct slot_wish *wish;

	/* A start that ends at once comes back here: it must not go deeper. */
	if (slots->starting)
		return;
	slots->starting = true;
	while (slots->held < SLOTS_MAX && slots->queue != NULL) {
		wish = slots->queue;
		unlink_wish(slots, wish);
		wish->place = SLOT_HELD;
		slots->held++;
		wish->start(wish->ctx);
	}
	slots->starting = false;
}

void slots_want(struct slots *slots, struct slot_wish *wish)
{
	if (wish->place == SLOT_HELD)
		return;
	if (wish->place == SLOT_QUEUED)
		unlink_wish(slots, wish);
	else
		wish->turn = slots->turns++;
	wish->place = SLOT_QUEUED;
	link_wish(slots, wish);
	start_some(slots);
}

void slots_done(struct slots *slots, struct slot_wish *wish)
{
	if (wish->place == SLOT_QUEUED)
		unlink_wish(slots, wish);
	if (wish->place == SLOT_HELD)
		slots->held--;
	wish->place = SLOT_IDLE;
	start_some(slots);
}

unsigned slots_held(const struct slots *slots)
{
	return slots->held;
}
