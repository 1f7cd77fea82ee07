/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What mailtoken-protocol(7) lets a request say, and what it does not.
 */
#include "daemon/request.h"

#include <stdio.h>

#include "test.h"

static struct attrs parsed;

/* As verbs.c has it. */
static enum request_needs needs_of(const struct attrs *attrs)
{
	if (attr_is(attrs, ATTR_VERB, VERB_REJECTED))
		return NEEDS_SERIAL;
	if (attr_is(attrs, ATTR_VERB, VERB_REFRESH))
		return ACCOUNT_OR_DUE;
	if (attr_is(attrs, ATTR_VERB, VERB_STATUS))
		return MAY_HAVE_ACCOUNT;
	return attr_is(attrs, ATTR_VERB, VERB_VERSION) ? NEEDS_NOTHING :
							 NEEDS_ACCOUNT;
}

static enum fault read_list(struct span list, struct request *request,
    struct why *why)
{
	assert_int_equal(attr_parse(list, WIRE_FIRST, &parsed), FAULT_NONE);
	memset(request, 0xa5, sizeof(*request));
	*why = (struct why){ .err = 0, .text = "" };
	return request_read(&parsed, needs_of(&parsed), request, why);
}

static void assert_good(const char *lines, struct request *request)
{
	char list[2048];
	struct why why;
	int n = snprintf(list, sizeof(list), "mailtoken=1\n%s\n", lines);

	assert_true(n > 0 && (size_t)n < sizeof(list));
	if (read_list((struct span){ list, (size_t)n }, request, &why) !=
	    FAULT_NONE)
		fail_msg("%s: %s", lines, why.text);
}

static void assert_bad(const char *lines)
{
	struct request request;
	char list[8192];
	struct why why;
	int n = snprintf(list, sizeof(list), "mailtoken=1\n%s\n", lines);

	assert_true(n > 0 && (size_t)n < sizeof(list));
	if (read_list((struct span){ list, (size_t)n }, &request, &why) !=
	    FAULT_BAD_REQUEST)
		fail_msg("taken: %s", lines);
	assert_true(why.text[0] != '\0');
}

static void a_token_request_is_understood(void **state)
{
	static const char list[] =
	    "mailtoken=1\nverb=token\n"
	    "account=Alice@Contoso.COM\nserver=smtp.office365.com\n"
	    "service=smtp\nmechanism=XOAUTH2\nmin-validity=660\n"
	    "something-new=1\n\n";
	struct request request;
	struct why why;

	(void)state;
	assert_int_equal(read_list(BYTES(list), &request, &why), FAULT_NONE);
	assert_span(request.account, "Alice@Contoso.COM");
	assert_string_equal(request.folded, "alice@contoso.com");
	assert_span(request.server, "smtp.office365.com");
	assert_span(request.service, "smtp");
	assert_span(request.mechanism, "XOAUTH2");
	assert_int_equal(request.min_validity_s, 660);
}

static void what_is_not_said_has_its_default(void **state)
{
	static const char list[] = "mailtoken=1\nverb=token\naccount=a\n\n";
	struct request request;
	struct why why;

	(void)state;
	assert_int_equal(read_list(BYTES(list), &request, &why), FAULT_NONE);
	assert_int_equal(request.server.n, 0);
	assert_int_equal(request.min_validity_s, 0);
	assert_int_equal(request.flow, FLOW_NONE);
	assert_true(request.revoke);
	assert_false(request.as_delegate);
	assert_false(request.due);
}

static void options_of_a_sign_in_are_understood(void **state)
{
	static const char list[] =
	    "mailtoken=1\nverb=sign-in\naccount=a\n"
	    "provider=microsoft\nflow=device\nas-delegate=yes\n"
	    "servers=mail.example.org *.relay.example.org\n\n";
	struct request request;
	struct why why;

	(void)state;
	assert_int_equal(read_list(BYTES(list), &request, &why), FAULT_NONE);
	assert_span(request.provider, "microsoft");
	assert_int_equal(request.flow, FLOW_DEVICE);
	assert_true(request.as_delegate);
	assert_span(request.servers, "mail.example.org *.relay.example.org");
}

static void what_the_page_does_not_allow_is_refused(void **state)
{
	static const char *const rows[] = {
		"verb=token\n",
		"verb=token\naccount=\n",
		"verb=token\naccount=a\001b\n",
		"verb=token\naccount=a\x7f\n",
		"verb=token\naccount=\xc3\n",
		"verb=token\naccount=a\nserver=a b\n",
		"verb=token\naccount=a\nmin-validity=-1\n",
		"verb=token\naccount=a\nmin-validity=86401\n",
		"verb=token\naccount=a\nmin-validity=1s\n",
		"verb=token\naccount=a\nmin-validity=\n",
		"verb=token\naccount=a\nmechanism=ABCDEFGHIJKLMNOPQRSTU\n",
		"verb=token\naccount=a\n"
		"service=abcdefghijklmnopqrstuvwxyzabcdefg\n",
		"verb=rejected\naccount=a\n",
		"verb=rejected\naccount=a\nserial=\n",
		"verb=rejected\naccount=a\nserial=ABCDEF\n",
		"verb=rejected\naccount=a\n"
		"serial=012345678901234567890123456789012\n",
		"verb=sign-in\n",
		"verb=sign-in\naccount=a\nflow=magic\n",
		"verb=sign-in\naccount=a\nas-delegate=maybe\n",
		"verb=sign-in\naccount=a\nservers=a  b\n",
		"verb=sign-in\naccount=a\nservers= a\n",
		"verb=sign-in\naccount=a\nservers=a \n",
		"verb=sign-in\naccount=a\nservers=*\n",
		"verb=sign-in\naccount=a\nservers=a.*.b\n",
		"verb=forget\n",
		"verb=forget\naccount=a\nrevoke=1\n",
		"verb=refresh\n",
		"verb=refresh\ndue=no\n",
		"verb=refresh\naccount=a\ndue=yes\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_bad(rows[i]);
}

static void an_account_has_at_most_254_bytes(void **state)
{
	char lines[400];
	struct request request;

	(void)state;
	(void)snprintf(lines, sizeof(lines), "verb=token\naccount=%0254d\n", 0);
	assert_good(lines, &request);
	(void)snprintf(lines, sizeof(lines), "verb=token\naccount=%0255d\n", 0);
	assert_bad(lines);
}

static void each_verb_has_what_it_needs(void **state)
{
	struct request request;

	(void)state;
	assert_good("verb=rejected\naccount=a\nserial=0f\n", &request);
	assert_good("verb=status\n", &request);
	assert_good("verb=status\naccount=a\n", &request);
	assert_good("verb=refresh\naccount=a\n", &request);
	assert_good("verb=refresh\ndue=yes\n", &request);
	assert_bad("verb=status\naccount=\n");
}

static void an_account_that_is_not_used_is_not_read(void **state)
{
	struct request request;

	(void)state;
	assert_good("verb=version\naccount=a\n", &request);
	assert_int_equal(request.account.n, 0);
	assert_string_equal(request.folded, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_request_is_understood),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(options_of_a_sign_in_are_understood),
		cmocka_unit_test(what_the_page_does_not_allow_is_refused),
		cmocka_unit_test(an_account_has_at_most_254_bytes),
		cmocka_unit_test(each_verb_has_what_it_needs),
		cmocka_unit_test(an_account_that_is_not_used_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
