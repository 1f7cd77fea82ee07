/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Listeners come, hear, and go.
 */
#include "daemon/watch.h"

#include "test.h"

static struct account *last;

static void heard(void *ctx, struct account *account)
{
	int *times = ctx;

	(*times)++;
	last = account;
}

static void every_listener_hears_every_change(void **state)
{
	struct watchers *watchers = NULL;
	struct watcher *a = NULL, *b = NULL, *c = NULL;
	int times[3] = { 0, 0, 0 }, mark;
	struct account *account = (struct account *)(void *)&mark;

	(void)state;
	assert_int_equal(watch_new(&watchers), FAULT_NONE);
	watch_tell(watchers, account);
	assert_int_equal(watch_add(watchers, heard, &times[0], &a), FAULT_NONE);
	assert_int_equal(watch_add(watchers, heard, &times[1], &b), FAULT_NONE);
	assert_int_equal(watch_add(watchers, heard, &times[2], &c), FAULT_NONE);
	watch_tell(watchers, account);
	assert_ptr_equal(last, account);
	watch_remove(watchers, b);
	watch_tell(watchers, account);
	watch_remove(watchers, a);
	watch_remove(watchers, c);
	watch_tell(watchers, account);
	assert_int_equal(times[0], 2);
	assert_int_equal(times[1], 1);
	assert_int_equal(times[2], 2);
	watch_free(watchers);
}

static void nobody_to_tell_is_no_fault(void **state)
{
	struct watchers *watchers = NULL;

	(void)state;
	watch_tell(NULL, NULL);
	assert_int_equal(watch_new(&watchers), FAULT_NONE);
	watch_remove(watchers, NULL);
	watch_free(watchers);
	watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_listener_hears_every_change),
		cmocka_unit_test(nobody_to_tell_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
