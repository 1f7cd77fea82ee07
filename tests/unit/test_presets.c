/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The presets, one row a line, against values typed from what the providers
 * publish; that none brings a client id; and which may be used how.
 */
#include "test.h"

#include "failing_malloc.h"
#include "oauth/provider.h"

static struct provider *finished(const char *preset, const char *flow)
{
	struct provider *provider = NULL;
	struct secret *secret = NULL;
	struct why why = { 0, "" };

	assert_int_equal(provider_new(preset, preset, &provider), FAULT_NONE);
	assert_null(provider->client_id);
	assert_int_equal(provider_set(provider, "client_id", "app", &why),
	    FAULT_NONE);
	if (flow != NULL)
		assert_int_equal(provider_set(provider, "flow", flow, &why),
		    FAULT_NONE);
	if (strcmp(preset, "microsoft-hve") == 0) {
		assert_int_equal(
		    provider_set(provider, "tenant", "contoso.com", &why),
		    FAULT_NONE);
		assert_int_equal(secret_new(BYTES("s"), &secret), FAULT_NONE);
		assert_int_equal(provider_set_secret(provider, secret),
		    FAULT_NONE);
		secret_free(secret);
	}
	if (provider_finish(provider, NULL, &why) != FAULT_NONE)
		fail_msg("%s: %s", preset, why.text);
	return provider;
}

static const struct {
	const char *preset;
	const char *token_endpoint;
	const char *scope;
	const char *covers;
	const char *first_server;
	const char *flow;
} rows[] = {
	{ "microsoft",
	    "https://login.microsoftonline.com/common/oauth2/v2.0/token",
	    "https://outlook.office.com/SMTP.Send "
	    "https://outlook.office.com/IMAP.AccessAsUser.All "
	    "https://outlook.office.com/POP.AccessAsUser.All "
	    "offline_access openid email profile",
	    "smtp imap pop", "smtp.office365.com", "device" },
	{ "microsoft-consumer",
	    "https://login.microsoftonline.com/consumers/oauth2/v2.0/token",
	    "https://outlook.office.com/SMTP.Send "
	    "https://outlook.office.com/IMAP.AccessAsUser.All "
	    "https://outlook.office.com/POP.AccessAsUser.All "
	    "offline_access openid email profile",
	    "smtp imap pop", "smtp-mail.outlook.com", "device" },
	{ "microsoft-gcc-high",
	    "https://login.microsoftonline.us/organizations/oauth2/v2.0/token",
	    "https://outlook.office365.us/SMTP.Send "
	    "https://outlook.office365.us/IMAP.AccessAsUser.All "
	    "https://outlook.office365.us/POP.AccessAsUser.All "
	    "offline_access openid email profile",
	    "smtp imap pop", "outlook.office365.us", "device" },
	{ "microsoft-dod",
	    "https://login.microsoftonline.us/organizations/oauth2/v2.0/token",
	    "https://outlook.office365.us/SMTP.Send "
	    "https://outlook.office365.us/IMAP.AccessAsUser.All "
	    "https://outlook.office365.us/POP.AccessAsUser.All "
	    "offline_access openid email profile",
	    "smtp imap pop", "outlook-dod.office365.us", "device" },
	{ "microsoft-china",
	    "https://login.partner.microsoftonline.cn/organizations/oauth2/"
	    "v2.0/token",
	    "https://partner.outlook.cn/SMTP.Send "
	    "https://partner.outlook.cn/IMAP.AccessAsUser.All "
	    "https://partner.outlook.cn/POP.AccessAsUser.All "
	    "offline_access openid email profile",
	    "smtp imap pop", "partner.outlook.cn", "device" },
	{ "microsoft-hve",
	    "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token",
	    "https://outlook.office365.com/.default", NULL,
	    "smtp.hve.mx.microsoft", "client-credentials" },
	{ "google", "https://oauth2.googleapis.com/token",
	    "https://mail.google.com/ openid email", "smtp imap pop",
	    "smtp.gmail.com", "browser" },
	{ "fastmail", "https://api.fastmail.com/oauth/refresh",
	    "urn:ietf:params:oauth:scope:mail offline_access", "smtp imap pop",
	    "smtp.fastmail.com", "browser" },
	{ "yandex", "https://oauth.yandex.com/token",
	    "mail:smtp mail:imap_full", "smtp imap pop", "smtp.yandex.com",
	    "device" },
	{ "yahoo", "https://api.login.yahoo.com/oauth2/get_token", "mail-w",
	    "smtp imap pop", "smtp.mail.yahoo.com", "" },
	{ "aol", "https://api.login.aol.com/oauth2/get_token", "mail-w",
	    "smtp imap pop", "smtp.aol.com", "" },
	{ "comcast", "https://oauth.xfinity.com/oauth/token",
	    "https://email.comcast.net/ profile openid", "smtp imap pop",
	    "smtp.comcast.net", "" },
	{ "mailru", "https://o2.mail.ru/token", "mail.imap", "smtp imap pop",
	    "smtp.mail.ru", "" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void presets_are_what_providers_publish(void **state)
{
	struct provider *provider;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		provider = finished(rows[i].preset, NULL);
		assert_string_equal(provider->token_endpoint,
		    rows[i].token_endpoint);
		assert_string_equal(provider->scope, rows[i].scope);
		if (rows[i].covers == NULL)
			assert_null(provider->covers);
		else
			assert_string_equal(provider->covers, rows[i].covers);
		assert_memory_equal(provider->servers, rows[i].first_server,
		    strlen(rows[i].first_server));
		assert_string_equal(flow_kind_word(provider->flow),
		    rows[i].flow);
		provider_release(provider);
	}
}

static void data_only_presets_need_a_named_flow(void **state)
{
	struct provider *provider = finished("yahoo", NULL);
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider_check_flow(provider, provider->flow, &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, "data only"));
	assert_int_equal(provider_check_flow(provider, FLOW_BROWSER, &why),
	    FAULT_NONE);
	provider_release(provider);
	provider = finished("mailru", "browser");
	assert_int_equal(provider->flow, FLOW_BROWSER);
	provider_release(provider);
}

static void google_never_signs_in_by_a_code_and_says_why(void **state)
{
	struct provider *provider = finished("google", NULL);
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider_check_flow(provider, FLOW_DEVICE, &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, "Google lets nobody"));
	assert_non_null(strstr(why.text, "browser"));
	assert_string_equal(preset_value(provider->row, "authorize_extra"),
	    "access_type=offline&prompt=consent");
	provider_release(provider);
}

static void high_volume_wants_eleven_minutes_and_a_tenant(void **state)
{
	struct provider *provider = finished("microsoft-hve", NULL);
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider->min_validity_s, 660);
	provider_release(provider);
	provider = NULL;
	assert_int_equal(provider_new("hve", "microsoft-hve", &provider),
	    FAULT_NONE);
	assert_int_equal(provider_set(provider, "client_id", "app", &why),
	    FAULT_NONE);
	assert_int_equal(provider_finish(provider, "smtp", &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, "tenant"));
	provider_release(provider);
}

static void yandex_polls_in_its_own_words(void **state)
{
	struct provider *provider = finished("yandex", NULL);

	(void)state;
	assert_true(preset_is(provider->row, "device_grant", "short"));
	provider_release(provider);
	provider = finished("microsoft", NULL);
	assert_false(preset_is(provider->row, "device_grant", "short"));
	provider_release(provider);
}

static void fastmail_needs_no_client_id(void **state)
{
	struct provider *provider = NULL;
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider_new("fastmail", "fastmail", &provider),
	    FAULT_NONE);
	assert_int_equal(provider_finish(provider, "smtp", &why), FAULT_NONE);
	assert_true(provider->registers);
	assert_true(provider->returns_iss);
	provider_release(provider);
}

static void protocols_change_scope_and_what_it_covers(void **state)
{
	const struct provider_change change = { .protocols = "smtp imap" };
	struct provider *base = NULL, *provider = NULL;
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider_new("m", "microsoft", &base), FAULT_NONE);
	assert_int_equal(provider_set(base, "client_id", "app", &why),
	    FAULT_NONE);
	assert_int_equal(provider_finish(base, "smtp", &why), FAULT_NONE);
	assert_string_equal(base->covers, "smtp");
	assert_int_equal(provider_change(base, &change, &provider, &why),
	    FAULT_NONE);
	assert_string_equal(provider->covers, "smtp imap");
	assert_string_equal(provider->scope,
	    "https://outlook.office.com/SMTP.Send "
	    "https://outlook.office.com/IMAP.AccessAsUser.All "
	    "offline_access openid email profile");
	assert_string_equal(provider->client_id, "app");
	provider_release(provider);
	provider_release(base);
}

static void a_scope_that_was_written_stays(void **state)
{
	const struct provider_change change = { .protocols = "imap" };
	struct provider *base = NULL, *provider = NULL;
	struct why why = { 0, "" };

	(void)state;
	assert_int_equal(provider_new("m", "microsoft", &base), FAULT_NONE);
	assert_int_equal(provider_set(base, "client_id", "app", &why),
	    FAULT_NONE);
	assert_int_equal(provider_set(base, "scope", "mine", &why), FAULT_NONE);
	assert_int_equal(provider_finish(base, "smtp", &why), FAULT_NONE);
	assert_null(base->covers);
	assert_int_equal(provider_change(base, &change, &provider, &why),
	    FAULT_NONE);
	assert_string_equal(provider->scope, "mine");
	provider_release(provider);
	provider_release(base);
}

static const struct {
	const char *domain, *mx, *preset;
} known[] = {
	{ "gmail.com", "", "google" },
	{ "GMail.com", "", "google" },
	{ "outlook.com", "", "microsoft-consumer" },
	{ "fastmail.com", "", "fastmail" },
	{ "ya.ru", "", "yandex" },
	{ "bk.ru", "", "mailru" },
	{ "xgmail.com", "", NULL },
	{ "a.gmail.com", "", NULL },
	{ "example.com", "", NULL },
	{ "", "contoso-com.mail.protection.outlook.com", "microsoft" },
	{ "", "contoso-com.a-v1.MX.microsoft.", "microsoft" },
	{ "", "aspmx.l.google.com", "google" },
	{ "", "in1-smtp.messagingengine.com", "fastmail" },
	{ "", "xgoogle.com", NULL },
	{ "", "google.com.evil.example", NULL },
	{ "", "", NULL },
};

static void domains_and_exchangers_are_known(void **state)
{
	const char *preset;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		preset = preset_known_by(span_of(known[i].domain),
		    span_of(known[i].mx));
		if (known[i].preset == NULL)
			assert_null(preset);
		else
			assert_string_equal(preset, known[i].preset);
	}
}

/* Other programs' grants come with such endpoints. */
static void token_hosts_are_known_by_their_older_names_too(void **state)
{
	(void)state;
	assert_string_equal(preset_of_host("login.microsoftonline.com"),
	    "microsoft");
	assert_string_equal(preset_of_host("login.partner.microsoftonline.cn"),
	    "microsoft-china");
	assert_string_equal(preset_of_host("login.chinacloudapi.cn"),
	    "microsoft-china");
	assert_string_equal(preset_of_host("oauth2.googleapis.com"), "google");
	assert_string_equal(preset_of_host("accounts.google.com"), "google");
	assert_null(preset_of_host("login.microsoftonline.com:8443"));
	assert_null(preset_of_host("localhost"));
}

static enum fault change_all(void *ctx)
{
	const struct provider found = {
		.token_endpoint = ctx,
		.device_authorization_endpoint = ctx,
		.scopes_supported = ctx,
	};
	const struct provider_change change = {
		.found = &found,
		.client_id = "app",
		.protocols = "smtp",
	};
	struct provider *base = NULL, *provider = NULL;
	struct why why;
	enum fault fault;

	fault = provider_new("own", NULL, &base);
	if (!fault)
		fault = provider_set(base, "issuer", ctx, &why);
	if (!fault)
		fault = provider_set(base, "servers", "a.example", &why);
	if (!fault)
		fault = provider_set(base, "extra", "a=b", &why);
	if (!fault)
		fault = provider_finish(base, NULL, &why);
	if (!fault)
		fault = provider_change(base, &change, &provider, &why);
	provider_release(provider);
	provider_release(base);
	return fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	static char url[] = "https://a.example";

	(void)state;
	assert_true(failing_malloc_each(change_all, url) > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_are_what_providers_publish),
		cmocka_unit_test(data_only_presets_need_a_named_flow),
		cmocka_unit_test(google_never_signs_in_by_a_code_and_says_why),
		cmocka_unit_test(high_volume_wants_eleven_minutes_and_a_tenant),
		cmocka_unit_test(yandex_polls_in_its_own_words),
		cmocka_unit_test(fastmail_needs_no_client_id),
		cmocka_unit_test(protocols_change_scope_and_what_it_covers),
		cmocka_unit_test(a_scope_that_was_written_stays),
		cmocka_unit_test(domains_and_exchangers_are_known),
		cmocka_unit_test(
		    token_hosts_are_known_by_their_older_names_too),
		cmocka_unit_test(no_memory_is_a_fault_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
