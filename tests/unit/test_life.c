/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lives of tokens by two clocks: 1,000,000 is the wall time of receipt and
 * 5,000,000 the boot time, in milliseconds.
 */
#include "daemon/life.h"

#include "test.h"

static const struct now start = { 1000000, 5000000 };

static struct now after(int64_t wall_s, int64_t boot_s)
{
	struct now now = { start.wall_s + wall_s,
		start.boot_ms + boot_s * 1000 };

	return now;
}

static int64_t left(const struct life *life, int64_t wall_s, int64_t boot_s)
{
	struct now now = after(wall_s, boot_s);

	return life_left_s(life, &now);
}

static bool usable(const struct life *life, int64_t age_s,
    int64_t min_validity_s, int64_t server_min_s)
{
	struct now now = after(age_s, age_s);

	return life_usable(life, &now, min_validity_s, server_min_s);
}

static int64_t renew_in(const struct life *life, int64_t age_s,
    int64_t server_min_s)
{
	struct now now = after(age_s, age_s);

	return life_renew_in_ms(life, &now, server_min_s);
}

static struct life resumed(int64_t refreshed_s, int64_t expires_s,
    int64_t granted_s, int64_t refresh_in_s)
{
	const struct life_record record = { refreshed_s, expires_s, granted_s,
		refresh_in_s };

	return life_resume(&record, &start);
}

static void a_token_lives_only_while_both_clocks_say_so(void **state)
{
	struct life life = life_begin(3600, 0, &start);

	(void)state;
	assert_int_equal(life.expires_s, 1003600);
	assert_int_equal(left(&life, 0, 0), 3600);
	assert_int_equal(left(&life, 100, 100), 3500);
	assert_int_equal(left(&life, 100, 3000), 600);
	assert_int_equal(left(&life, 3000, 100), 600);
	assert_int_equal(left(&life, -86400, 100), 3500);
	assert_int_equal(left(&life, -86400, 3600), 0);
	assert_int_equal(left(&life, 3600, 0), 0);
	assert_int_equal(left(&life, 99999, 99999), 0);
}

static void no_token_has_no_life(void **state)
{
	struct life life = { .granted_s = 0, .expires_s = 2000000 };

	(void)state;
	assert_int_equal(left(&life, 0, 0), 0);
	assert_false(usable(&life, 0, 0, 0));
}

static void a_minute_must_be_left(void **state)
{
	struct life life = life_begin(3600, 0, &start);

	(void)state;
	assert_true(usable(&life, 3540, 0, 0));
	assert_false(usable(&life, 3541, 0, 0));
}

static void min_validity_is_capped_at_half_the_life(void **state)
{
	struct life life = life_begin(3600, 0, &start);

	(void)state;
	assert_true(usable(&life, 2600, 1000, 0));
	assert_false(usable(&life, 2601, 1000, 0));
	assert_true(usable(&life, 1800, 86400, 0));
	assert_false(usable(&life, 1801, 86400, 0));
}

static void a_short_life_is_usable_for_its_first_half(void **state)
{
	struct life life = life_begin(10, 0, &start);

	(void)state;
	assert_true(usable(&life, 5, 86400, 0));
	assert_false(usable(&life, 6, 0, 0));
	life = life_begin(1, 0, &start);
	assert_true(usable(&life, 0, 0, 0));
	assert_false(usable(&life, 1, 0, 0));
}

static void a_servers_rule_is_not_capped(void **state)
{
	struct life life = life_begin(800, 0, &start);

	(void)state;
	assert_true(usable(&life, 140, 0, 660));
	assert_false(usable(&life, 141, 0, 660));
	assert_int_equal(renew_in(&life, 0, 660), 140000);
	assert_int_equal(renew_in(&life, 141, 660), 0);
}

static void renewal_is_at_half_the_life(void **state)
{
	struct life life = life_begin(3600, 0, &start);

	(void)state;
	assert_int_equal(life_margin_s(&life), 1800);
	assert_int_equal(renew_in(&life, 0, 0), 1800000);
	assert_int_equal(renew_in(&life, 1799, 0), 1000);
	assert_int_equal(renew_in(&life, 1800, 0), 0);
	assert_int_equal(renew_in(&life, 9999, 0), 0);
}

static void refresh_in_moves_the_renewal(void **state)
{
	struct life life = life_begin(3600, 600, &start);

	(void)state;
	assert_int_equal(life_margin_s(&life), 3000);
	assert_int_equal(renew_in(&life, 0, 0), 600000);
	assert_int_equal(renew_in(&life, 600, 0), 0);
}

static void refresh_in_that_cannot_be_is_not_followed(void **state)
{
	struct life life = life_begin(3600, 3600, &start);

	(void)state;
	assert_int_equal(life_margin_s(&life), 1800);
	life = life_begin(3600, 7200, &start);
	assert_int_equal(life_margin_s(&life), 1800);
}

static void a_life_goes_on_after_a_start(void **state)
{
	struct life life = resumed(999000, 1002600, 3600, 0);

	(void)state;
	assert_int_equal(left(&life, 0, 0), 2600);
	assert_int_equal(left(&life, -500, 100), 2500);
	assert_int_equal(left(&life, 2599, 2599), 1);
	assert_int_equal(left(&life, 2600, 2600), 0);
}

static void a_receipt_in_the_future_means_expired(void **state)
{
	struct life life = resumed(1000001, 1003601, 3600, 0);

	(void)state;
	assert_int_equal(left(&life, 0, 0), 0);
	life = resumed(1000000, 1003600, 3600, 0);
	assert_int_equal(left(&life, 0, 0), 3600);
}

static void more_life_than_granted_means_expired(void **state)
{
	struct life life = resumed(999000, 1003601, 3600, 0);

	(void)state;
	assert_int_equal(left(&life, 0, 0), 0);
}

static void advice_for_an_expired_token_does_not_put_its_renewal_off(
    void **state)
{
	struct life life = resumed(1000001, 1003601, 3600, 1800);

	(void)state;
	assert_int_equal(renew_in(&life, 0, 0), 0);
	life = resumed(999000, 1002600, 3600, 3000);
	assert_int_equal(renew_in(&life, 0, 0), 2000 * INT64_C(1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_lives_only_while_both_clocks_say_so),
		cmocka_unit_test(no_token_has_no_life),
		cmocka_unit_test(a_minute_must_be_left),
		cmocka_unit_test(min_validity_is_capped_at_half_the_life),
		cmocka_unit_test(a_short_life_is_usable_for_its_first_half),
		cmocka_unit_test(a_servers_rule_is_not_capped),
		cmocka_unit_test(renewal_is_at_half_the_life),
		cmocka_unit_test(refresh_in_moves_the_renewal),
		cmocka_unit_test(refresh_in_that_cannot_be_is_not_followed),
		cmocka_unit_test(a_life_goes_on_after_a_start),
		cmocka_unit_test(a_receipt_in_the_future_means_expired),
		cmocka_unit_test(more_life_than_granted_means_expired),
		cmocka_unit_test(
		    advice_for_an_expired_token_does_not_put_its_renewal_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
