/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Metadata documents and registrations: where they are, what is taken from
 * them, what is refused and in which words.
 */
#include "test.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "oauth/issuer.h"
#include "oauth/reply.h"

static const struct {
	const char *issuer;
	enum issuer_place place;
	const char *url;
} places[] = {
	{ "https://h", ISSUER_OPENID,
	    "https://h/.well-known/openid-configuration" },
	{ "https://h/", ISSUER_OPENID,
	    "https://h/.well-known/openid-configuration" },
	{ "https://h/realms/a", ISSUER_OPENID,
	    "https://h/realms/a/.well-known/openid-configuration" },
	{ "https://h", ISSUER_RFC8414,
	    "https://h/.well-known/oauth-authorization-server" },
	{ "https://h/", ISSUER_RFC8414,
	    "https://h/.well-known/oauth-authorization-server" },
	{ "https://h:8443/tenant1/", ISSUER_RFC8414,
	    "https://h:8443/.well-known/oauth-authorization-server/tenant1" },
	{ "https://h/a/b", ISSUER_RFC8414,
	    "https://h/.well-known/oauth-authorization-server/a/b" },
};

static void places_are_those_of_the_two_standards(void **state)
{
	struct buf url = BUF_INIT(256);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_int_equal(
		    issuer_place(places[i].issuer, places[i].place, &url),
		    FAULT_NONE);
		assert_string_equal(url.p, places[i].url);
		buf_drop(&url);
	}
}

static const char whole[] =
    "{\"issuer\":\"https://a.example/x\","
    "\"token_endpoint\":\"https://a.example/t\","
    "\"authorization_endpoint\":\"https://a.example/a\","
    "\"device_authorization_endpoint\":\"https://a.example/d\","
    "\"revocation_endpoint\":\"https://a.example/r\","
    "\"registration_endpoint\":\"https://a.example/n\","
    "\"scopes_supported\":[\"openid\",7,\"a b\",\"mail\"],"
    "\"authorization_response_iss_parameter_supported\":true,"
    "\"other\":{\"x\":[1]}}";

static void members_are_taken_and_others_ignored(void **state)
{
	struct provider *found = NULL;
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(issuer_read_metadata(span_of(whole),
			     "https://a.example/x", &found, &why),
	    FAULT_NONE);
	assert_string_equal(found->token_endpoint, "https://a.example/t");
	assert_string_equal(found->authorization_endpoint,
	    "https://a.example/a");
	assert_string_equal(found->device_authorization_endpoint,
	    "https://a.example/d");
	assert_string_equal(found->revocation_endpoint, "https://a.example/r");
	assert_string_equal(found->registration_endpoint,
	    "https://a.example/n");
	assert_string_equal(found->scopes_supported, "openid mail");
	assert_true(found->returns_iss);
	provider_release(found);
}

static const struct {
	const char *body, *issuer, *words; /* words NULL: taken */
} documents[] = {
	{ "{\"issuer\":\"https://a\",\"token_endpoint\":\"https://a/t\"}",
	    "https://a", NULL },
	{ "{\"issuer\":\"https://a/\",\"token_endpoint\":\"https://a/t\"}",
	    "https://a", "another issuer" },
	{ "{\"issuer\":\"https://A\",\"token_endpoint\":\"https://a/t\"}",
	    "https://a", "another issuer" },
	{ "{\"token_endpoint\":\"https://a/t\"}", "https://a",
	    "names no issuer" },
	{ "{\"issuer\":[],\"token_endpoint\":\"https://a/t\"}", "https://a",
	    "issuer is no string" },
	{ "{\"issuer\":\"https://a\"}", "https://a", "no token_endpoint" },
	{ "{\"issuer\":\"https://a\",\"token_endpoint\":\"http://a/t\"}",
	    "https://a", "token_endpoint is no URL with https" },
	{ "{\"issuer\":\"https://a\",\"token_endpoint\":\"https://u@a/t\"}",
	    "https://a", "token_endpoint is no URL with https" },
	{ "{\"issuer\":\"https://a\",\"token_endpoint\":\"https://a/ t\"}",
	    "https://a", "token_endpoint is no URL with https" },
	{ "{\"issuer\":\"https://a\",\"token_endpoint\":\"https://a/t\","
	  "\"issuer\":\"https://b\"}",
	    "https://a", "" },
	{ "[]", "https://a", "no JSON object" },
	{ "", "https://a", "empty" },
	{ "{\"issuer\":\"https://login.microsoftonline.com/{tenantid}/v2.0\","
	  "\"token_endpoint\":\"https://login.microsoftonline.com/t\"}",
	    "https://login.microsoftonline.com/common/v2.0", NULL },
	{ "{\"issuer\":\"https://login.microsoftonline.us/{tenantid}/v2.0\","
	  "\"token_endpoint\":\"https://login.microsoftonline.us/t\"}",
	    "https://login.microsoftonline.us/organizations/v2.0", NULL },
	{ "{\"issuer\":\"https://login.microsoftonline.com/{tenantid}/v1.0\","
	  "\"token_endpoint\":\"https://login.microsoftonline.com/t\"}",
	    "https://login.microsoftonline.com/common/v2.0", "another issuer" },
	{ "{\"issuer\":\"https://login.microsoftonline.us/{tenantid}/v2.0\","
	  "\"token_endpoint\":\"https://login.microsoftonline.us/t\"}",
	    "https://login.microsoftonline.com/common/v2.0", "another issuer" },
	{ "{\"issuer\":\"https://a/{tenantid}/v2.0\","
	  "\"token_endpoint\":\"https://a/t\"}",
	    "https://a/common/v2.0", "another issuer" },
};

static void documents_are_checked(void **state)
{
	struct provider *found = NULL;
	struct why why;
	enum fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		why.text[0] = '\0';
		fault = issuer_read_metadata(span_of(documents[i].body),
		    documents[i].issuer, &found, &why);
		if (documents[i].words == NULL) {
			if (fault != FAULT_NONE)
				fail_msg("%zu: %s", i, why.text);
			provider_release(found);
			continue;
		}
		assert_int_equal(fault, FAULT_GARBLED);
		if (strstr(why.text, documents[i].words) == NULL)
			fail_msg("%zu: %s", i, why.text);
	}
}

static const struct {
	const char *body, *id, *secret; /* id NULL: refused */
} registrations[] = {
	{ "{\"client_id\":\"a\"}", "a", NULL },
	{ "{\"client_id\":\"a b\",\"client_secret\":\"s\"}", "a b", "s" },
	{ "{\"client_id\":\"a\",\"client_secret\":null}", "a", NULL },
	{ "{\"client_id\":\"\"}", NULL, NULL },
	{ "{\"client_secret\":\"s\"}", NULL, NULL },
	{ "{\"client_id\":7}", NULL, NULL },
	{ "{\"client_id\":\"a\\n\"}", NULL, NULL },
	{ "{\"client_id\":\"a\",\"client_secret\":\"\\u00e9\"}", "a", NULL },
	{ "{\"client_id\":\"a\",\"client_secret\":7}", "a", NULL },
	{ "[\"client_id\"]", NULL, NULL },
	{ "{\"client_id\":\"0123456789abcdef\","
	  "\"registration_access_token\":\"x0123456789abcdef\"}",
	    NULL, NULL },
};

static void registrations_are_checked(void **state)
{
	struct provider *made = NULL;
	struct why why;
	enum fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(registrations) / sizeof(registrations[0]); i++) {
		fault = issuer_read_client(span_of(registrations[i].body),
		    &made, &why);
		if (registrations[i].id == NULL) {
			assert_int_equal(fault, FAULT_GARBLED);
			continue;
		}
		assert_int_equal(fault, FAULT_NONE);
		assert_string_equal(made->client_id, registrations[i].id);
		if (registrations[i].secret == NULL)
			assert_null(made->client_secret);
		else
			assert_true(
			    span_is(secret_reveal(made->client_secret, "test"),
				registrations[i].secret));
		provider_release(made);
	}
}

static struct provider *issuer(void)
{
	struct provider *provider = NULL;
	struct why why;

	if (provider_new("own", NULL, &provider) ||
	    provider_set(provider, "issuer", "https://a.example", &why) ||
	    provider_set(provider, "token_endpoint", "https://a.example/t",
		&why) ||
	    provider_set(provider, "device_authorization_endpoint",
		"https://a.example/d", &why) ||
	    provider_set(provider, "registration_endpoint",
		"https://a.example/n", &why) ||
	    provider_finish(provider, NULL, &why)) {
		provider_release(provider);
		return NULL;
	}
	return provider;
}

static void what_is_asked_for_is_a_public_native_client(void **state)
{
	static const char want[] =
	    "{\"client_name\":\"mailtoken\",\"application_type\":\"native\","
	    "\"redirect_uris\":[\"http://127.0.0.1/callback\","
	    "\"http://localhost/callback\"],\"response_types\":[\"code\"],"
	    "\"grant_types\":[\"authorization_code\",\"refresh_token\","
	    "\"urn:ietf:params:oauth:grant-type:device_code\"],"
	    "\"token_endpoint_auth_method\":\"none\","
	    "\"scope\":\"openid email offline_access\"}";
	struct provider *provider = issuer();
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_non_null(provider);
	assert_true(provider->registers);
	assert_int_equal(issuer_client_body(provider, &out), FAULT_NONE);
	assert_true(span_is(buf_span(&out), want));
	buf_drop(&out);
	provider_release(provider);
}

static enum fault parse_both(void *ctx)
{
	struct provider *provider = ctx;
	struct provider *made = NULL;
	struct provider *found = NULL;
	struct buf out = BUF_INIT(4096);
	struct why why;
	struct buf url = BUF_INIT(256);
	enum fault fault;

	fault = issuer_place("https://a.example/x", ISSUER_RFC8414, &url);
	if (!fault)
		fault = issuer_read_metadata(span_of(whole),
		    "https://a.example/x", &found, &why);
	if (!fault)
		fault = issuer_read_client(
		    span_of("{\"client_id\":\"a\","
			    "\"client_secret\":\"a-client-secret\"}"),
		    &made, &why);
	if (!fault)
		fault = issuer_client_body(provider, &out);
	buf_drop(&out);
	provider_release(made);
	provider_release(found);
	buf_drop(&url);
	return fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	struct provider *provider = issuer();

	(void)state;
	failing_malloc_watch("a-client-secret");
	assert_true(failing_malloc_each(parse_both, provider) > 20);
	assert_false(failing_malloc_saw());
	provider_release(provider);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_those_of_the_two_standards),
		cmocka_unit_test(members_are_taken_and_others_ignored),
		cmocka_unit_test(documents_are_checked),
		cmocka_unit_test(registrations_are_checked),
		cmocka_unit_test(what_is_asked_for_is_a_public_native_client),
		cmocka_unit_test(no_memory_is_a_fault_at_every_step),
	};

	reply_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
