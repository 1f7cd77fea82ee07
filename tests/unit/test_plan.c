/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Verdicts, by two clocks: 1,000,000 is the wall time at which a token came
 * and 5,000,000 the boot time, in milliseconds.
 */
#include "daemon/plan.h"

#include "test.h"

#define LATER_MS (24 * 3600 * INT64_C(1000))

static const struct now start = { 1000000, 5000000 };

static struct now after(int64_t wall_s, int64_t boot_s)
{
	struct now now = { start.wall_s + wall_s,
		start.boot_ms + boot_s * 1000 };

	return now;
}

static struct life resumed(int64_t received_s, int64_t expires_s,
    int64_t granted_s, int64_t refresh_in_s)
{
	struct life life = { .received_s = received_s,
		.expires_s = expires_s,
		.granted_s = granted_s,
		.refresh_in_s = refresh_in_s };

	life_begin(&life, &start);
	return life;
}

static struct life begun(int64_t granted_s, int64_t refresh_in_s)
{
	return resumed(start.wall_s, start.wall_s + granted_s, granted_s,
	    refresh_in_s);
}

static int64_t left(const struct life *life, int64_t wall_s, int64_t boot_s)
{
	struct now now = after(wall_s, boot_s);

	return life_left_s(life, &now);
}

static struct standing active(struct life life)
{
	return (struct standing){ .state = ACCOUNT_ACTIVE,
		.gate_ms = PLAN_LONG_AGO,
		.renew_ms = PLAN_LONG_AGO,
		.forced_ms = PLAN_LONG_AGO,
		.life = life };
}

static enum plan_verdict ask(const struct standing *standing, int64_t age_s,
    struct plan_question question, struct account_answer *answer_out)
{
	struct now now = after(age_s, age_s);

	question.has_token = true;
	return plan(standing, &question, &now, answer_out);
}

static bool usable(const struct life *life, int64_t age_s,
    int64_t min_validity_s, int64_t server_min_s)
{
	const struct standing standing = active(*life);
	const struct plan_question question = {
		.min_validity_s = min_validity_s,
		.server_min_s = server_min_s,
	};
	struct account_answer answer;

	return ask(&standing, age_s, question, &answer) <= PLAN_SERVE_AND_RENEW;
}

static int64_t renew_in(const struct life *life, int64_t age_s,
    int64_t server_min_s)
{
	const struct standing standing = active(*life);
	const struct plan_use use = { .asked_s = start.wall_s,
		.server_min_s = server_min_s };
	struct now now = after(age_s, age_s);

	return plan_renew_in_ms(&standing, &use, &now);
}

static void a_token_lives_only_while_both_clocks_say_so(void **state)
{
	struct life life = begun(3600, 0);

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
	struct life life = begun(3600, 0);

	(void)state;
	assert_true(usable(&life, 3540, 0, 0));
	assert_false(usable(&life, 3541, 0, 0));
}

static void min_validity_is_capped_at_half_the_life(void **state)
{
	struct life life = begun(3600, 0);

	(void)state;
	assert_true(usable(&life, 2600, 1000, 0));
	assert_false(usable(&life, 2601, 1000, 0));
	assert_true(usable(&life, 1800, 86400, 0));
	assert_false(usable(&life, 1801, 86400, 0));
}

static void a_short_life_is_usable_for_its_first_half(void **state)
{
	struct life life = begun(10, 0);

	(void)state;
	assert_true(usable(&life, 5, 86400, 0));
	assert_false(usable(&life, 6, 0, 0));
	life = begun(1, 0);
	assert_true(usable(&life, 0, 0, 0));
	assert_false(usable(&life, 1, 0, 0));
}

static void a_servers_rule_is_not_capped(void **state)
{
	struct life life = begun(800, 0);

	(void)state;
	assert_true(usable(&life, 140, 0, 660));
	assert_false(usable(&life, 141, 0, 660));
	assert_int_equal(renew_in(&life, 0, 660), 140000);
	assert_int_equal(renew_in(&life, 141, 660), 0);
	life = begun(600, 0); /* none would live longer */
	assert_true(usable(&life, 59, 0, 660));
	assert_false(usable(&life, 60, 0, 660));
}

static void renewal_is_at_half_the_life(void **state)
{
	struct life life = begun(3600, 0);

	(void)state;
	assert_int_equal(renew_in(&life, 0, 0), 1800000);
	assert_int_equal(renew_in(&life, 1799, 0), 1000);
	assert_int_equal(renew_in(&life, 1800, 0), 0);
	assert_int_equal(renew_in(&life, 9999, 0), 0);
}

static void refresh_in_moves_the_renewal(void **state)
{
	struct life life = begun(3600, 600);

	(void)state;
	assert_int_equal(renew_in(&life, 0, 0), 600000);
	assert_int_equal(renew_in(&life, 600, 0), 0);
	life = begun(3600, 3600); /* this cannot be */
	assert_int_equal(renew_in(&life, 0, 0), 1800000);
	life = begun(3600, 7200);
	assert_int_equal(renew_in(&life, 0, 0), 1800000);
}

static void a_life_goes_on_after_a_start(void **state)
{
	struct life life = resumed(999000, 1002600, 3600, 0);

	(void)state;
	assert_int_equal(left(&life, 0, 0), 2600);
	assert_int_equal(left(&life, -500, 100), 2500);
	assert_int_equal(left(&life, 2599, 2599), 1);
	assert_int_equal(left(&life, 2600, 2600), 0);
	life = resumed(999000, 1002600, 3600, 3000);
	assert_int_equal(renew_in(&life, 0, 0), 2000 * INT64_C(1000));
}

static void a_record_that_cannot_be_true_means_expired(void **state)
{
	struct life life = resumed(1000001, 1003601, 3600, 1800);

	(void)state;
	assert_int_equal(left(&life, 0, 0), 0);
	assert_int_equal(renew_in(&life, 0, 0), 0);
	life = resumed(1000000, 1003600, 3600, 0);
	assert_int_equal(left(&life, 0, 0), 3600);
	life = resumed(999000, 1003601, 3600, 0);
	assert_int_equal(left(&life, 0, 0), 0);
}

/* A token of an hour, after so many seconds, in each standing. */
static void verdicts(void **state)
{
	static const struct {
		enum account_state state;
		int64_t gate_in_ms; /* from then on */
		enum plan_gate gate;
		int64_t age_s;
		struct plan_question question;
		enum plan_verdict verdict;
		enum fault fault;
		int64_t retry_after_s;
	} rows[] = {
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 10, { .force = false },
		    PLAN_SERVE, FAULT_NONE, 0 },
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 1800, { .force = false },
		    PLAN_SERVE_AND_RENEW, FAULT_NONE, 0 },
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 3599, { .force = false },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 10, { .force = true },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 10, { .refused = true },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_ACTIVE, 0, GATE_SOFT, 3599, { .stopping = true },
		    PLAN_REFUSE, FAULT_TRY_LATER, 1 },
		{ ACCOUNT_BACKOFF, 1500, GATE_SOFT, 3599, { .force = false },
		    PLAN_REFUSE, FAULT_TRY_LATER, 2 },
		{ ACCOUNT_BACKOFF, 1500, GATE_SOFT, 1800, { .force = false },
		    PLAN_SERVE, FAULT_NONE, 0 },
		{ ACCOUNT_BACKOFF, 1500, GATE_SOFT, 3599, { .force = true },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_BACKOFF, 1500, GATE_TOLD, 3599, { .force = true },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_BACKOFF, 1500, GATE_SPENT, 3599, { .force = true },
		    PLAN_REFUSE, FAULT_TRY_LATER, 2 },
		{ ACCOUNT_BACKOFF, 0, GATE_SPENT, 3599, { .force = true },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_BACKOFF, 1500, GATE_SPENT, 3599,
		    { .in_flight = true }, PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_LOGIN_NEEDED, LATER_MS, GATE_SOFT, 3599,
		    { .force = false }, PLAN_REFUSE, FAULT_LOGIN_NEEDED, -1 },
		{ ACCOUNT_LOGIN_NEEDED, LATER_MS, GATE_SOFT, 10,
		    { .force = false }, PLAN_SERVE, FAULT_NONE, 0 },
		{ ACCOUNT_LOGIN_NEEDED, 0, GATE_SOFT, 3599, { .force = false },
		    PLAN_WAIT, FAULT_NONE, 0 },
		{ ACCOUNT_CONFIG_ERROR, LATER_MS, GATE_SOFT, 3599,
		    { .force = false }, PLAN_REFUSE, FAULT_CONFIG_ERROR, -1 },
		{ ACCOUNT_CONFIG_ERROR, PLAN_NEVER, GATE_SOFT, 3599,
		    { .force = true }, PLAN_REFUSE, FAULT_CONFIG_ERROR, -1 },
	};
	struct account_answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct standing standing = active(begun(3600, 0));

		standing.state = rows[i].state;
		standing.gate = rows[i].gate;
		standing.gate_ms = rows[i].gate_in_ms == PLAN_NEVER ?
		    PLAN_NEVER :
		    start.boot_ms + rows[i].age_s * 1000 + rows[i].gate_in_ms;
		if (ask(&standing, rows[i].age_s, rows[i].question, &answer) !=
		    rows[i].verdict)
			fail_msg("row %zu", i);
		if (rows[i].verdict != PLAN_REFUSE)
			continue;
		assert_int_equal(answer.fault, rows[i].fault);
		assert_int_equal(answer.retry_after_s, rows[i].retry_after_s);
		assert_non_null(answer.text);
	}
}

static void a_refused_token_is_renewed_once_a_minute(void **state)
{
	struct standing standing = active(begun(3600, 0));
	const struct plan_question question = { .refused = true };
	struct account_answer answer;

	(void)state;
	standing.forced_ms = start.boot_ms;
	assert_int_equal(ask(&standing, 59, question, &answer), PLAN_REFUSE);
	assert_int_equal(answer.fault, FAULT_TRY_LATER);
	assert_int_equal(ask(&standing, 60, question, &answer), PLAN_WAIT);
}

static void a_delay_doubles_up_to_a_quarter_of_an_hour(void **state)
{
	static const int64_t delays_s[] = { 5, 10, 20, 40, 80, 160, 320, 640,
		900, 900 };
	struct standing standing = active(begun(3600, 0));
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(delays_s); i++) {
		standing_back_off(&standing, "no answer", -1, 0, &start);
		assert_int_equal(standing.gate_ms - start.boot_ms,
		    delays_s[i] * 1000);
		assert_int_equal(standing.gate, GATE_SOFT);
	}
	standing_back_off(&standing, "slow down", 9999, 0, &start);
	assert_int_equal(standing.gate_ms - start.boot_ms, 3600000);
	assert_int_equal(standing.gate, GATE_TOLD);
	standing_set(&standing, ACCOUNT_ACTIVE, NULL, &start);
	standing_back_off(&standing, "no answer", -1, 999, &start);
	assert_int_equal(standing.gate_ms - start.boot_ms, 4001);
	standing_set(&standing, ACCOUNT_ACTIVE, NULL, &start);
	/* Whatever the random part takes away. */
	standing_back_off(&standing, "slow down", 5, 999, &start);
	assert_int_equal(standing.gate_ms - start.boot_ms, 5000);
	assert_int_equal(standing.gate, GATE_TOLD);
	standing_set(&standing, ACCOUNT_ACTIVE, NULL, &start);
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
		cmocka_unit_test(a_life_goes_on_after_a_start),
		cmocka_unit_test(a_record_that_cannot_be_true_means_expired),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_refused_token_is_renewed_once_a_minute),
		cmocka_unit_test(a_delay_doubles_up_to_a_quarter_of_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
