/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Turns at the providers: how many at once, and in which order.
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
    int64_t ends_s)
{
	asker->slots = slots;
	asker->wish.start = on_start;
	asker->wish.ctx = asker;
	asker->wish.urgent = urgent;
	asker->wish.ends_s = ends_s;
	slots_want(slots, &asker->wish);
}

static struct slots *make(void)
{
	struct slots *slots = NULL;

	starts = 0;
	assert_int_equal(slots_new(&slots), FAULT_NONE);
	return slots;
}

/* All slots are taken. */
static struct slots *make_full(struct asker *holders)
{
	struct slots *slots = make();
	size_t i;

	memset(holders, 0, SLOTS_MAX * sizeof(*holders));
	for (i = 0; i < SLOTS_MAX; i++)
		want(slots, &holders[i], false, 1);
	assert_int_equal(starts, SLOTS_MAX);
	return slots;
}

static void a_free_slot_is_had_at_once(void **state)
{
	struct slots *slots = make();
	struct asker asker = { .started = 0 };

	(void)state;
	want(slots, &asker, false, 1);
	assert_int_equal(asker.started, 1);
	assert_int_equal(slots_held(slots), 1);
	slots_done(slots, &asker.wish);
	assert_int_equal(slots_held(slots), 0);
	assert_int_equal(asker.wish.place, SLOT_IDLE);
	slots_done(slots, &asker.wish);
	assert_int_equal(slots_held(slots), 0);
	slots_free(slots);
}

static void the_33rd_waits_for_one_to_end(void **state)
{
	struct asker holders[SLOTS_MAX], late = { .started = 0 };
	struct slots *slots = make_full(holders);

	(void)state;
	want(slots, &late, false, 1);
	assert_int_equal(late.started, 0);
	assert_int_equal(late.wish.place, SLOT_QUEUED);
	slots_done(slots, &holders[5].wish);
	assert_int_equal(late.started, SLOTS_MAX + 1);
	assert_int_equal(slots_held(slots), SLOTS_MAX);
	slots_free(slots);
}

static void requests_go_first_then_by_the_end_of_the_token(void **state)
{
	static const struct {
		bool urgent;
		int64_t ends_s;
		int turn;
	} rows[] = {
		{ false, 30, 5 },
		{ true, 90, 3 },
		{ false, 10, 4 },
		{ true, 20, 1 },
		{ true, 90, 0 },
		{ true, 40, 2 },
	};
	struct asker holders[SLOTS_MAX], askers[COUNT(rows)];
	struct slots *slots = make_full(holders);
	size_t i;

	(void)state;
	memset(askers, 0, sizeof(askers));
	for (i = 0; i < COUNT(rows); i++)
		want(slots, &askers[i], rows[i].urgent, rows[i].ends_s);
	/* One leaves the queue. */
	slots_done(slots, &askers[4].wish);
	for (i = 0; i < COUNT(rows); i++)
		slots_done(slots, &holders[i].wish);
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(askers[i].started,
		    rows[i].turn == 0 ? 0 : SLOTS_MAX + rows[i].turn);
	slots_free(slots);
}

static void a_wish_wanted_again_keeps_its_turn(void **state)
{
	struct asker holders[SLOTS_MAX], a = { .started = 0 },
					 b = { .started = 0 };
	struct slots *slots = make_full(holders);

	(void)state;
	want(slots, &a, true, 9);
	want(slots, &b, true, 9);
	want(slots, &a, true, 9);
	slots_done(slots, &holders[0].wish);
	assert_int_equal(a.started, SLOTS_MAX + 1);
	assert_int_equal(b.started, 0);
	slots_free(slots);
}

static void a_wish_that_becomes_urgent_moves_up(void **state)
{
	struct asker holders[SLOTS_MAX], a = { .started = 0 },
					 b = { .started = 0 };
	struct slots *slots = make_full(holders);

	(void)state;
	want(slots, &a, false, 1);
	want(slots, &b, false, 9);
	want(slots, &b, true, 9);
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
	want(slots, &asker, false, 1);
	want(slots, &asker, true, 1);
	assert_int_equal(starts, 1);
	assert_int_equal(slots_held(slots), 1);
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
		want(slots, &askers[i], false, (int64_t)(i * 7919 % MANY));
	}
	slots_done(slots, &holders[0].wish);
	assert_int_equal(starts, SLOTS_MAX + MANY);
	assert_int_equal(slots_held(slots), SLOTS_MAX - 1);
	for (i = 0; i < MANY; i++)
		assert_int_equal(askers[i].started,
		    SLOTS_MAX + 1 + askers[i].wish.ends_s);
	free(askers);
	slots_free(slots);
}

static void who_leaves_a_long_queue_does_not_upset_it(void **state)
{
	struct asker holders[SLOTS_MAX], askers[999];
	struct slots *slots = make_full(holders);
	size_t i;

	(void)state;
	memset(askers, 0, sizeof(askers));
	for (i = 0; i < COUNT(askers); i++) {
		askers[i].ends_at_once = true;
		want(slots, &askers[i], false, (int64_t)(i * 101 % 333));
		if (i % 4 == 3)
			slots_done(slots, &askers[i / 2].wish);
		if (i % 5 == 4)
			want(slots, &askers[i / 3], i % 2 == 0, 500);
	}
	slots_done(slots, &holders[0].wish);
	for (i = 0; i < COUNT(askers); i++) {
		const struct asker *a = &askers[i];
		size_t other;

		assert_int_equal(a->wish.place, SLOT_IDLE);
		for (other = 0; a->started > 0 && other < i; other++) {
			const struct asker *b = &askers[other];

			if (b->started == 0 || a->wish.urgent != b->wish.urgent)
				continue;
			if (a->wish.ends_s != b->wish.ends_s)
				assert_int_equal(a->started < b->started,
				    a->wish.ends_s < b->wish.ends_s);
		}
	}
	slots_free(slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_slot_is_had_at_once),
		cmocka_unit_test(the_33rd_waits_for_one_to_end),
		cmocka_unit_test(
		    requests_go_first_then_by_the_end_of_the_token),
		cmocka_unit_test(a_wish_wanted_again_keeps_its_turn),
		cmocka_unit_test(a_wish_that_becomes_urgent_moves_up),
		cmocka_unit_test(who_holds_a_slot_is_not_started_again),
		cmocka_unit_test(who_leaves_a_long_queue_does_not_upset_it),
		cmocka_unit_test(
		    a_long_queue_that_fails_at_once_needs_no_deep_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
