/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list in the order of beginning, and one timer of no time.
 */
#include "daemon/slices.h"

#include "daemon/clock.h"

/* A timer: the loop looks at its sockets before it comes. */
static void come_back(struct slices *slices)
{
	static const struct timeval at_once = { 0, 0 };

	(void)evtimer_add(&slices->timer, &at_once);
}

static bool may_go(const struct slices *slices, const struct slices_work *work)
{
	const struct slices_work *older;

	if (!work->ready)
		return false;
	for (older = slices->first; older != work; older = older->next)
		if (older->uid == work->uid)
			return false;
	return true;
}

static void do_slice(struct slices_work *work)
{
	int64_t until_ms = clock_boot_ms() + SLICES_MS;
	unsigned n;

	for (n = 0; n < SLICES_STEPS && clock_boot_ms() < until_ms; n++) {
		if (work->step(work->ctx))
			continue;
		slices_drop(work);
		if (work->end != NULL)
			work->end(work->ctx);
		return;
	}
	work->ready = work->rest == NULL;
	if (work->rest != NULL)
		work->rest(work->ctx);
}

static void turn(evutil_socket_t fd, short events, void *ctx)
{
	struct slices *slices = ctx;
	struct slices_work *work;

	(void)fd;
	(void)events;
	for (work = slices->first; work != NULL; work = work->next)
		if (may_go(slices, work))
			break;
	if (work == NULL)
		return;
	come_back(slices);
	do_slice(work);
}

void slices_init(struct slices *slices, struct event_base *base)
{
	(void)evtimer_assign(&slices->timer, base, turn, slices);
}

void slices_end(struct slices *slices)
{
	(void)evtimer_del(&slices->timer);
}

void slices_begin(struct slices *slices, struct slices_work *work)
{
	struct slices_work **at = &slices->first;

	if (work->slices != NULL)
		return;
	while (*at != NULL)
		at = &(*at)->next;
	*at = work;
	work->next = NULL;
	work->slices = slices;
	slices_go_on(work);
}

void slices_go_on(struct slices_work *work)
{
	if (work->slices == NULL)
		return;
	work->ready = true;
	come_back(work->slices);
}

void slices_drop(struct slices_work *work)
{
	struct slices_work **at;

	if (work->slices == NULL)
		return;
	for (at = &work->slices->first; *at != work; at = &(*at)->next)
		;
	*at = work->next;
	come_back(work->slices); /* one of the same uid may go now */
	work->slices = NULL;
}
