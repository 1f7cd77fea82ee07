/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list is enough: renewals are spread out, so the queue is short except
 * when a network comes back.
 */
#include "daemon/slots.h"

#include <stdlib.h>

struct slots {
	unsigned held;
	bool starting;
	struct slot_wish *queue;
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
	return a->ends_s < b->ends_s;
}

static void unlink_wish(struct slots *slots, const struct slot_wish *wish)
{
	struct slot_wish **at;

	for (at = &slots->queue; *at != NULL; at = &(*at)->next) {
		if (*at == wish) {
			*at = wish->next;
			return;
		}
	}
}

static void link_wish(struct slots *slots, struct slot_wish *wish)
{
	struct slot_wish **at = &slots->queue;

	while (*at != NULL && !is_before(wish, *at))
		at = &(*at)->next;
	wish->next = *at;
	*at = wish;
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
		slots->queue = wish->next;
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
