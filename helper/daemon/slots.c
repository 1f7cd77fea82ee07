/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two queues a token host: few hosts have many accounts, so the next to start
 * is looked for among the hosts and not among all who wait.
 */
#include "daemon/slots.h"

#include <stdlib.h>
#include <string.h>

struct queue {
	struct slot_wish *first;
	struct slot_wish *last;
};

struct slot_share {
	char *host;
	unsigned held;
	struct queue urgent;
	struct queue idle;
	struct slot_share *next;
};

struct slots {
	unsigned held;
	bool starting;
	int64_t turns;
	struct slot_share nobody; /* whose host is not known */
	struct slot_share *shares;
};

enum fault slots_new(struct slots **slots_out)
{
	struct slots *slots = calloc(1, sizeof(*slots));

	if (slots == NULL)
		return FAULT_NOMEM;
	slots->shares = &slots->nobody;
	*slots_out = slots;
	return FAULT_NONE;
}

void slots_free(struct slots *slots)
{
	struct slot_share *share;

	if (slots == NULL)
		return;
	while ((share = slots->shares) != &slots->nobody) {
		slots->shares = share->next;
		free(share->host);
		free(share);
	}
	free(slots);
}

struct slot_share *slots_share(struct slots *slots, const char *host)
{
	struct slot_share *share;

	for (share = slots->shares; share != &slots->nobody;
	     share = share->next)
		if (strcmp(share->host, host) == 0)
			return share;
	share = calloc(1, sizeof(*share));
	if (share == NULL)
		return NULL;
	share->host = strdup(host);
	if (share->host == NULL) {
		free(share);
		return NULL;
	}
	share->next = slots->shares;
	slots->shares = share;
	return share;
}

static struct queue *queue_of(struct slot_wish *wish)
{
	return wish->in_urgent ? &wish->share->urgent : &wish->share->idle;
}

static void link_wish(struct slots *slots, struct slot_wish *wish)
{
	struct queue *queue;

	wish->place = SLOT_QUEUED;
	wish->turn = slots->turns++;
	wish->in_urgent = wish->urgent;
	queue = queue_of(wish);
	wish->next = NULL;
	wish->prev = queue->last;
	if (queue->last != NULL)
		queue->last->next = wish;
	else
		queue->first = wish;
	queue->last = wish;
}

static void unlink_wish(struct slot_wish *wish)
{
	struct queue *queue = queue_of(wish);

	if (wish->prev != NULL)
		wish->prev->next = wish->next;
	else
		queue->first = wish->next;
	if (wish->next != NULL)
		wish->next->prev = wish->prev;
	else
		queue->last = wish->prev;
}

/* The first of all hosts that have not had their half. */
static struct slot_wish *next_wish(const struct slots *slots, bool urgent)
{
	bool alone = slots->shares == &slots->nobody ||
	    slots->shares->next == &slots->nobody;
	unsigned most = alone ? SLOTS_MAX : SLOTS_SHARE_MAX;
	struct slot_wish *wish, *found = NULL;
	const struct slot_share *share;

	for (share = slots->shares; share != NULL; share = share->next) {
		wish = urgent ? share->urgent.first : share->idle.first;
		if (wish != NULL && share->held < most &&
		    (found == NULL || wish->turn < found->turn))
			found = wish;
	}
	return found;
}

static void start_some(struct slots *slots)
{
	struct slot_wish *wish;

	/* A start that ends at once comes back here: it must not go deeper. */
	if (slots->starting)
		return;
	slots->starting = true;
	while (slots->held < SLOTS_MAX) {
		wish = next_wish(slots, true);
		if (wish == NULL)
			wish = next_wish(slots, false);
		if (wish == NULL)
			break;
		unlink_wish(wish);
		wish->place = SLOT_HELD;
		wish->share->held++;
		slots->held++;
		wish->start(wish->ctx);
	}
	slots->starting = false;
}

void slots_want(struct slots *slots, struct slot_wish *wish)
{
	if (wish->place == SLOT_HELD)
		return;
	if (wish->place == SLOT_QUEUED) {
		if (wish->in_urgent || !wish->urgent)
			return;
		unlink_wish(wish);
	} else if (wish->share == NULL) {
		wish->share = &slots->nobody;
	}
	link_wish(slots, wish);
	start_some(slots);
}

void slots_done(struct slots *slots, struct slot_wish *wish)
{
	if (wish->place == SLOT_QUEUED)
		unlink_wish(wish);
	if (wish->place == SLOT_HELD) {
		wish->share->held--;
		slots->held--;
	}
	wish->place = SLOT_IDLE;
	start_some(slots);
}

unsigned slots_held(const struct slots *slots)
{
	return slots->held;
}
