/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The lists a helper sends, byte by byte as in mailtoken-protocol(7).
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

static void ok_is_one_list(void **state)
{
	(void)state;
	answer_ok(&out);
	assert_span(buf_span(&out), "mailtoken=1\nresult=ok\n\n");
}

static void a_fault_has_its_word_and_a_sentence(void **state)
{
	struct answer_refusal refusal = { .fault = FAULT_LOGIN_NEEDED,
		.text = "sign in again",
		.retry_after_s = 5 };

	(void)state;
	answer_fault(&out, &refusal);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=login-needed\n"
	    "text=sign in again\n\n");
}

static void a_fault_without_a_sentence_has_its_own(void **state)
{
	struct answer_refusal refusal = { .fault = FAULT_NOMEM,
		.retry_after_s = -1 };

	(void)state;
	answer_fault(&out, &refusal);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=internal\n"
	    "text=out of memory\n\n");
}

static void try_later_says_when(void **state)
{
	struct answer_refusal refusal = { .fault = FAULT_TRY_LATER,
		.text = "no",
		.retry_after_s = 0 };

	(void)state;
	answer_fault(&out, &refusal);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=try-later\ntext=no\n"
	    "retry-after=0\n\n");
}

static void an_unknown_account_may_use_its_password(void **state)
{
	struct answer_refusal refusal = { .fault = FAULT_UNKNOWN_ACCOUNT,
		.text = "no",
		.retry_after_s = -1,
		.password_as_token = true };

	(void)state;
	answer_fault(&out, &refusal);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=unknown-account\n"
	    "text=no\npassword-as-token=yes\n\n");
}

static void foreign_bytes_in_a_sentence_do_no_harm(void **state)
{
	struct answer_refusal refusal = { .fault = FAULT_BUSY,
		.text = "a\nresult=ok\001",
		.retry_after_s = -1 };
	struct attrs attrs;

	(void)state;
	answer_fault(&out, &refusal);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_is(&attrs, ATTR_RESULT, "busy"));
}

static void a_long_sentence_is_cut(void **state)
{
	char text[LONG_TEXT_BYTES + 1];
	struct answer_refusal refusal = { .fault = FAULT_BUSY,
		.text = text,
		.retry_after_s = -1 };
	struct attrs attrs;

	(void)state;
	memset(text, 'x', LONG_TEXT_BYTES);
	text[LONG_TEXT_BYTES] = '\0';
	answer_fault(&out, &refusal);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_get(&attrs, ATTR_TEXT).n < TEXT_MAX_BYTES);
}

static void a_token_comes_with_login_end_and_serial(void **state)
{
	char serial[] = "0123456789abcdef";
	struct entry entry = { .serial = serial, .expires_s = 1790000000 };
	struct account_answer answer = { .entry = &entry };

	(void)state;
	assert_int_equal(secret_new(BYTES("tok123"), &entry.access_token),
	    FAULT_NONE);
	answer_token(&out, &answer, BYTES("alice@contoso.com"));
	secret_free(entry.access_token);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=ok\n"
	    "login=alice@contoso.com\ntoken=tok123\nexpires=1790000000\n"
	    "serial=0123456789abcdef\n\n");
}

static void a_renewal_tells_its_end(void **state)
{
	const struct entry entry = { .expires_s = 1790003600 };
	struct account_answer good = { .entry = &entry };

	(void)state;
	answer_refreshed(&out, "a@b", &good);
	assert_span(buf_span(&out),
	    "mailtoken=1\nresult=ok\naccount=a@b\n"
	    "expires=1790003600\n\n");
}

static void each_renewal_of_many_has_its_outcome(void **state)
{
	const struct entry entry = { .expires_s = 5 };
	struct account_answer good = { .entry = &entry };
	struct account_answer bad = { .fault = FAULT_LOGIN_NEEDED,
		.text = "sign in again" };

	(void)state;
	answer_due(&out, "a@b", &good);
	answer_due(&out, "c@d", &bad);
	assert_span(buf_span(&out),
	    "mailtoken=1\naccount=a@b\noutcome=ok\n"
	    "expires=5\n\n"
	    "mailtoken=1\naccount=c@d\noutcome=login-needed\n"
	    "text=sign in again\n\n");
}

static void forgetting_says_what_is_left_to_do(void **state)
{
	const struct forget_end end = { .revoked = FORGET_UNSUPPORTED,
		.deleted = true,
		.text = "go to https://out.example/" };
	struct attrs attrs;

	(void)state;
	answer_forgotten(&out, &end);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_is(&attrs, ATTR_DELETED, "yes"));
	assert_true(attr_is(&attrs, ATTR_REVOKED, "unsupported"));
	assert_non_null(memmem(attr_get(&attrs, ATTR_TEXT).p,
	    attr_get(&attrs, ATTR_TEXT).n, "https://out.example/", 20));
}

static void a_view_leaves_out_what_is_not_known(void **state)
{
	struct account_view view = { .account = "a@b", .state = ACCOUNT_EMPTY };

	(void)state;
	answer_view(&out, &view, NULL);
	assert_span(buf_span(&out),
	    "mailtoken=1\naccount=a@b\nstate=empty\n"
	    "unsaved=no\n\n");
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

static void a_view_tells_all(void **state)
{
	struct account_view view = { .account = "a@b",
		.provider = "p",
		.state = ACCOUNT_BACKOFF,
		.unsaved = true,
		.expires_s = 1,
		.refreshed_s = 2,
		.grant_expires_s = 3,
		.next_try_s = 4,
		.servers = "x y",
		.text = "why" };
	struct provider *provider = provider_of("w");

	(void)state;
	answer_view(&out, &view, provider);
	provider_release(provider);
	assert_span(buf_span(&out),
	    "mailtoken=1\naccount=a@b\nprovider=p\n"
	    "state=backoff\nservers=w x y\nexpires=1\nrefreshed=2\n"
	    "grant-expires=3\nnext-try=4\nunsaved=yes\ntext=why\n\n");
}

static void a_code_is_shown_with_its_page(void **state)
{
	char code[] = "A1B2", uri[] = "https://x.example/d";
	struct reply_device device = { .user_code = code,
		.verification_uri = uri };
	struct provider *provider = provider_of(NULL);
	struct signin_event event = { .kind = SIGNIN_SHOW_CODE,
		.device = &device,
		.left_s = 900,
		.provider = provider,
		.flow = FLOW_DEVICE,
		.text = "it said so" };

	(void)state;
	answer_signin(&out, &event);
	assert_span(buf_span(&out),
	    "mailtoken=1\nevent=show-code\n"
	    "user-code=A1B2\nverification-uri=https://x.example/d\n"
	    "expires-in=900\nprovider=p\nflow=device\ntext=it said so\n\n");
	provider_release(provider);
}

static void a_page_is_shown_with_where_it_comes_back_to(void **state)
{
	struct provider *provider = provider_of(NULL);
	struct signin_event event = { .kind = SIGNIN_SHOW_URL,
		.url = "https://x.example/a?b=c",
		.redirect_uri = "http://127.0.0.1:1/",
		.left_s = 600,
		.provider = provider,
		.flow = FLOW_BROWSER,
		.text = "why" };

	(void)state;
	answer_signin(&out, &event);
	assert_span(buf_span(&out),
	    "mailtoken=1\nevent=show-url\n"
	    "url=https://x.example/a?b=c\n"
	    "redirect-uri=http://127.0.0.1:1/\nexpires-in=600\n"
	    "provider=p\nflow=browser\ntext=why\n\n");
	provider_release(provider);
}

static void waiting_and_asking_are_lists_of_their_own(void **state)
{
	struct signin_event waiting = { .kind = SIGNIN_WAITING, .left_s = 895 };
	struct signin_event ask = { .kind = SIGNIN_ASK,
		.question = QUESTION_OTHER_USER,
		.identity = "bob",
		.text = "keep this?" };

	(void)state;
	answer_signin(&out, &waiting);
	answer_signin(&out, &ask);
	assert_span(buf_span(&out),
	    "mailtoken=1\nevent=waiting\n"
	    "expires-in=895\n\n"
	    "mailtoken=1\nevent=ask\nquestion=other-user\nidentity=bob\n"
	    "text=keep this?\n\n");
}

static void a_sign_in_that_failed_says_why(void **state)
{
	struct signin_event event = { .kind = SIGNIN_DONE,
		.fault = FAULT_DENIED,
		.text = "nothing was stored" };

	(void)state;
	answer_signin(&out, &event);
	assert_span(buf_span(&out),
	    "mailtoken=1\nevent=done\nresult=denied\n"
	    "text=nothing was stored\n\n");
}

static void an_answer_that_cannot_be_written_is_internal(void **state)
{
	char name[] = "a\nb";
	struct account_view view = { .account = name, .state = ACCOUNT_EMPTY };
	struct attrs attrs;

	(void)state;
	answer_view(&out, &view, NULL);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(attr_is(&attrs, ATTR_RESULT, "internal"));
}

static void assert_servers(const struct provider *provider,
    struct account_view view, const char *want)
{
	struct attrs attrs;

	buf_drop(&out);
	answer_view(&out, &view, provider);
	assert_int_equal(attr_parse(buf_span(&out), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_true(span_is(attr_get(&attrs, ATTR_SERVERS), want));
}

static void servers_are_the_providers_and_more(void **state)
{
	struct provider *provider = provider_of("a.example *.b.example");
	struct account_view view = { .account = "x@y.example" };
	char many[4090];

	(void)state;
	assert_servers(provider, view, "a.example *.b.example");
	view.servers = "c.example";
	assert_servers(provider, view, "a.example *.b.example c.example");
	memset(many, 'c', sizeof(many));
	many[sizeof(many) - 1] = '\0';
	view.servers = many;
	assert_servers(provider, view, "a.example *.b.example");
	provider_release(provider);
}

static void without_servers_it_is_the_accounts_domain(void **state)
{
	struct provider *provider = provider_of(NULL);
	struct account_view view = { .account = "x@y.example",
		.servers = "c.example" };

	(void)state;
	assert_servers(provider, view, "y.example *.y.example c.example");
	view = (struct account_view){ .account = "nodomain" };
	assert_servers(provider, view, "");
	provider_release(provider);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ok_is_one_list),
		TEST(a_fault_has_its_word_and_a_sentence),
		TEST(a_fault_without_a_sentence_has_its_own),
		TEST(try_later_says_when),
		TEST(an_unknown_account_may_use_its_password),
		TEST(foreign_bytes_in_a_sentence_do_no_harm),
		TEST(a_long_sentence_is_cut),
		TEST(a_token_comes_with_login_end_and_serial),
		TEST(a_renewal_tells_its_end),
		TEST(each_renewal_of_many_has_its_outcome),
		TEST(forgetting_says_what_is_left_to_do),
		TEST(a_view_leaves_out_what_is_not_known),
		TEST(a_view_tells_all),
		TEST(a_code_is_shown_with_its_page),
		TEST(a_page_is_shown_with_where_it_comes_back_to),
		TEST(waiting_and_asking_are_lists_of_their_own),
		TEST(a_sign_in_that_failed_says_why),
		TEST(an_answer_that_cannot_be_written_is_internal),
		cmocka_unit_test(servers_are_the_providers_and_more),
		cmocka_unit_test(without_servers_it_is_the_accounts_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
