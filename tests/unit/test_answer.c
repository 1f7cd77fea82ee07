/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all lists of a helper have in common.
 */
#include "daemon/answer.h"

#include <stdlib.h>

#include "test.h"

#define LONG_TEXT_BYTES 3000

static struct buf out;

static int empty(void **state)
{
	(void)state;
	buf_init(&out, 200000);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	buf_drop(&out);
	return 0;
}

static void assert_fault(enum fault fault, const char *text, int64_t after_s,
    const char *want)
{
	answer_fault(&out, fault, text, after_s);
	assert_true(span_is(buf_span(&out), want));
	buf_drop(&out);
}

static void a_fault_has_its_word_and_a_sentence(void **state)
{
	(void)state;
	assert_fault(FAULT_LOGIN_NEEDED, "sign in again", 5,
	    "mailtoken=1\nresult=login-needed\n"
	    "text=sign in again\n\n");
	assert_fault(FAULT_NOMEM, NULL, -1,
	    "mailtoken=1\nresult=internal\n"
	    "text=out of memory\n\n");
	assert_fault(FAULT_TRY_LATER, "no", 0,
	    "mailtoken=1\nresult=try-later\ntext=no\n"
	    "retry-after=0\n\n");
}

static void foreign_bytes_in_a_sentence_do_no_harm(void **state)
{
	struct attrs attrs;

	(void)state;
	answer_fault(&out, FAULT_BUSY, "a\nresult=ok\001", -1);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_is(&attrs, ATTR_RESULT, "busy"));
}

static void a_long_sentence_is_cut(void **state)
{
	char text[LONG_TEXT_BYTES + 1];
	struct attrs attrs;

	(void)state;
	memset(text, 'x', LONG_TEXT_BYTES);
	text[LONG_TEXT_BYTES] = '\0';
	answer_fault(&out, FAULT_BUSY, text, -1);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_get(&attrs, ATTR_TEXT).n < TEXT_MAX_BYTES);
}

static struct provider *provider_of(const char *servers)
{
	struct provider *provider = NULL;
	struct why why;

	assert_int_equal(provider_new("p", NULL, &provider), FAULT_NONE);
	if (servers != NULL)
		assert_int_equal(
		    provider_set(provider, "servers", servers, &why),
		    FAULT_NONE);
	return provider;
}

static void an_answer_that_cannot_be_written_is_internal(void **state)
{
	struct attr_writer writer;
	struct attrs attrs;

	(void)state;
	answer_begin(&writer, &out, ATTR_ACCOUNT, "a\nb");
	answer_end(&writer);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_is(&attrs, ATTR_RESULT, "internal"));
}

static void assert_servers(const struct provider *provider, const char *account,
    const char *more, const char *want)
{
	struct attr_writer writer;
	struct attrs attrs;

	buf_drop(&out);
	answer_begin(&writer, &out, ATTR_RESULT, RESULT_OK);
	answer_servers(&writer, provider, account, more);
	answer_end(&writer);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(span_is(attr_get(&attrs, ATTR_SERVERS), want));
}

static void servers_are_the_providers_and_more(void **state)
{
	struct provider *provider = provider_of("a.example *.b.example");
	const char *account = "x@y.example";
	char many[4090];

	(void)state;
	assert_servers(provider, account, NULL, "a.example *.b.example");
	assert_servers(provider, account, "c.example",
	    "a.example *.b.example c.example");
	memset(many, 'c', sizeof(many));
	many[sizeof(many) - 1] = '\0';
	assert_servers(provider, account, many, "a.example *.b.example");
	provider_release(provider);
}

static void without_servers_it_is_the_accounts_domain(void **state)
{
	struct provider *provider = provider_of(NULL);

	(void)state;
	assert_servers(provider, "x@y.example", "c.example",
	    "y.example *.y.example c.example");
	assert_servers(provider, "nodomain", NULL, "");
	provider_release(provider);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fault_has_its_word_and_a_sentence),
		TEST(foreign_bytes_in_a_sentence_do_no_harm),
		TEST(a_long_sentence_is_cut),
		TEST(an_answer_that_cannot_be_written_is_internal),
		cmocka_unit_test(servers_are_the_providers_and_more),
		cmocka_unit_test(without_servers_it_is_the_accounts_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
