/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What errors mean: the class by status and word, the sentence by number.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/advice.h"

static struct provider microsoft = { .family = PROVIDER_MICROSOFT };
static struct provider standard = { .family = PROVIDER_STANDARD };

static void statuses_of_trouble_are_transient_whatever_is_said(void **state)
{
	static const long statuses[] = { 408, 425, 429, 500, 502, 503, 504 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(statuses); i++) {
		assert_int_equal(advice_class(statuses[i], ""),
		    ADVICE_TRANSIENT);
		assert_int_equal(advice_class(statuses[i], "invalid_grant"),
		    ADVICE_TRANSIENT);
	}
}

static void only_these_words_need_a_sign_in(void **state)
{
	(void)state;
	assert_int_equal(advice_class(400, "invalid_grant"),
	    ADVICE_LOGIN_NEEDED);
	assert_int_equal(advice_class(400, "interaction_required"),
	    ADVICE_LOGIN_NEEDED);
	assert_int_equal(advice_class(401, "consent_required"),
	    ADVICE_LOGIN_NEEDED);
	assert_int_equal(advice_class(200, "login_required"),
	    ADVICE_LOGIN_NEEDED);
}

static void these_words_need_an_administrator(void **state)
{
	static const char *const words[] = {
		"invalid_client",
		"unauthorized_client",
		"invalid_scope",
		"unsupported_grant_type",
		"invalid_request",
		"invalid_resource",
		"org_internal",
		"disabled_client",
		"deleted_client",
		"admin_policy_enforced",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(words); i++)
		assert_int_equal(advice_class(400, words[i]), ADVICE_CONFIG);
}

static void everything_else_is_transient(void **state)
{
	(void)state;
	assert_int_equal(advice_class(400, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(401, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(403, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(404, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(0, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(302, ""), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(400, "temporarily_unavailable"),
	    ADVICE_TRANSIENT);
	assert_int_equal(advice_class(400, "access_denied"), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(400, "something_new"), ADVICE_TRANSIENT);
	assert_int_equal(advice_class(400, "Invalid_Grant"), ADVICE_TRANSIENT);
}

static void assert_text(const struct provider *provider, long status,
    const struct reply_error *error, const char *want)
{
	char text[300];

	advice_text(provider, status, error, text, sizeof(text));
	assert_string_equal(text, want);
}

static void the_number_chooses_the_sentence(void **state)
{
	struct reply_error error = {
		.error = "invalid_grant",
		.codes = { 700082 },
		.n_codes = 1,
	};

	(void)state;
	assert_text(&microsoft, 400, &error,
	    "the sign-in was not used for "
	    "too long or was revoked: sign in again with 'mailtoken login'");
	error.codes[0] = 1;
	error.codes[1] = 50173;
	error.n_codes = 2;
	assert_text(&microsoft, 400, &error,
	    "the sign-in was revoked, by an "
	    "administrator or a new password: sign in again with "
	    "'mailtoken login'");
}

static void a_blocked_device_code_proposes_the_browser(void **state)
{
	struct reply_error error = {
		.error = "invalid_grant",
		.codes = { 53003 },
		.n_codes = 1,
	};
	char text[300];

	(void)state;
	advice_text(&microsoft, 400, &error, text, sizeof(text));
	assert_non_null(strstr(text, "--flow browser"));
}

static void unknown_numbers_point_to_microsofts_page(void **state)
{
	struct reply_error error = {
		.error = "invalid_grant",
		.codes = { 123456 },
		.n_codes = 1,
		.description = "AADSTS123456: something",
	};

	(void)state;
	assert_text(&microsoft, 400, &error,
	    "the sign-in has ended or was "
	    "revoked: sign in again with 'mailtoken login': see "
	    "https://login.microsoftonline.com/error?code=123456");
}

static void numbers_of_others_mean_nothing(void **state)
{
	struct reply_error error = {
		.error = "invalid_client",
		.codes = { 700082 },
		.n_codes = 1,
	};

	(void)state;
	assert_text(&standard, 401, &error,
	    "the application is not accepted: "
	    "check client_id and the client secret");
}

/* Without a preset, too: who says AADSTS is Microsoft. */
static void the_providers_own_words_are_quoted(void **state)
{
	struct reply_error error = {
		.error = "invalid_grant",
		.description = "AADSTS700082: Expired.",
		.codes = { 700082 },
		.n_codes = 1,
	};
	char text[300];

	(void)state;
	assert_text(&standard, 400, &error,
	    "the sign-in was not used for "
	    "too long or was revoked: sign in again with 'mailtoken login'");
	advice_quote(&error, text, sizeof(text));
	assert_string_equal(text, "(\"AADSTS700082: Expired.\")");
	(void)snprintf(error.description, sizeof(error.description),
	    "Expired.");
	advice_quote(&error, text, sizeof(text));
	assert_string_equal(text,
	    "(invalid_grant, number 700082: \"Expired.\")");
	error.description[0] = '\0';
	error.n_codes = 0;
	advice_quote(&error, text, sizeof(text));
	assert_string_equal(text, "(invalid_grant)");
}

static void without_a_word_the_status_speaks(void **state)
{
	struct reply_error error = { .n_codes = 0 };

	(void)state;
	assert_text(&microsoft, 503, &error,
	    "the provider has a passing "
	    "fault: it is tried again by itself");
	assert_text(&microsoft, 404, &error,
	    "that is not the right address: "
	    "check the endpoints and tenant");
	assert_text(&standard, 418, &error,
	    "the provider gave no reason that "
	    "is known");
}

/* Google's desktop applications have a secret, too. */
static void a_secret_that_is_missing_is_named(void **state)
{
	struct provider google = { .family = PROVIDER_GOOGLE };
	struct reply_error error = {
		.error = "invalid_request",
		.description = "client_secret is missing.",
	};
	struct secret *secret = NULL;
	char text[300];

	(void)state;
	advice_text(&google, 400, &error, text, sizeof(text));
	assert_non_null(strstr(text, "write client_secret_file"));
	assert_int_equal(secret_new(span_of("s"), &secret), FAULT_NONE);
	google.client_secret = secret;
	advice_text(&google, 400, &error, text, sizeof(text));
	assert_null(strstr(text, "write client_secret_file"));
	secret_free(secret);
}

/* Facts that Google's word does not tell. */
static void the_ends_of_googles_grants_are_named(void **state)
{
	struct provider google = { .family = PROVIDER_GOOGLE };
	struct reply_error error = { .error = "invalid_grant" };
	char text[300];

	(void)state;
	advice_text(&google, 400, &error, text, sizeof(text));
	assert_non_null(strstr(text, "mailtoken login"));
	assert_non_null(strstr(text, "new password"));
	assert_non_null(strstr(text, "7 days"));
	assert_int_equal(
	    reply_error_parse(BYTES("{\"error\":\"invalid_grant\","
				    "\"error_subtype\":\"invalid_rapt\"}"),
		NULL, &error),
	    FAULT_NONE);
	advice_text(&google, 400, &error, text, sizeof(text));
	assert_non_null(strstr(text, "session"));
	assert_non_null(strstr(text, "mailtoken login"));
	assert_int_equal(advice_class(400, error.error), ADVICE_LOGIN_NEEDED);
}

static void a_redirect_that_is_not_registered_is_named(void **state)
{
	struct reply_error error = { .error = "redirect_uri_mismatch" };
	char text[300];

	(void)state;
	advice_text(&standard, 400, &error, text, sizeof(text));
	assert_non_null(strstr(text, "http://127.0.0.1/callback"));
}

static void a_small_buffer_is_filled_and_ended(void **state)
{
	struct reply_error error = {
		.error = "invalid_grant",
		.codes = { 1 },
		.n_codes = 1,
	};
	char text[12];

	(void)state;
	advice_text(&microsoft, 400, &error, text, sizeof(text));
	assert_string_equal(text, "the sign-in");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    statuses_of_trouble_are_transient_whatever_is_said),
		cmocka_unit_test(only_these_words_need_a_sign_in),
		cmocka_unit_test(these_words_need_an_administrator),
		cmocka_unit_test(everything_else_is_transient),
		cmocka_unit_test(the_number_chooses_the_sentence),
		cmocka_unit_test(a_blocked_device_code_proposes_the_browser),
		cmocka_unit_test(unknown_numbers_point_to_microsofts_page),
		cmocka_unit_test(numbers_of_others_mean_nothing),
		cmocka_unit_test(the_providers_own_words_are_quoted),
		cmocka_unit_test(without_a_word_the_status_speaks),
		cmocka_unit_test(a_secret_that_is_missing_is_named),
		cmocka_unit_test(the_ends_of_googles_grants_are_named),
		cmocka_unit_test(a_redirect_that_is_not_registered_is_named),
		cmocka_unit_test(a_small_buffer_is_filled_and_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
