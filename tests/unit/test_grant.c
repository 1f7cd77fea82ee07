/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a grant is tied to, and what an answer of the provider changes in it.
 */
#include "daemon/grant.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "test.h"

static char config_path[] = "/etc/x.conf";
static const struct now now = { 1000000, 5000000 };

static struct provider *make(const char *client, const char *endpoint,
    const char *key, const char *value)
{
	struct provider *provider = NULL;
	struct why why = { 0, "" };

	assert_int_equal(provider_new("p", NULL, &provider), FAULT_NONE);
	assert_int_equal(provider_set(provider, "client_id", client, &why),
	    FAULT_NONE);
	assert_int_equal(
	    provider_set(provider, "token_endpoint", endpoint, &why),
	    FAULT_NONE);
	assert_int_equal(provider_set(provider, "device_authorization_endpoint",
			     "https://id.example/device", &why),
	    FAULT_NONE);
	assert_int_equal(
	    provider_set(provider, "scope", "mail openid offline_access", &why),
	    FAULT_NONE);
	if (key != NULL)
		assert_int_equal(provider_set(provider, key, value, &why),
		    FAULT_NONE);
	if (provider_finish(provider, NULL, &why) != FAULT_NONE)
		fail_msg("%s", why.text);
	return provider;
}

static struct provider *usual(void)
{
	return make("app", "https://id.example/token", NULL, NULL);
}

static struct secret *secret_of(const char *text)
{
	struct secret *secret = NULL;

	assert_int_equal(secret_new(span_of(text), &secret), FAULT_NONE);
	return secret;
}

static struct reply_token tokens(const char *access, const char *refresh)
{
	struct reply_token token = { .expires_in_s = 3600 };

	token.access_token = secret_of(access);
	if (refresh != NULL)
		token.refresh_token = secret_of(refresh);
	return token;
}

static bool holds(const struct secret *secret, const char *text)
{
	struct secret *other = secret_of(text);
	bool same = secret_equal(secret, other);

	secret_free(other);
	return same;
}

static struct entry *entry_of(const struct provider *provider)
{
	const struct grant_signin signed_in = {
		.account = BYTES("Jo@X.example"),
		.provider = provider,
		.flow = FLOW_DEVICE,
		.servers = BYTES("mail.example"),
		.serial = "0123456789abcdef",
	};
	struct reply_token token = tokens("access-1", "refresh-1");
	struct entry *entry = NULL;

	assert_int_equal(grant_new(&signed_in, &token, &now, &entry),
	    FAULT_NONE);
	reply_token_drop(&token);
	return entry;
}

/* A configuration with one provider, or none. */
static struct config with(struct provider **provider)
{
	struct config config = { .path = config_path };

	config.providers = provider;
	config.n_providers = provider != NULL ? 1 : 0;
	return config;
}

static void a_sign_in_keeps_who_issued_the_grant(void **state)
{
	struct provider *provider = usual();
	struct entry *entry = entry_of(provider);

	(void)state;
	assert_string_equal(entry->account, "Jo@X.example");
	assert_string_equal(entry->provider, "p");
	assert_string_equal(entry->flow, "device");
	assert_string_equal(entry->token_host, "id.example");
	assert_string_equal(entry->client_id, "app");
	assert_null(entry->tenant);
	assert_null(entry->issuer);
	assert_string_equal(entry->servers, "mail.example");
	assert_string_equal(entry->scope, "mail openid offline_access");
	assert_int_equal(entry->refreshed_s, 1000000);
	assert_int_equal(entry->expires_s, 1003600);
	assert_int_equal(entry->granted_s, 3600);
	assert_int_equal(entry->signed_in_s, 1000000);
	assert_int_equal(strlen(entry->serial), 16);
	assert_true(holds(entry->access_token, "access-1"));
	assert_true(holds(entry->refresh_token, "refresh-1"));
	entry_free(entry);
	provider_release(provider);
}

static void who_issued_it_may_renew_it(void **state)
{
	struct provider *provider = usual(), *found = NULL;
	struct config config = with(&provider);
	struct entry *entry = entry_of(provider);
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(grant_provider(&config, entry, &found, &why),
	    FAULT_NONE);
	assert_ptr_equal(found, provider);
	provider_release(found);
	entry_free(entry);
	provider_release(provider);
}

static void assert_other(struct provider *other, const char *before,
    const char *after)
{
	struct provider *provider = usual(), *found = NULL;
	struct config config = with(other != NULL ? &other : NULL);
	struct entry *entry = entry_of(provider);
	struct why why = { 0, "" };

	assert_int_equal(grant_provider(&config, entry, &found, &why),
	    FAULT_CONFIG_ERROR);
	assert_null(found);
	assert_non_null(strstr(why.text, before));
	assert_non_null(strstr(why.text, after));
	assert_non_null(strstr(why.text, "mailtoken login Jo@X.example"));
	entry_free(entry);
	provider_release(provider);
	provider_release(other);
}

static void nobody_else_gets_the_refresh_token(void **state)
{
	(void)state;
	assert_other(make("app2", "https://id.example/token", NULL, NULL),
	    " app,", " app2:");
	assert_other(make("app", "https://id2.example/token", NULL, NULL),
	    " id.example,", " id2.example:");
	assert_other(make("app", "https://id.example:8443/token", NULL, NULL),
	    " id.example,", " id.example:8443:");
	assert_other(make("app", "https://id.example/token", "tenant", "t"),
	    " none,", " t:");
	assert_other(make("app", "https://id.example/token", "issuer",
			 "https://i.example"),
	    " none,", " https://i.example:");
	assert_other(NULL, "/etc/x.conf", "'p'");
}

static void the_path_of_the_endpoint_may_change(void **state)
{
	struct provider *provider = usual(), *found = NULL;
	struct provider *moved = make("APP", "https://ID.example/v2/token",
	    NULL, NULL);
	struct config config = with(&moved);
	struct entry *entry = entry_of(provider);
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(grant_provider(&config, entry, &found, &why),
	    FAULT_NONE);
	provider_release(found);
	entry_free(entry);
	provider_release(moved);
	provider_release(provider);
}

static struct entry *renew(const struct entry *entry,
    const struct provider *provider, struct reply_token *token)
{
	static const struct now later = { 1003000, 8000000 };
	struct entry *next = NULL;

	assert_int_equal(grant_prepare(entry, provider, &next), FAULT_NONE);
	grant_renew(next, token, "fedcba9876543210", &later);
	reply_token_drop(token);
	return next;
}

static void a_renewal_takes_the_new_tokens(void **state)
{
	struct provider *provider = usual();
	struct entry *entry = entry_of(provider), *next;
	struct reply_token token = tokens("access-2", "refresh-2");

	(void)state;
	entry->state = ENTRY_LOGIN_NEEDED;
	assert_int_equal(string_set(&entry->text, BYTES("why")), FAULT_NONE);
	token.refresh_in_s = 1800;
	token.refresh_expires_in_s = 100;
	next = renew(entry, provider, &token);
	assert_true(holds(next->access_token, "access-2"));
	assert_true(holds(next->refresh_token, "refresh-2"));
	assert_int_equal(next->refreshed_s, 1003000);
	assert_int_equal(next->expires_s, 1006600);
	assert_int_equal(next->refresh_in_s, 1800);
	assert_int_equal(next->grant_expires_s, 1003100);
	assert_int_equal(next->signed_in_s, 1000000);
	assert_int_equal(next->state, ENTRY_ACTIVE);
	assert_null(next->text);
	assert_string_not_equal(next->serial, entry->serial);
	/* The old record is as it was. */
	assert_true(holds(entry->refresh_token, "refresh-1"));
	entry_free(next);
	entry_free(entry);
	provider_release(provider);
}

static void without_a_new_refresh_token_the_old_one_stays(void **state)
{
	struct provider *provider = usual();
	struct entry *entry = entry_of(provider), *next;
	struct reply_token token = tokens("access-2", NULL);

	(void)state;
	entry->grant_expires_s = 77;
	next = renew(entry, provider, &token);
	assert_true(holds(next->refresh_token, "refresh-1"));
	assert_int_equal(next->grant_expires_s, 77);
	entry_free(next);
	entry_free(entry);
	provider_release(provider);
}

static void the_same_token_again_keeps_its_serial(void **state)
{
	struct provider *provider = usual();
	struct entry *entry = entry_of(provider), *next;
	struct reply_token token = tokens("access-1", NULL);

	(void)state;
	next = renew(entry, provider, &token);
	assert_string_equal(next->serial, entry->serial);
	entry_free(next);
	entry_free(entry);
	provider_release(provider);
}

static void a_scope_that_is_missing_is_named(void **state)
{
	struct provider *provider = usual();
	struct entry *entry = entry_of(provider);

	(void)state;
	assert_int_equal(grant_lacks(entry).n, 0);
	assert_int_equal(string_set(&entry->granted_scope, BYTES("openid")),
	    FAULT_NONE);
	assert_span(grant_lacks(entry), "mail");
	assert_int_equal(string_set(&entry->granted_scope, BYTES("x MAIL")),
	    FAULT_NONE);
	assert_int_equal(grant_lacks(entry).n, 0);
	entry_free(entry);
	provider_release(provider);
}

struct step {
	struct provider *provider;
	struct entry *entry;
};

static enum fault prepare_step(void *ctx)
{
	struct step *step = ctx;
	struct entry *next = NULL;
	enum fault fault;

	fault = grant_prepare(step->entry, step->provider, &next);
	entry_free(next);
	return fault;
}

static void preparing_survives_each_failed_allocation(void **state)
{
	struct step step = { .provider = usual() };

	(void)state;
	step.entry = entry_of(step.provider);
	assert_true(failing_malloc_each(prepare_step, &step) > 5);
	entry_free(step.entry);
	provider_release(step.provider);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sign_in_keeps_who_issued_the_grant),
		cmocka_unit_test(who_issued_it_may_renew_it),
		cmocka_unit_test(nobody_else_gets_the_refresh_token),
		cmocka_unit_test(the_path_of_the_endpoint_may_change),
		cmocka_unit_test(a_renewal_takes_the_new_tokens),
		cmocka_unit_test(without_a_new_refresh_token_the_old_one_stays),
		cmocka_unit_test(the_same_token_again_keeps_its_serial),
		cmocka_unit_test(a_scope_that_is_missing_is_named),
		cmocka_unit_test(preparing_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
