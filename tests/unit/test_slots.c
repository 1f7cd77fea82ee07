/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Turns at the providers: how many at once, in which order, whose.
 */
#include "daemon/slots.h"

#include <stdlib.h>

#include "test.h"

#define MANY 200000

struct asker {
	struct slots *slots;
	struct slot_wish wish;
	bool ends_at_once;
	int started; /* which it was, from 1 */
};

static int starts;

static void on_start(void *ctx)
{
	struct asker *asker = ctx;

	asker->started = ++starts;
	assert_int_equal(asker->wish.place, SLOT_HELD);
	if (asker->ends_at_once)
		slots_done(asker->slots, &asker->wish);
}

static void want(struct slots *slots, struct asker *asker, bool urgent,
    const char *host)
{
	asker->slots = slots;
	asker->wish.start = on_start;
	asker->wish.ctx = asker;
	asker->wish.urgent = urgent;
	if (asker->wish.place == SLOT_IDLE && host != NULL)
		asker->wish.share = slots_share(slots, host);
	slots_want(slots, &asker->wish);
}

static struct slots *make(void)
{
	struct slots *slots = NULL;

	starts = 0;
	assert_int_equal(slots_new(&slots), FAULT_NONE);
	return slots;
}

/* All slots are taken, by the only host that is known. */
static struct slots *make_full(struct asker *holders)
{
	struct slots *slots = make();
	size_t i;

	memset(holders, 0, SLOTS_MAX * sizeof(*holders));
	for (i = 0; i < SLOTS_MAX; i++)
		want(slots, &holders[i], false, "a");
	assert_int_equal(starts, SLOTS_MAX);
	return slots;
}

static void a_free_slot_is_had_at_once(void **state)
{
	struct slots *slots = make();
	struct asker asker = { .started = 0 };

	(void)state;
	want(slots, &asker, false, NULL);
	assert_int_equal(asker.started, 1);
	assert_int_equal(slots_held(slots), 1);
	slots_done(slots, &asker.wish);
	assert_int_equal(slots_held(slots), 0);
	assert_int_equal(asker.wish.place, SLOT_IDLE);
	slots_done(slots, &asker.wish);
	assert_int_equal(slots_held(slots), 0);
	slots_free(slots);
}

static void requests_go_first_and_each_queue_is_first_come(void **state)
{
	static const struct {
		bool urgent;
		int turn;
	} rows[] = {
		{ false, 4 },
		{ true, 1 },
		{ false, 5 },
		{ true, 0 },
		{ true, 2 },
		{ true, 3 },
	};
	struct asker holders[SLOTS_MAX], askers[COUNT(rows)];
	struct slots *slots = make_full(holders);
	size_t i;

	(void)state;
	memset(askers, 0, sizeof(askers));
	for (i = 0; i < COUNT(rows); i++)
		want(slots, &askers[i], rows[i].urgent, "a");
	/* One asks again, and one leaves the queue. */
	want(slots, &askers[1], true, "a");
	slots_done(slots, &askers[3].wish);
	for (i = 0; i < COUNT(rows); i++)
		slots_done(slots, &holders[i].wish);
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(askers[i].started,
		    rows[i].turn == 0 ? 0 : SLOTS_MAX + rows[i].turn);
	slots_free(slots);
}

static void a_wish_that_becomes_urgent_moves_up(void **state)
{
	struct asker holders[SLOTS_MAX], a = { .started = 0 },
					 b = { .started = 0 };
	struct slots *slots = make_full(holders);

	(void)state;
	want(slots, &a, false, "a");
	want(slots, &b, false, "a");
	want(slots, &b, true, "a");
	slots_done(slots, &holders[0].wish);
	assert_int_equal(b.started, SLOTS_MAX + 1);
	assert_int_equal(a.started, 0);
	slots_free(slots);
}

static void who_holds_a_slot_is_not_started_again(void **state)
{
	struct slots *slots = make();
	struct asker asker = { .started = 0 };

	(void)state;
	want(slots, &asker, false, "a");
	want(slots, &asker, true, "a");
	assert_int_equal(starts, 1);
	assert_int_equal(slots_held(slots), 1);
	slots_free(slots);
}

static void of_two_hosts_none_has_more_than_half(void **state)
{
	struct asker a[SLOTS_MAX], b[SLOTS_MAX];
	struct slots *slots = make();
	size_t i;

	(void)state;
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	assert_non_null(slots_share(slots, "b"));
	for (i = 0; i < SLOTS_MAX; i++)
		want(slots, &a[i], true, "a");
	assert_int_equal(starts, SLOTS_SHARE_MAX);
	for (i = 0; i < SLOTS_MAX; i++)
		want(slots, &b[i], false, "b");
	assert_int_equal(starts, SLOTS_MAX);
	slots_done(slots, &b[0].wish);
	assert_int_equal(b[SLOTS_SHARE_MAX].started, SLOTS_MAX + 1);
	slots_done(slots, &a[0].wish);
	assert_int_equal(a[SLOTS_SHARE_MAX].started, SLOTS_MAX + 2);
	slots_free(slots);
}

/* Each start that ends at once makes room for the next: no recursion. */
static void a_long_queue_that_fails_at_once_needs_no_deep_stack(void **state)
{
	struct asker holders[SLOTS_MAX];
	struct slots *slots = make_full(holders);
	struct asker *askers = calloc(MANY, sizeof(*askers));
	size_t i;

	(void)state;
	assert_non_null(askers);
	for (i = 0; i < MANY; i++) {
		askers[i].ends_at_once = true;
		want(slots, &askers[i], i % 2 == 1, "a");
	}
	slots_done(slots, &holders[0].wish);
	assert_int_equal(starts, SLOTS_MAX + MANY);
	assert_int_equal(slots_held(slots), SLOTS_MAX - 1);
	for (i = 0; i < MANY; i++)
		assert_int_equal(askers[i].started,
		    SLOTS_MAX + 1 + (int)i / 2 + (i % 2 == 1 ? 0 : MANY / 2));
	free(askers);
	slots_free(slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_slot_is_had_at_once),
		cmocka_unit_test(
		    requests_go_first_and_each_queue_is_first_come),
		cmocka_unit_test(a_wish_that_becomes_urgent_moves_up),
		cmocka_unit_test(who_holds_a_slot_is_not_started_again),
		cmocka_unit_test(of_two_hosts_none_has_more_than_half),
		cmocka_unit_test(
		    a_long_queue_that_fails_at_once_needs_no_deep_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
