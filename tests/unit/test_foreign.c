/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Token files of other programs: what is taken, and what is refused.
 */
#include "operator/foreign.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "oauth/reply.h"
#include "test.h"

#define TOKEN \
	"{\"access_token\":\"at-secret\",\"expiry\":\"1700000000\"," \
	"\"refresh_token\":\"rt-secret\",\"user\":\"u@x\"}"
#define CONF \
	"{\"client_id\":\"c\",\"client_secret\":\"s-secret\"," \
	"\"token_endpoint\":\"https://t/token\",\"proxy\":\"http://p:1\"," \
	"\"ca_bundle_file\":\"/ca.pem\",\"ca_certs_dir\":\"/certs\"," \
	"\"refresh_window\":\"30\",\"log_to_syslog_on_failure\":\"no\"}"

static int setup(void **state)
{
	(void)state;
	reply_setup();
	return 0;
}

static void the_two_files_of_sasl_xoauth2_make_one_client(void **state)
{
	struct foreign foreign;
	struct why why;

	(void)state;
	assert_int_equal(
	    foreign_sasl_xoauth2(BYTES(TOKEN), BYTES(CONF), &foreign, &why),
	    FAULT_NONE);
	assert_span(secret_reveal(foreign.refresh_token, "test"), "rt-secret");
	assert_span(secret_reveal(foreign.client_secret, "test"), "s-secret");
	assert_string_equal(foreign.client_id, "c");
	assert_string_equal(foreign.token_endpoint, "https://t/token");
	assert_string_equal(foreign.user, "u@x");
	assert_string_equal(foreign.proxy, "http://p:1");
	assert_string_equal(foreign.ca_file, "/ca.pem");
	assert_string_equal(foreign.ca_path, "/certs");
	assert_int_equal(foreign.margin_s, 30);
	assert_null(foreign.scope);
	foreign_drop(&foreign);
}

static void the_token_file_goes_first_even_when_empty(void **state)
{
	struct foreign foreign;
	struct why why;

	(void)state;
	assert_int_equal(
	    foreign_sasl_xoauth2(
		BYTES("{\"refresh_token\":"
		      "\"r\",\"client_id\":\"own\",\"client_secret\":\"\","
		      "\"refresh_window\":5}"),
		BYTES(CONF), &foreign, &why),
	    FAULT_NONE);
	assert_string_equal(foreign.client_id, "own");
	assert_null(foreign.client_secret);
	assert_int_equal(foreign.margin_s, 5);
	foreign_drop(&foreign);
}

static void google_is_what_sasl_xoauth2_asks_unless_told(void **state)
{
	struct span nothing = { NULL, 0 };
	struct foreign foreign;
	struct why why;

	(void)state;
	assert_int_equal(
	    foreign_sasl_xoauth2(BYTES("{\"refresh_token\":"
				       "\"r\",\"client_id\":\"c\"}"),
		nothing, &foreign, &why),
	    FAULT_NONE);
	assert_string_equal(foreign.token_endpoint,
	    "https://accounts.google.com/o/oauth2/token");
	foreign_drop(&foreign);
}

static void registrations_of_mutt_oauth2_are_known(void **state)
{
	struct foreign foreign;
	struct why why;

	(void)state;
	assert_int_equal(
	    foreign_mutt_oauth2(
		BYTES("{\"registration\":"
		      "\"microsoft\",\"email\":\"me@x\",\"client_id\":\"c\","
		      "\"client_secret\":\"\",\"refresh_token\":\"r\"}"),
		&foreign, &why),
	    FAULT_NONE);
	assert_string_equal(foreign.user, "me@x");
	assert_string_equal(foreign.token_endpoint,
	    "https://login.microsoftonline.com/common/oauth2/v2.0/token");
	assert_non_null(strstr(foreign.scope, "IMAP.AccessAsUser.All"));
	assert_null(foreign.client_secret);
	foreign_drop(&foreign);
}

static void damaged_files_are_refused_and_quoted_nowhere(void **state)
{
	static const struct {
		const char *json, *says;
	} bad[] = {
		{ "", "empty" },
		{ "{", "JSON" },
		{ "[]", "object" },
		{ "\"rt-secret\"", "JSON" },
		{ "{\"refresh_token\":\"rt-secret\",", "JSON" },
		{ "{\"client_id\":\"c\"}", "no refresh_token" },
		{ "{\"refresh_token\":\"\",\"client_id\":\"c\"}",
		    "no refresh_token" },
		{ "{\"refresh_token\":[\"rt-secret\"],\"client_id\":\"c\"}",
		    "refresh_token" },
		{ "{\"refresh_token\":\"rt-secret\"}", "client_id" },
		{ "{\"refresh_token\":\"rt-secret\",\"client_id\":7}",
		    "client_id" },
		{ "{\"refresh_token\":\"rt-secret\",\"client_id\":\"c\","
		  "\"refresh_window\":-1}",
		    "refresh_window" },
		{ "{\"refresh_token\":\"rt-secret\",\"refresh_token\":"
		  "\"b\"}",
		    "twice" },
		{ "{\"refresh_token\":\"rt-secret\",\"client_id\":\"c\","
		  "\"use_client_credentials\":true}",
		    "client-cred" },
		{ "{\"refresh_token\":\"rt-secret\",\"client_id\":\"c\","
		  "\"manage_token_externally\":\"yes\"}",
		    "another" },
	};
	struct span nothing = { NULL, 0 };
	struct foreign foreign;
	struct why why;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(foreign_sasl_xoauth2(span_of(bad[i].json),
				     nothing, &foreign, &why),
		    FAULT_GARBLED);
		assert_non_null(strstr(why.text, bad[i].says));
		assert_null(strstr(why.text, "secret"));
	}
	assert_int_equal(
	    foreign_mutt_oauth2(
		BYTES("{\"refresh_token\":"
		      "\"r\",\"client_id\":\"c\",\"registration\":\"x\"}"),
		&foreign, &why),
	    FAULT_GARBLED);
	assert_non_null(strstr(why.text, "registration"));
}

/* The older script has the client in itself; there is no --config for it. */
static void a_client_that_the_script_keeps_is_said(void **state)
{
	struct foreign foreign;
	struct why why;

	(void)state;
	assert_int_equal(
	    foreign_mutt_oauth2(BYTES("{\"registration\":\"google\","
				      "\"refresh_token\":\"rt-secret\"}"),
		&foreign, &why),
	    FAULT_GARBLED);
	assert_non_null(strstr(why.text, "client_id"));
	assert_non_null(strstr(why.text, "mailtoken login"));
	assert_null(strstr(why.text, "--config"));
}

/* jansson 2.14 itself crashes without memory for a larger object. */
static enum fault read_once(void *ctx)
{
	static const char conf[] = "{\"client_id\":\"c\","
				   "\"client_secret\":\"s-secret\"}";
	struct foreign foreign;
	struct why why;
	enum fault fault;

	(void)ctx;
	fault = foreign_sasl_xoauth2(BYTES(TOKEN), span_of(conf), &foreign,
	    &why);
	if (fault == FAULT_NONE)
		foreign_drop(&foreign);
	return fault;
}

static void each_lack_of_memory_is_told_and_secrets_are_wiped(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(read_once, NULL) > 10);
	failing_malloc_watch("rt-secret");
	assert_true(failing_malloc_each(read_once, NULL) > 0);
	assert_false(failing_malloc_saw());
	failing_malloc_watch("s-secret");
	assert_true(failing_malloc_each(read_once, NULL) > 0);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_two_files_of_sasl_xoauth2_make_one_client),
		cmocka_unit_test(the_token_file_goes_first_even_when_empty),
		cmocka_unit_test(google_is_what_sasl_xoauth2_asks_unless_told),
		cmocka_unit_test(registrations_of_mutt_oauth2_are_known),
		cmocka_unit_test(a_client_that_the_script_keeps_is_said),
		cmocka_unit_test(damaged_files_are_refused_and_quoted_nowhere),
		cmocka_unit_test(
		    each_lack_of_memory_is_told_and_secrets_are_wiped),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
