/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exit statuses are those of mailtoken(1).
 */
#include "cli/command.h"

#include "test.h"

static void every_word_of_the_wire_has_its_exit_status(void **state)
{
	static const struct {
		const char *word;
		int status;
	} rows[] = {
		{ "ok", 0 },
		{ "login-needed", 1 },
		{ "unknown-account", 1 },
		{ "wrong-server", 1 },
		{ "config-error", 1 },
		{ "bad-request", 2 },
		{ "try-later", 75 },
		{ "busy", 75 },
		{ "timeout", 75 },
		{ "internal", 75 },
		{ "denied", 77 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    outcome_of(fault_from_word(span_of(rows[i].word))),
		    rows[i].status);
}

static void what_a_client_sees_has_its_exit_status(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(FAULT_NO_HELPER), 75);
	assert_int_equal(outcome_of(FAULT_NOMEM), 75);
	assert_int_equal(outcome_of(FAULT_UNTRUSTED), 1);
	assert_int_equal(outcome_of(FAULT_GARBLED), 1);
	assert_int_equal(outcome_of(FAULT_IO), 1);
	assert_int_equal(outcome_of(FAULT_GRAMMAR), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_of_the_wire_has_its_exit_status),
		cmocka_unit_test(what_a_client_sees_has_its_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
