/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of faults are those of mailtoken-protocol(7); reasons are printable.
 */
#include "wire/fault.h"

#include <errno.h>

#include "test.h"

static void every_outcome_has_its_word(void **state)
{
	static const struct {
		enum fault fault;
		const char *word;
	} rows[] = {
		{ FAULT_NONE, "ok" },
		{ FAULT_LOGIN_NEEDED, "login-needed" },
		{ FAULT_UNKNOWN_ACCOUNT, "unknown-account" },
		{ FAULT_WRONG_SERVER, "wrong-server" },
		{ FAULT_TRY_LATER, "try-later" },
		{ FAULT_CONFIG_ERROR, "config-error" },
		{ FAULT_DENIED, "denied" },
		{ FAULT_BAD_REQUEST, "bad-request" },
		{ FAULT_BUSY, "busy" },
		{ FAULT_TIMEOUT, "timeout" },
		{ FAULT_INTERNAL, "internal" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_string_equal(fault_word(rows[i].fault), rows[i].word);
		assert_int_equal(fault_from_word(span_of(rows[i].word)),
		    rows[i].fault);
	}
}

static void machine_faults_tell_a_peer_nothing(void **state)
{
	static const enum fault faults[] = {
		FAULT_NO_HELPER,
		FAULT_UNTRUSTED,
		FAULT_GARBLED,
		FAULT_NOMEM,
		FAULT_IO,
		FAULT_UNSAFE,
		FAULT_NOT_FOUND,
		FAULT_LOCKED,
		FAULT_READ_ONLY,
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(faults); i++)
		assert_string_equal(fault_word(faults[i]), "internal");
	assert_string_equal(fault_word(FAULT_GRAMMAR), "bad-request");
	assert_string_equal(fault_word(FAULT_TOO_BIG), "bad-request");
}

static void words_in_no_page_are_garbled(void **state)
{
	static const char *const words[] = {
		"",
		"OK",
		"ok ",
		"okay",
		"nomem",
		"unsafe",
		"login_needed",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(words); i++)
		assert_int_equal(fault_from_word(span_of(words[i])),
		    FAULT_GARBLED);
	assert_int_equal(fault_from_word(BYTES("ok\0")), FAULT_GARBLED);
}

static void every_fault_has_a_sentence(void **state)
{
	int fault;

	(void)state;
	for (fault = FAULT_NONE; fault <= FAULT_READ_ONLY; fault++) {
		assert_true(strlen(fault_text((enum fault)fault)) > 3);
		assert_string_not_equal(fault_text((enum fault)fault),
		    "unknown fault");
	}
}

static void why_has_the_reason_of_errno(void **state)
{
	struct why why;

	(void)state;
	why_set(&why, ENOENT, "open %s", "x");
	assert_int_equal(why.err, ENOENT);
	assert_string_equal(why.text, "open x: No such file or directory");
	why_set(&why, 0, "plain");
	assert_int_equal(why.err, 0);
	assert_string_equal(why.text, "plain");
	why_set(NULL, EIO, "nobody listens");
}

static void without_a_reason_the_fault_speaks(void **state)
{
	struct why why = { .err = 0, .text = "" };

	(void)state;
	assert_string_equal(why_text(&why, FAULT_NOMEM),
	    fault_text(FAULT_NOMEM));
	why_set(&why, 0, "plain");
	assert_string_equal(why_text(&why, FAULT_NOMEM), "plain");
}

static void why_is_printable_and_cut(void **state)
{
	char text[WHY_MAX_BYTES + 100];
	struct why why;

	(void)state;
	why_set(&why, 0, "a\nb\033c\177d\r");
	assert_string_equal(why.text, "a?b?c?d?");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	why_set(&why, EIO, "%s", text);
	assert_int_equal(strlen(why.text), WHY_MAX_BYTES - 1);
	assert_int_equal(why.text[WHY_MAX_BYTES - 2], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_outcome_has_its_word),
		cmocka_unit_test(machine_faults_tell_a_peer_nothing),
		cmocka_unit_test(words_in_no_page_are_garbled),
		cmocka_unit_test(every_fault_has_a_sentence),
		cmocka_unit_test(why_has_the_reason_of_errno),
		cmocka_unit_test(without_a_reason_the_fault_speaks),
		cmocka_unit_test(why_is_printable_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
