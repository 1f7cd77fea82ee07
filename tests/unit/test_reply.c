/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON answers: what is taken, what is refused, and in which words.
 */
#include "test.h"
#include "wire/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "oauth/reply.h"
#include "wire/buf.h"

#define AT "\"access_token\":\"tok\",\"token_type\":\"Bearer\""

static void take(const char *body, struct reply_token *token)
{
	struct why why = { 0, "" };

	if (reply_token_parse(span_of(body), NULL, token, &why) != FAULT_NONE)
		fail_msg("%s: %s", body, why.text);
}

static void refuse(struct span body, const char *text)
{
	struct reply_token token = { 0 };
	struct why why = { 0, "" };

	assert_int_equal(reply_token_parse(body, NULL, &token, &why),
	    FAULT_GARBLED);
	assert_null(token.access_token);
	assert_string_equal(why.text, text);
}

static void a_whole_answer_is_taken(void **state)
{
	struct reply_token token;

	(void)state;
	take("{\"token_type\":\"bEARER\",\"scope\":\"b a\","
	     "\"expires_in\":3599,\"ext_expires_in\":3599,"
	     "\"refresh_in\":1800,\"access_token\":\"EwB!~\","
	     "\"refresh_token\":\"M.C1\",\"unknown\":[{}]}",
	    &token);
	assert_span(secret_reveal(token.access_token, "test"), "EwB!~");
	assert_span(secret_reveal(token.refresh_token, "test"), "M.C1");
	assert_string_equal(token.scope, "b a");
	assert_int_equal(token.expires_in_s, 3599);
	assert_int_equal(token.refresh_in_s, 1800);
	assert_int_equal(token.refresh_expires_in_s, 0);
	assert_null(token.identity);
	reply_token_drop(&token);
	assert_null(token.access_token);
}

static void what_is_absent_has_a_default(void **state)
{
	struct reply_token token;

	(void)state;
	take("{" AT "}", &token);
	assert_null(token.refresh_token);
	assert_null(token.scope);
	assert_int_equal(token.expires_in_s, 3600);
	assert_int_equal(token.refresh_in_s, 0);
	reply_token_drop(&token);
	take("{" AT ",\"expires_in\":null,\"scope\":null,"
	     "\"refresh_token\":null,\"id_token\":null}",
	    &token);
	assert_null(token.refresh_token);
	assert_int_equal(token.expires_in_s, 3600);
	reply_token_drop(&token);
	take("{" AT ",\"scope\":\"\",\"refresh_token\":\"\"}", &token);
	assert_null(token.refresh_token);
	assert_null(token.scope);
	reply_token_drop(&token);
	take("{\"access_token\":\"tok\"}", &token);
	reply_token_drop(&token);
}

static void numbers_may_be_strings(void **state)
{
	struct reply_token token;

	(void)state;
	take("{" AT ",\"expires_in\":\"3599\",\"refresh_in\":\"7\","
	     "\"refresh_expires_in\":\"100\"}",
	    &token);
	assert_int_equal(token.expires_in_s, 3599);
	assert_int_equal(token.refresh_in_s, 7);
	assert_int_equal(token.refresh_expires_in_s, 100);
	reply_token_drop(&token);
	take("{" AT ",\"expires_in\":3599.5,"
	     "\"refresh_token_expires_in\":5}",
	    &token);
	assert_int_equal(token.expires_in_s, 3599);
	assert_int_equal(token.refresh_expires_in_s, 5);
	reply_token_drop(&token);
}

static void hints_that_make_no_sense_are_ignored(void **state)
{
	struct reply_token token;

	(void)state;
	take("{" AT ",\"refresh_in\":-1,\"refresh_expires_in\":0}", &token);
	assert_int_equal(token.refresh_in_s, 0);
	assert_int_equal(token.refresh_expires_in_s, 0);
	reply_token_drop(&token);
	take("{" AT ",\"refresh_in\":{},"
	     "\"refresh_expires_in\":9000000000000000000}",
	    &token);
	assert_int_equal(token.refresh_in_s, 0);
	assert_int_equal(token.refresh_expires_in_s, 0);
	reply_token_drop(&token);
}

static void odd_lives_are_clamped(void **state)
{
	static const struct {
		const char *text;
		int64_t life_s;
	} lives[] = { { "0", 3600 }, { "-5", 3600 }, { "31622401", 31622400 },
		{ "\"\"", 3600 }, { "\"1h\"", 3600 }, { "true", 3600 },
		{ "1e300", 31622400 }, { "[]", 3600 }, { "\"60.5\"", 60 },
		{ "1e400", 3600 }, { "\"nan\"", 3600 }, { "-1e300", 3600 } };
	struct reply_token token;
	char body[200];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lives); i++) {
		(void)snprintf(body, sizeof(body), "{" AT ",\"expires_in\":%s}",
		    lives[i].text);
		take(body, &token);
		assert_int_equal(token.expires_in_s, lives[i].life_s);
		reply_token_drop(&token);
	}
}

static void tokens_have_printable_bytes_only(void **state)
{
	static const char why[] = "its access_token is too long or has a byte "
				  "that cannot be there";

	(void)state;
	refuse(span_of("{\"access_token\":\"a\\u0001b\"}"), why);
	refuse(span_of("{\"access_token\":\"a b\"}"), why);
	refuse(span_of("{\"access_token\":\"a\\nb\"}"), why);
	refuse(span_of("{\"access_token\":\"\303\251\"}"), why);
	refuse(span_of("{\"access_token\":\"a\\u0000b\"}"),
	    "it has no access_token");
}

static void tokens_may_be_long_but_not_endless(void **state)
{
	const size_t room = 70000;
	struct reply_token token;
	char *body = calloc(1, room + 100);
	struct buf text = BUF_INIT(room + 100);
	struct why why;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', 65000);
	buf_add_lit(&text, "{\"access_token\":\"");
	buf_add_str(&text, body);
	buf_add_lit(&text, "\"}");
	assert_int_equal(reply_token_parse(buf_span(&text), NULL, &token, &why),
	    FAULT_NONE);
	assert_int_equal(secret_bytes(token.access_token), 65000);
	reply_token_drop(&token);
	buf_consume(&text, text.n);
	buf_add_lit(&text, "{\"access_token\":\"x");
	buf_add_str(&text, body);
	buf_add_lit(&text, "\"}");
	refuse(buf_span(&text),
	    "its access_token is too long or has a byte "
	    "that cannot be there");
	buf_drop(&text);
	free(body);
}

static void other_kinds_of_token_are_refused(void **state)
{
	(void)state;
	refuse(span_of("{\"access_token\":\"t\",\"token_type\":\"mac\"}"),
	    "its token_type is not bearer");
	refuse(span_of("{\"access_token\":\"t\",\"token_type\":\"DPoP\"}"),
	    "its token_type is not bearer");
	refuse(span_of("{\"access_token\":\"t\",\"token_type\":1}"),
	    "its token_type is no string");
	refuse(span_of("{\"access_token\":7}"),
	    "its access_token is no "
	    "string");
	refuse(span_of("{\"token_type\":\"Bearer\"}"),
	    "it has no access_token");
	refuse(span_of("{\"access_token\":\"\"}"), "it has no access_token");
}

static void what_is_no_object_is_refused(void **state)
{
	(void)state;
	refuse(span_of(""), "it is empty");
	refuse(span_of("<!DOCTYPE html><title>Gateway</title>"),
	    "it is an HTML page, as of a proxy or filter");
	refuse(span_of("[\"access_token\"]"), "it is no JSON object");
	refuse(span_of("\"access_token\""), "it is not JSON");
	refuse(span_of("{\"access_token\":\"tok"), "it has no access_token");
	refuse(span_of("{\"access_token\":\"\377\"}"),
	    "it has no access_token");
}

static void brackets_in_strings_are_not_depth(void **state)
{
	struct reply_token token;

	(void)state;
	take("{" AT ",\"x\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{\"}", &token);
	reply_token_drop(&token);
}

/* {"email":"Jo@x.example","preferred_username":"jo@x.example","upn":"up@y"} */
#define JOS_CLAIMS \
	"eyJlbWFpbCI6IkpvQHguZXhhbXBsZSIsInByZWZlcnJlZF91c2VybmF" \
	"tZSI6ImpvQHguZXhhbXBsZSIsInVwbiI6InVwQHkifQ"

static void an_id_token_tells_who_signed_in(void **state)
{
	struct reply_token token;

	(void)state;
	take("{" AT ",\"id_token\":\"eyJhbGciOiJub25lIn0." JOS_CLAIMS ".sig\"}",
	    &token);
	assert_string_equal(token.identity, "Jo@x.example up@y");
	reply_token_drop(&token);
	/* {"unique_name":"j"} with padding */
	take("{" AT ",\"id_token\":\"e30.eyJ1bmlxdWVfbmFtZSI6ImoifQ==.\"}",
	    &token);
	assert_string_equal(token.identity, "j");
	reply_token_drop(&token);
}

static void an_id_token_that_cannot_be_read_tells_nobody(void **state)
{
	static const char *const bad[] = {
		"x",
		"x.y",
		"x.y.z",
		"e30.e30.",
		"e30.!!!!.",
		"e30..",
		/* ["email"] */
		"e30.WyJlbWFpbCJd.",
		/* {"email":1} */
		"e30.eyJlbWFpbCI6MX0.",
		/* {"email":"a b"} */
		"e30.eyJlbWFpbCI6ImEgYiJ9.",
		/* {"email":"a\n"} */
		"e30.eyJlbWFpbCI6ImFcbiJ9.",
	};
	struct buf text = BUF_INIT(1000);
	struct reply_token token;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		buf_add_lit(&text, "{" AT ",\"id_token\":\"");
		buf_add_str(&text, bad[i]);
		buf_add_lit(&text, "\"}");
		take(text.p, &token);
		assert_null(token.identity);
		reply_token_drop(&token);
		buf_consume(&text, text.n);
	}
	buf_drop(&text);
}

static void take_device(const char *body, struct reply_device *device)
{
	struct why why = { 0, "" };

	if (reply_device_parse(span_of(body), NULL, device, &why) != FAULT_NONE)
		fail_msg("%s: %s", body, why.text);
}

#define CODES  "\"device_code\":\"dc\",\"user_code\":\"AB CD\""
#define NO_URI "it has no verification_uri with https and without a user name"
#define URI    "\"verification_uri\":\"https://x.example/d\""

static void a_device_answer_is_taken(void **state)
{
	struct reply_device device;

	(void)state;
	take_device("{" CODES "," URI ",\"verification_uri_complete\":"
		    "\"https://x.example/d?c=AB\",\"expires_in\":900,"
		    "\"interval\":7,\"message\":\"hello\"}",
	    &device);
	assert_span(secret_reveal(device.device_code, "test"), "dc");
	assert_string_equal(device.user_code, "AB CD");
	assert_string_equal(device.verification_uri, "https://x.example/d");
	assert_string_equal(device.verification_uri_complete,
	    "https://x.example/d?c=AB");
	assert_int_equal(device.expires_in_s, 900);
	assert_int_equal(device.interval_s, 7);
	reply_device_drop(&device);
	assert_null(device.device_code);
}

static void verification_url_will_do_and_no_message(void **state)
{
	struct reply_device device;

	(void)state;
	take_device("{" CODES ",\"verification_url\":\"https://g.example\","
		    "\"expires_in\":\"1800\",\"interval\":\"5\"}",
	    &device);
	assert_string_equal(device.verification_uri, "https://g.example");
	assert_null(device.verification_uri_complete);
	assert_int_equal(device.expires_in_s, 1800);
	assert_int_equal(device.interval_s, 5);
	reply_device_drop(&device);
}

static void device_times_have_defaults(void **state)
{
	struct reply_device device;

	(void)state;
	take_device("{" CODES "," URI "}", &device);
	assert_int_equal(device.expires_in_s, 600);
	assert_int_equal(device.interval_s, 5);
	reply_device_drop(&device);
	take_device("{" CODES "," URI ",\"interval\":0}", &device);
	assert_int_equal(device.interval_s, 1);
	reply_device_drop(&device);
}

static void refuse_device(const char *body, const char *text)
{
	struct reply_device device = { 0 };
	struct why why = { 0, "" };

	assert_int_equal(reply_device_parse(span_of(body), NULL, &device, &why),
	    FAULT_GARBLED);
	assert_null(device.device_code);
	assert_string_equal(why.text, text);
}

static void bad_device_answers_are_refused(void **state)
{
	(void)state;
	refuse_device("{\"user_code\":\"A\"," URI "}", "it has no device_code");
	refuse_device("{\"device_code\":\"A\"," URI "}",
	    "it has no user_code that may be shown");
	refuse_device("{" CODES "}", NO_URI);
	refuse_device("{" CODES ",\"verification_uri\":\"http://x\"}", NO_URI);
	refuse_device("{" CODES ",\"verification_uri\":\"javascript:1\"}",
	    NO_URI);
	refuse_device("{" CODES ",\"verification_uri\":"
		      "\"https://microsoft.com@evil.example/\"}",
	    NO_URI);
	refuse_device("{\"device_code\":\"a\",\"user_code\":\"\\u001b[2J\"," URI
		      "}",
	    "its user_code is too long or has a byte that cannot be "
	    "there");
}

static void odd_members_of_a_device_answer_do_no_harm(void **state)
{
	struct reply_device device;

	(void)state;
	take_device("{" CODES ",\"verification_uri\":7,"
		    "\"verification_url\":\"https://g.example\","
		    "\"verification_uri_complete\":\"http://x\","
		    "\"expires_in\":0,\"interval\":-1}",
	    &device);
	assert_string_equal(device.verification_uri, "https://g.example");
	assert_null(device.verification_uri_complete);
	assert_int_equal(device.expires_in_s, 600);
	assert_int_equal(device.interval_s, 5);
	reply_device_drop(&device);
	take_device("{" CODES "," URI ",\"interval\":1e9}", &device);
	assert_int_equal(device.interval_s, 300);
	reply_device_drop(&device);
}

static void microsofts_errors_are_read(void **state)
{
	struct reply_error error;

	(void)state;
	assert_int_equal(
	    reply_error_parse(
		span_of(
		    "{\"error\":\"invalid_grant\",\"error_description\":"
		    "\"AADSTS700082: expired.\\r\\nTrace ID: 1\",\"error_codes\":"
		    "[700082,50076],\"timestamp\":\"x\",\"trace_id\":\"t-1\","
		    "\"correlation_id\":\"c-1\",\"suberror\":\"bad_token\"}"),
		NULL, &error),
	    FAULT_NONE);
	assert_string_equal(error.error, "invalid_grant");
	assert_string_equal(error.description, "AADSTS700082: expired.");
	assert_int_equal(error.n_codes, 2);
	assert_int_equal(error.codes[0], 700082);
	assert_int_equal(error.codes[1], 50076);
	assert_string_equal(error.trace_id, "t-1");
	assert_string_equal(error.correlation_id, "c-1");
	assert_string_equal(error.suberror, "bad_token");
}

static void the_number_may_stand_in_the_text_alone(void **state)
{
	struct reply_error error;

	(void)state;
	assert_int_equal(
	    reply_error_parse(
		span_of("{\"error\":\"x\","
			"\"error_description\":\"oh AADSTS7000218: x\"}"),
		NULL, &error),
	    FAULT_NONE);
	assert_int_equal(error.n_codes, 1);
	assert_int_equal(error.codes[0], 7000218);
	assert_int_equal(
	    reply_error_parse(
		span_of("{\"error\":\"x\","
			"\"error_description\":\"AADSTS and nothing\"}"),
		NULL, &error),
	    FAULT_NONE);
	assert_int_equal(error.n_codes, 0);
}

static void an_error_needs_only_its_word(void **state)
{
	struct reply_error error;

	(void)state;
	assert_int_equal(
	    reply_error_parse(
		span_of("{\"error\":\"odd\\u001b[2J\",\"error_description\":7,"
			"\"error_codes\":[\"a\",-1,{},1,2,3,4,5,6,7,8,9,10]}"),
		NULL, &error),
	    FAULT_NONE);
	assert_string_equal(error.error, "odd\\x1b[2J");
	assert_string_equal(error.description, "");
	assert_int_equal(error.n_codes, 8);
}

static void what_is_no_error_leaves_nothing(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html>",
		"{}",
		"{\"error\":1}",
		"{\"error\":\"\"}",
		"[]",
	};
	struct reply_error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		memset(&error, 'x', sizeof(error));
		assert_int_equal(
		    reply_error_parse(span_of(bodies[i]), NULL, &error),
		    FAULT_GARBLED);
		assert_string_equal(error.error, "");
		assert_int_equal(error.n_codes, 0);
	}
}

static void what_repeats_a_secret_is_hidden(void **state)
{
	const struct reply_asked asked = {
		span_of("grant_type=refresh_token&refresh_token=a%2Bb%"
			"2F01234567890123&client_id=an_id_of_small_letters"),
		NULL,
	};
	struct reply_error error;

	(void)state;
	assert_int_equal(
	    reply_error_parse(
		span_of("{\"error\":\"b/01234567890123\","
			"\"error_description\":\"an_id_of_small_letters\","
			"\"trace_id\":\"xyzw0123abcd4567\","
			"\"id_token\":\"a.xyzw0123abcd4567.b\","
			"\"error_codes\":[1234567890123456,7]}"),
		&asked, &error),
	    FAULT_NONE);
	assert_string_equal(error.error, ECHO_HIDDEN);
	assert_string_equal(error.description, "an_id_of_small_letters");
	assert_string_equal(error.trace_id, ECHO_HIDDEN);
	assert_int_equal(error.n_codes, 1);
	assert_int_equal(error.codes[0], 7);
}

static enum fault one_token(void *ctx)
{
	struct reply_token token;
	struct why why;
	enum fault fault;

	(void)ctx;
	fault = reply_token_parse(
	    span_of(
		"{\"access_token\":"
		"\"access-secret-1\",\"refresh_token\":\"refresh-secret-2\","
		"\"scope\":\"a\",\"id_token\":\"e30." JOS_CLAIMS ".x\","
		"\"a\":[1,\"b\",{\"c\":2.5}]}"),
	    NULL, &token, &why);
	reply_token_drop(&token);
	return fault;
}

static enum fault one_device(void *ctx)
{
	struct reply_device device;
	struct why why;
	enum fault fault;

	(void)ctx;
	fault = reply_device_parse(
	    span_of("{\"device_code\":"
		    "\"device-secret-3\",\"user_code\":\"A\"," URI ","
		    "\"verification_uri_complete\":\"https://x.example/c\"}"),
	    NULL, &device, &why);
	if (!fault)
		reply_device_drop(&device);
	return fault;
}

static void no_memory_is_a_fault_and_never_bad_json(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(one_token, NULL) > 10);
	assert_true(failing_malloc_each(one_device, NULL) > 10);
}

static void all_copies_of_a_token_are_wiped(void **state)
{
	(void)state;
	failing_malloc_watch("access-secret-1");
	assert_int_equal(one_token(NULL), FAULT_NONE);
	assert_false(failing_malloc_saw());
	failing_malloc_watch("refresh-secret-2");
	assert_true(failing_malloc_each(one_token, NULL) > 0);
	assert_false(failing_malloc_saw());
	failing_malloc_watch("device-secret-3");
	assert_int_equal(one_device(NULL), FAULT_NONE);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer_is_taken),
		cmocka_unit_test(what_is_absent_has_a_default),
		cmocka_unit_test(numbers_may_be_strings),
		cmocka_unit_test(hints_that_make_no_sense_are_ignored),
		cmocka_unit_test(odd_lives_are_clamped),
		cmocka_unit_test(tokens_have_printable_bytes_only),
		cmocka_unit_test(tokens_may_be_long_but_not_endless),
		cmocka_unit_test(other_kinds_of_token_are_refused),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(brackets_in_strings_are_not_depth),
		cmocka_unit_test(an_id_token_tells_who_signed_in),
		cmocka_unit_test(an_id_token_that_cannot_be_read_tells_nobody),
		cmocka_unit_test(a_device_answer_is_taken),
		cmocka_unit_test(verification_url_will_do_and_no_message),
		cmocka_unit_test(device_times_have_defaults),
		cmocka_unit_test(bad_device_answers_are_refused),
		cmocka_unit_test(odd_members_of_a_device_answer_do_no_harm),
		cmocka_unit_test(microsofts_errors_are_read),
		cmocka_unit_test(the_number_may_stand_in_the_text_alone),
		cmocka_unit_test(an_error_needs_only_its_word),
		cmocka_unit_test(what_is_no_error_leaves_nothing),
		cmocka_unit_test(what_repeats_a_secret_is_hidden),
		cmocka_unit_test(no_memory_is_a_fault_and_never_bad_json),
		cmocka_unit_test(all_copies_of_a_token_are_wiped),
	};

	reply_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
