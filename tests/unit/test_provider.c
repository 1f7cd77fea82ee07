/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Profiles: presets, the administrator's values over them, what is refused
 * and in which words, and which servers may see a token.
 */
#include "test.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "oauth/provider.h"
#include "oauth/url.h"

static struct provider *microsoft(void)
{
	struct provider *provider = NULL;

	assert_int_equal(provider_new("microsoft", "microsoft", &provider),
	    FAULT_NONE);
	return provider;
}

static struct provider *own(void)
{
	struct provider *provider = NULL;

	assert_int_equal(provider_new("own", NULL, &provider), FAULT_NONE);
	return provider;
}

static void set(struct provider *provider, const char *key, const char *value)
{
	struct why why = { 0, "" };

	assert_int_equal(provider_set(provider, key, value, &why), FAULT_NONE);
}

static void finish(struct provider *provider, const char *protocols)
{
	struct why why = { 0, "" };

	if (provider_finish(provider, protocols, &why) != FAULT_NONE)
		fail_msg("%s", why.text);
}

static void assert_refused(struct provider *provider, const char *key,
    const char *value)
{
	struct why why = { 0, "" };

	if (provider_set(provider, key, value, &why) != FAULT_GRAMMAR)
		fail_msg("%s = '%s' was taken", key, value);
	assert_non_null(strstr(why.text, key));
}

static void assert_unfinished(struct provider *provider, const char *text)
{
	struct why why = { 0, "" };

	assert_int_equal(provider_finish(provider, "smtp", &why),
	    FAULT_CONFIG_ERROR);
	assert_string_equal(why.text, text);
}

static void microsoft_needs_a_client_id_alone(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	finish(p, "smtp");
	assert_string_equal(p->token_endpoint,
	    "https://login.microsoftonline.com/common/oauth2/v2.0/token");
	assert_string_equal(p->device_authorization_endpoint,
	    "https://login.microsoftonline.com/common/oauth2/v2.0/"
	    "devicecode");
	assert_string_equal(p->authorization_endpoint,
	    "https://login.microsoftonline.com/common/oauth2/v2.0/authorize");
	assert_null(p->revocation_endpoint);
	assert_string_equal(p->scope,
	    "https://outlook.office.com/SMTP.Send "
	    "offline_access openid email profile");
	assert_int_equal(p->flow, FLOW_DEVICE);
	assert_int_equal(p->family, PROVIDER_MICROSOFT);
	provider_release(p);
}

static void scopes_follow_the_protocols(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	set(p, "protocols", "pop imap");
	finish(p, "smtp");
	assert_string_equal(p->scope,
	    "https://outlook.office.com/IMAP.AccessAsUser.All "
	    "https://outlook.office.com/POP.AccessAsUser.All "
	    "offline_access openid email profile");
	provider_release(p);
}

static void without_protocols_it_is_all_three(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	finish(p, NULL);
	assert_non_null(strstr(p->scope, "/SMTP.Send "));
	assert_non_null(strstr(p->scope, "/IMAP.AccessAsUser.All "));
	assert_non_null(strstr(p->scope, "/POP.AccessAsUser.All "));
	provider_release(p);
}

static void the_administrators_values_win(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	set(p, "tenant", "contoso.onmicrosoft.com");
	set(p, "token_endpoint", "https://localhost:8443/{tenant}/token");
	set(p, "scope", "just this");
	set(p, "flow", "browser");
	set(p, "min_validity", "660");
	set(p, "servers", "mail.example");
	finish(p, "smtp");
	assert_string_equal(p->token_endpoint,
	    "https://localhost:8443/contoso.onmicrosoft.com/token");
	assert_string_equal(p->device_authorization_endpoint,
	    "https://login.microsoftonline.com/contoso.onmicrosoft.com/"
	    "oauth2/v2.0/devicecode");
	assert_string_equal(p->scope, "just this");
	assert_int_equal(p->flow, FLOW_BROWSER);
	assert_int_equal(p->min_validity_s, 660);
	assert_string_equal(p->servers, "mail.example");
	provider_release(p);
}

static void a_cloud_changes_hosts_and_scopes(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	set(p, "cloud", "gcc-high");
	finish(p, "smtp");
	assert_string_equal(p->token_endpoint,
	    "https://login.microsoftonline.us/organizations/oauth2/v2.0/"
	    "token");
	assert_string_equal(p->scope,
	    "https://outlook.office365.us/SMTP.Send "
	    "offline_access openid email profile");
	provider_release(p);
}

static void personal_accounts_have_their_tenant(void **state)
{
	struct provider *p = NULL;

	(void)state;
	assert_int_equal(provider_new("outlook", "microsoft-consumer", &p),
	    FAULT_NONE);
	set(p, "client_id", "app");
	finish(p, "smtp");
	assert_string_equal(p->token_endpoint,
	    "https://login.microsoftonline.com/consumers/oauth2/v2.0/token");
	provider_release(p);
}

static void app_only_asks_for_the_default_scope(void **state)
{
	struct provider *p = microsoft();
	struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(BYTES("s3cret"), &secret), FAULT_NONE);
	set(p, "client_id", "app");
	set(p, "flow", "client-credentials");
	assert_unfinished(p,
	    "provider 'microsoft': client_secret_file is "
	    "missing: flow 'client-credentials' needs the application's "
	    "secret: write client_secret_file /..., certificate "
	    "/... or assertion_file /...");
	assert_int_equal(provider_set_secret(p, secret), FAULT_NONE);
	assert_unfinished(p,
	    "provider 'microsoft': tenant 'common', 'organizations' or "
	    "'consumers' cannot be used with flow 'client-credentials': write tenant "
	    "example.com with your own domain");
	provider_release(p);

	p = microsoft();
	set(p, "client_id", "app");
	set(p, "tenant", "contoso.com");
	set(p, "flow", "client-credentials");
	assert_int_equal(provider_set_secret(p, secret), FAULT_NONE);
	finish(p, "smtp");
	assert_string_equal(p->scope, "https://outlook.office365.com/.default");
	provider_release(p);
	secret_free(secret);
}

static void own_endpoints_are_enough(void **state)
{
	struct provider *p = own();

	(void)state;
	set(p, "client_id", "app");
	set(p, "token_endpoint", "https://id.example/token");
	set(p, "device_authorization_endpoint", "https://id.example/device");
	finish(p, "smtp");
	assert_int_equal(p->flow, FLOW_DEVICE);
	assert_int_equal(p->family, PROVIDER_STANDARD);
	assert_string_equal(p->scope, "openid email offline_access");
	assert_null(p->servers);
	provider_release(p);
}

static void an_empty_scope_stays_empty(void **state)
{
	struct provider *p = own();

	(void)state;
	set(p, "client_id", "app");
	set(p, "token_endpoint", "https://id.example/token");
	set(p, "authorization_endpoint", "https://id.example/authorize");
	set(p, "scope", "");
	finish(p, "smtp");
	assert_string_equal(p->scope, "");
	assert_int_equal(p->flow, FLOW_BROWSER);
	provider_release(p);
}

static void what_is_missing_is_named_with_its_cure(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	assert_unfinished(p,
	    "provider 'microsoft': client_id is missing: "
	    "register an application (README) and write client_id ...");
	provider_release(p);

	p = own();
	assert_unfinished(p,
	    "provider 'own': token_endpoint is missing: "
	    "write token_endpoint https://..., as the provider's "
	    "documentation says");
	set(p, "token_endpoint", "https://id.example/token");
	set(p, "client_id", "app");
	assert_unfinished(p,
	    "provider 'own': device_authorization_endpoint "
	    "is missing: nothing says how to sign in: write "
	    "device_authorization_endpoint https://... or "
	    "authorization_endpoint https://...");
	set(p, "flow", "device");
	assert_unfinished(p,
	    "provider 'own': device_authorization_endpoint "
	    "is missing: write device_authorization_endpoint https://... "
	    "or flow browser");
	provider_release(p);

	p = own();
	set(p, "token_endpoint", "https://id.example/{tenant}/token");
	assert_unfinished(p,
	    "provider 'own': token_endpoint has {tenant} but "
	    "there is no tenant: write tenant ...");
	provider_release(p);

	p = own();
	set(p, "cloud", "dod");
	assert_unfinished(p,
	    "provider 'own': cloud must be 'public', "
	    "'gcc-high', 'dod' or 'china', with preset microsoft");
	provider_release(p);
}

static void bad_values_are_refused(void **state)
{
	struct provider *p = own();
	char longest[257];

	(void)state;
	assert_refused(p, "token_endpoint", "http://id.example/token");
	assert_refused(p, "token_endpoint", "https://");
	assert_refused(p, "token_endpoint", "https:///token");
	assert_refused(p, "token_endpoint", "https://user@id.example/token");
	assert_refused(p, "token_endpoint", "https://u:p@id.example/token");
	assert_refused(p, "token_endpoint", "https://id.example/token#x");
	assert_refused(p, "token_endpoint", "https://id.example/to ken");
	assert_refused(p, "token_endpoint", "https://id.example:0/");
	assert_refused(p, "token_endpoint", "https://id.example:65536/");
	assert_refused(p, "token_endpoint", "https://id.example:x/");
	assert_refused(p, "token_endpoint", "https://id.example\\@x/");
	assert_refused(p, "token_endpoint", "https://[::1/");
	assert_refused(p, "token_endpoint", "https://{tenant}.example/");
	assert_refused(p, "issuer", "id.example");
	assert_refused(p, "issuer", "https://id.example/?realm=a");
	assert_refused(p, "tenant", "");
	assert_refused(p, "tenant", "a/b");
	assert_refused(p, "tenant", "a b");
	assert_refused(p, "tenant", "{tenant}");
	memset(longest, 'a', 256);
	longest[256] = '\0';
	assert_refused(p, "tenant", longest);
	longest[255] = '\0';
	set(p, "tenant", longest);
	assert_refused(p, "client_id", "");
	assert_refused(p, "client_id", "a\nb");
	assert_refused(p, "scope", "a\001b");
	assert_refused(p, "protocols", "smtp http");
	assert_refused(p, "protocols", " ");
	assert_refused(p, "flow", "password");
	assert_refused(p, "min_validity", "-1");
	assert_refused(p, "min_validity", "86401");
	assert_refused(p, "min_validity", "1h");
	assert_refused(p, "ca_file", "relative.pem");
	set(p, "min_validity", "86400");
	assert_refused(p, "redirect_port", "-1");
	assert_refused(p, "redirect_port", "65536");
	assert_refused(p, "redirect_port", "http");
	set(p, "redirect_port", "65535");
	assert_int_equal(p->redirect_port, 65535);
	set(p, "redirect_port", "0");
	provider_release(p);
}

static void unknown_keys_and_presets_are_said(void **state)
{
	struct provider *p = own();
	struct why why;

	(void)state;
	assert_int_equal(provider_set(p, "client_secret", "x", &why),
	    FAULT_NOT_FOUND);
	assert_int_equal(provider_new("x", "nobody", &p), FAULT_NOT_FOUND);
	assert_null(preset_find("nobody"));
	provider_release(p);
}

static void extra_fields_cannot_replace_our_own(void **state)
{
	struct provider *p = own();

	(void)state;
	set(p, "extra", "audience=mail & more");
	assert_refused(p, "extra", "audience=two");
	assert_refused(p, "extra", "client_secret=x");
	/* revocation, RFC 7009 */
	assert_refused(p, "extra", "token=x");
	assert_refused(p, "extra", "token_type_hint=x");
	assert_refused(p, "extra", "a b=x");
	assert_refused(p, "extra", "empty=");
	assert_refused(p, "extra", "alone");
	set(p, "extra", "aud=x");
	assert_string_equal(p->extra, "audience=mail%20%26%20more&aud=x");
	provider_release(p);
}

static void servers_are_names(void **state)
{
	struct provider *p = own();

	(void)state;
	assert_refused(p, "servers", "");
	assert_refused(p, "servers", "a.example *.");
	assert_refused(p, "servers", "a*.x");
	assert_refused(p, "servers", "a/b");
	provider_release(p);
}

static void an_empty_secret_is_none(void **state)
{
	struct provider *p = own();
	struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(BYTES(""), &secret), FAULT_NONE);
	assert_int_equal(provider_set_secret(p, secret), FAULT_NONE);
	assert_null(p->client_secret);
	secret_free(secret);
	provider_release(p);
}

static bool serves(const struct provider *p, const char *account,
    const char *extra, const char *server)
{
	return provider_serves(p, span_of(account), extra, span_of(server));
}

static void presets_serve_their_servers_only(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	set(p, "client_id", "app");
	finish(p, "smtp");
	assert_true(serves(p, "jo@x.example", NULL, "smtp.office365.com"));
	assert_true(serves(p, "jo@x.example", NULL, "SMTP.Office365.COM."));
	assert_false(serves(p, "jo@x.example", NULL, "x.example"));
	assert_false(serves(p, "jo@x.example", NULL, "smtp.office365.com.x"));
	assert_false(serves(p, "jo@x.example", NULL, "xsmtp.office365.com"));
	assert_false(serves(p, "jo@x.example", NULL, ""));
	assert_true(serves(p, "jo@x.example", "a.b relay.x.example",
	    "relay.x.example"));
	assert_false(serves(p, "jo@x.example", "a.b relay.x.example", "a"));
	provider_release(p);
}

static void without_servers_it_is_the_accounts_domain(void **state)
{
	struct provider *p = own();

	(void)state;
	assert_true(serves(p, "jo@X.example", NULL, "x.example"));
	assert_true(serves(p, "jo@x.example", NULL, "Mail.x.example."));
	assert_true(serves(p, "a@b@x.example", NULL, "mail.x.example"));
	assert_false(serves(p, "jo@x.example", NULL, "example"));
	assert_false(serves(p, "jo@x.example", NULL, "evilx.example"));
	assert_false(serves(p, "jo@x.example", NULL, ".x.example"));
	assert_false(serves(p, "jo", NULL, "jo"));
	assert_false(serves(p, "jo@", NULL, "x"));
	assert_true(
	    serves(p, "jo@x.example", "*.relay.example", "a.relay.example"));
	provider_release(p);
}

static void a_star_never_matches_the_bare_domain(void **state)
{
	struct provider *p = own();

	(void)state;
	set(p, "servers", "*.x.example");
	assert_true(serves(p, "jo@y", NULL, "a.x.example"));
	assert_true(serves(p, "jo@y", NULL, "b.A.x.example"));
	assert_false(serves(p, "jo@y", NULL, "x.example"));
	assert_false(serves(p, "jo@y", NULL, "ax.example"));
	assert_false(serves(p, "jo@x.example", NULL, "x.example"));
	provider_release(p);
}

static void assert_host(const char *url, const char *want)
{
	char *host = NULL;

	assert_int_equal(url_host(url, &host), FAULT_NONE);
	assert_string_equal(host, want);
	free(host);
}

static void hosts_are_lower_case_with_odd_ports(void **state)
{
	char *host = NULL;

	(void)state;
	assert_host("https://Login.Example/a", "login.example");
	assert_host("https://login.example:443/a", "login.example");
	assert_host("https://LOCALHOST:8443", "localhost:8443");
	assert_host("https://[::1]:8443/x", "[::1]:8443");
	assert_host("https://a.example?x=@b", "a.example");
	assert_int_equal(url_host("http://a/", &host), FAULT_GRAMMAR);
	assert_int_equal(url_host("https://a@b/", &host), FAULT_GRAMMAR);
	assert_null(host);
}

static void shared_profiles_live_until_the_last_user(void **state)
{
	struct provider *p = microsoft();

	(void)state;
	assert_ptr_equal(provider_share(p), p);
	provider_release(p);
	assert_string_equal(p->name, "microsoft");
	provider_release(p);
	provider_release(NULL);
}

static void flow_words_go_both_ways(void **state)
{
	static const char *const words[] = {
		"device",
		"browser",
		"client-credentials",
		"service-account",
	};
	enum flow_kind kind = FLOW_NONE;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(words); i++) {
		assert_int_equal(flow_kind_from_word(span_of(words[i]), &kind),
		    FAULT_NONE);
		assert_string_equal(flow_kind_word(kind), words[i]);
	}
	assert_int_equal(flow_kind_from_word(span_of(""), &kind),
	    FAULT_GRAMMAR);
	assert_string_equal(flow_kind_word(FLOW_NONE), "");
}

static enum fault whole_profile(void *ctx)
{
	struct provider *p = NULL;
	struct secret *secret = NULL;
	struct why why;
	enum fault fault;

	(void)ctx;
	fault = secret_new(BYTES("a-client-secret"), &secret);
	if (!fault)
		fault = provider_new("microsoft", "microsoft", &p);
	if (!fault)
		fault = provider_set(p, "client_id", "app", &why);
	if (!fault)
		fault = provider_set(p, "token_endpoint",
		    "https://id.example/{tenant}", &why);
	if (!fault)
		fault = provider_set(p, "servers", "mail.example", &why);
	if (!fault)
		fault = provider_set(p, "extra", "a=b", &why);
	if (!fault)
		fault = provider_set_secret(p, secret);
	if (!fault)
		fault = provider_finish(p, "smtp imap pop", &why);
	secret_free(secret);
	provider_release(p);
	return fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	(void)state;
	failing_malloc_watch("a-client-secret");
	assert_true(failing_malloc_each(whole_profile, NULL) > 20);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(microsoft_needs_a_client_id_alone),
		cmocka_unit_test(scopes_follow_the_protocols),
		cmocka_unit_test(without_protocols_it_is_all_three),
		cmocka_unit_test(the_administrators_values_win),
		cmocka_unit_test(a_cloud_changes_hosts_and_scopes),
		cmocka_unit_test(personal_accounts_have_their_tenant),
		cmocka_unit_test(app_only_asks_for_the_default_scope),
		cmocka_unit_test(own_endpoints_are_enough),
		cmocka_unit_test(an_empty_scope_stays_empty),
		cmocka_unit_test(what_is_missing_is_named_with_its_cure),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(unknown_keys_and_presets_are_said),
		cmocka_unit_test(extra_fields_cannot_replace_our_own),
		cmocka_unit_test(servers_are_names),
		cmocka_unit_test(an_empty_secret_is_none),
		cmocka_unit_test(presets_serve_their_servers_only),
		cmocka_unit_test(without_servers_it_is_the_accounts_domain),
		cmocka_unit_test(a_star_never_matches_the_bare_domain),
		cmocka_unit_test(hosts_are_lower_case_with_odd_ports),
		cmocka_unit_test(shared_profiles_live_until_the_last_user),
		cmocka_unit_test(flow_words_go_both_ways),
		cmocka_unit_test(no_memory_is_a_fault_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
