/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What follows from the values that were set: the preset's where there is
 * none, the tenant in the URLs, the scope, and whether the whole can work.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/presets.h"
#include "oauth/provider_impl.h"
#include "wire/attr.h"
#include "wire/buf.h"

/* A profile that is defined by its endpoints, in words of OpenID Connect. */
#define STANDARD_SCOPE "openid email offline_access"

static const char *const endpoint_keys[] = {
	"issuer", "authorization_endpoint", "token_endpoint",
	"device_authorization_endpoint", "revocation_endpoint",
};

#define N_ENDPOINTS (sizeof(endpoint_keys) / sizeof(endpoint_keys[0]))

static const struct {
	const char *word;
	enum flow_kind kind;
} flow_words[] = {
	{ "device", FLOW_DEVICE },
	{ "browser", FLOW_BROWSER },
	{ "client-credentials", FLOW_CLIENT_CREDENTIALS },
	{ "service-account", FLOW_SERVICE_ACCOUNT },
};

#define N_FLOWS (sizeof(flow_words) / sizeof(flow_words[0]))

const char *flow_kind_word(enum flow_kind kind)
{
	size_t i;

	for (i = 0; i < N_FLOWS; i++)
		if (flow_words[i].kind == kind)
			return flow_words[i].word;
	return "";
}

enum fault flow_kind_from_word(struct span word, enum flow_kind *kind_out)
{
	size_t i;

	for (i = 0; i < N_FLOWS; i++) {
		if (!span_is(word, flow_words[i].word))
			continue;
		*kind_out = flow_words[i].kind;
		return FAULT_NONE;
	}
	return FAULT_GRAMMAR;
}

static enum fault find_row(const struct provider *provider,
    const struct preset **row_out, struct why *why)
{
	const char *cloud = provider->raw[PROVIDER_RAW_CLOUD];
	const struct preset *row = NULL;

	if (provider->preset != NULL)
		row = preset_find(provider->preset);
	if (cloud != NULL) {
		row = row != NULL ? preset_in_cloud(row, cloud) : NULL;
		if (row == NULL) {
			why_set(why, 0, "provider '%s': cloud must be "
			    "'public', 'gcc-high', 'dod' or 'china', with "
			    "preset = 'microsoft'", provider->name);
			return FAULT_CONFIG_ERROR;
		}
	}
	*row_out = row;
	return FAULT_NONE;
}

static enum fault fill(char **slot, const char *text)
{
	return *slot == NULL ? provider_put(slot, text) : FAULT_NONE;
}

static enum fault fill_servers(struct provider *provider,
    const struct preset *row)
{
	size_t i;

	if (provider->n_servers > 0)
		return FAULT_NONE;
	for (i = 0; i < PRESET_SERVERS_MAX && row->servers[i] != NULL; i++) {
		if (provider_put(&provider->servers[i], row->servers[i]))
			return FAULT_NOMEM;
		provider->n_servers++;
	}
	return FAULT_NONE;
}

static enum fault fill_from_row(struct provider *provider,
    const struct preset *row)
{
	if (provider->min_validity_s == 0)
		provider->min_validity_s = row->min_validity_s;
	if (provider_put(&provider->title, row->title) ||
	    fill(&provider->tenant, row->tenant) ||
	    fill(&provider->issuer, row->issuer) ||
	    fill(&provider->authorization_endpoint,
	    row->authorization_endpoint) ||
	    fill(&provider->token_endpoint, row->token_endpoint) ||
	    fill(&provider->device_authorization_endpoint,
	    row->device_authorization_endpoint) ||
	    fill(&provider->revocation_endpoint, row->revocation_endpoint) ||
	    fill(&provider->sign_out_page, row->sign_out_page))
		return FAULT_NOMEM;
	return fill_servers(provider, row);
}

static void choose_flow(struct provider *provider, const struct preset *row)
{
	if (provider->flow == FLOW_NONE && row != NULL)
		provider->flow = row->flow;
	if (provider->flow != FLOW_NONE)
		return;
	if (provider->device_authorization_endpoint != NULL)
		provider->flow = FLOW_DEVICE;
	else if (provider->authorization_endpoint != NULL)
		provider->flow = FLOW_BROWSER;
	else if (provider->client_secret != NULL)
		provider->flow = FLOW_CLIENT_CREDENTIALS;
}

static enum fault expand_tenant(char **slot, const char *tenant)
{
	static const char mark[] = "{tenant}";
	struct buf out = BUF_INIT(PROVIDER_URL_MAX_BYTES);
	const char *p = *slot, *at;
	enum fault fault;

	while ((at = strstr(p, mark)) != NULL) {
		buf_add(&out, (struct span){ p, (size_t)(at - p) });
		buf_add_str(&out, tenant);
		p = at + sizeof(mark) - 1;
	}
	buf_add_str(&out, p);
	fault = buf_fault(&out);
	if (!fault)
		fault = provider_put(slot, out.p);
	buf_drop(&out);
	return fault;
}

static enum fault finish_endpoint(struct provider *provider, const char *key,
    struct why *why)
{
	char **slot = provider_key_slot(provider, key);
	enum fault fault;

	if (*slot == NULL)
		return FAULT_NONE;
	if (strstr(*slot, "{tenant}") != NULL) {
		if (provider->tenant == NULL) {
			why_set(why, 0, "provider '%s': %s has {tenant} but "
			    "there is no tenant: write tenant = '...'",
			    provider->name, key);
			return FAULT_CONFIG_ERROR;
		}
		fault = expand_tenant(slot, provider->tenant);
		if (fault == FAULT_NOMEM)
			return fault;
		if (fault) {
			why_set(why, 0, "provider '%s': %s is too long",
			    provider->name, key);
			return FAULT_CONFIG_ERROR;
		}
	}
	fault = provider_url_check(provider, key, *slot, why);
	return fault == FAULT_GRAMMAR ? FAULT_CONFIG_ERROR : fault;
}

static bool has_word(const char *list, const char *word)
{
	size_t n;

	for (; *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (span_is((struct span){ list, n }, word))
			return true;
	}
	return false;
}

static void add_words(struct buf *scope, const char *words)
{
	if (words == NULL || (scope->n > 0 && has_word(scope->p, words)))
		return;
	if (scope->n > 0)
		buf_add_lit(scope, " ");
	buf_add_str(scope, words);
}

static enum fault derive_scope(struct provider *provider,
    const struct preset *row)
{
	struct buf scope = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	enum fault fault;

	if (provider->scope != NULL)
		return FAULT_NONE;
	if (row == NULL)
		return provider_put(&provider->scope,
		    provider->flow == FLOW_CLIENT_CREDENTIALS ? "" :
		    STANDARD_SCOPE);
	if (provider->flow == FLOW_CLIENT_CREDENTIALS) {
		add_words(&scope, row->scope_app);
	} else {
		if (has_word(provider->protocols, "smtp"))
			add_words(&scope, row->scope_smtp);
		if (has_word(provider->protocols, "imap"))
			add_words(&scope, row->scope_imap);
		if (has_word(provider->protocols, "pop"))
			add_words(&scope, row->scope_pop);
		add_words(&scope, row->scope_more);
	}
	fault = buf_fault(&scope);
	if (!fault)
		fault = provider_put(&provider->scope,
		    scope.p != NULL ? scope.p : "");
	buf_drop(&scope);
	return fault;
}

static enum fault lacks(const struct provider *provider, const char *key,
    const char *cure, struct why *why)
{
	why_set(why, 0, "provider '%s': %s is missing: %s", provider->name,
	    key, cure);
	return FAULT_CONFIG_ERROR;
}

static enum fault check_client(const struct provider *provider,
    struct why *why)
{
	if (provider->token_endpoint == NULL)
		return lacks(provider, "token_endpoint",
		    "write token_endpoint = 'https://...', as the provider's "
		    "documentation says", why);
	if (provider->client_id == NULL &&
	    provider->flow != FLOW_SERVICE_ACCOUNT)
		return lacks(provider, "client_id",
		    "register an application (README) and write "
		    "client_id = '...'", why);
	return FAULT_NONE;
}

static enum fault check_app_only(const struct provider *provider,
    struct why *why)
{
	static const char *const shared[] = {
		"common", "organizations", "consumers",
	};
	size_t i;

	if (provider->client_secret == NULL)
		return lacks(provider, "client_secret_file",
		    "flow 'client-credentials' needs the application's "
		    "secret: write client_secret_file = '/...'", why);
	if (provider->family != PROVIDER_MICROSOFT || provider->tenant == NULL)
		return FAULT_NONE;
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (strcmp(provider->tenant, shared[i]) != 0)
			continue;
		why_set(why, 0, "provider '%s': tenant '%s' cannot be used "
		    "with flow 'client-credentials': write tenant = "
		    "'example.com' with your own domain", provider->name,
		    shared[i]);
		return FAULT_CONFIG_ERROR;
	}
	return FAULT_NONE;
}

static enum fault check_flow(const struct provider *provider, struct why *why)
{
	switch (provider->flow) {
	case FLOW_DEVICE:
		if (provider->device_authorization_endpoint != NULL)
			return FAULT_NONE;
		return lacks(provider, "device_authorization_endpoint",
		    "write device_authorization_endpoint = 'https://...' or "
		    "flow = 'browser'", why);
	case FLOW_BROWSER:
		if (provider->authorization_endpoint != NULL)
			return FAULT_NONE;
		return lacks(provider, "authorization_endpoint",
		    "write authorization_endpoint = 'https://...' or "
		    "flow = 'device'", why);
	case FLOW_CLIENT_CREDENTIALS:
		return check_app_only(provider, why);
	case FLOW_SERVICE_ACCOUNT:
		why_set(why, 0, "provider '%s': flow 'service-account' is not "
		    "for this provider: write flow = 'device' or "
		    "flow = 'browser'", provider->name);
		return FAULT_CONFIG_ERROR;
	case FLOW_NONE:
		break;
	}
	return lacks(provider, "device_authorization_endpoint",
	    "nothing says how to sign in: write "
	    "device_authorization_endpoint = 'https://...' or "
	    "authorization_endpoint = 'https://...'", why);
}

enum fault provider_finish(struct provider *provider,
    const char *default_protocols, struct why *why)
{
	const struct preset *row = NULL;
	enum fault fault;
	size_t i;

	fault = find_row(provider, &row, why);
	if (fault)
		return fault;
	if (row != NULL && fill_from_row(provider, row))
		return FAULT_NOMEM;
	if (fill(&provider->protocols, default_protocols != NULL ?
	    default_protocols : "smtp imap pop"))
		return FAULT_NOMEM;
	choose_flow(provider, row);
	for (i = 0; i < N_ENDPOINTS; i++) {
		fault = finish_endpoint(provider, endpoint_keys[i], why);
		if (fault)
			return fault;
	}
	fault = check_client(provider, why);
	if (!fault)
		fault = check_flow(provider, why);
	if (fault)
		return fault;
	return derive_scope(provider, row);
}
