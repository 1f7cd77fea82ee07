/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The clocks, and that nothing is told while nobody sets them.  (A step of
 * the machine's clock is not made here: it would hit every other process.)
 */
#include "daemon/clock.h"

#include <event2/event.h>
#include <time.h>

#include "test.h"

static int jumps;

static void on_jump(void *ctx)
{
	assert_ptr_equal(ctx, &jumps);
	jumps++;
}

static void wall_time_is_unix_seconds(void **state)
{
	time_t before = time(NULL);
	int64_t now = clock_wall_s();

	(void)state;
	assert_true(now >= (int64_t)before);
	assert_true(now <= (int64_t)time(NULL) + 1);
}

static void boot_time_goes_forward(void **state)
{
	struct timespec before, after;
	int64_t now;

	(void)state;
	(void)clock_gettime(CLOCK_BOOTTIME, &before);
	now = clock_boot_ms();
	(void)clock_gettime(CLOCK_BOOTTIME, &after);
	assert_true(now >= (int64_t)before.tv_sec * 1000);
	assert_true(now <= (int64_t)(after.tv_sec + 1) * 1000);
	assert_true(clock_boot_ms() >= now);
}

static void a_watch_is_quiet_while_nobody_sets_the_clock(void **state)
{
	struct event_base *base = event_base_new();
	struct clock_watch *watch = NULL;
	struct why why;

	(void)state;
	assert_non_null(base);
	assert_int_equal(clock_watch_new(base, on_jump, &jumps, &watch, &why),
	    FAULT_NONE);
	assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(jumps, 0);
	clock_watch_free(watch);
	clock_watch_free(NULL);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wall_time_is_unix_seconds),
		cmocka_unit_test(boot_time_goes_forward),
		cmocka_unit_test(a_watch_is_quiet_while_nobody_sets_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
