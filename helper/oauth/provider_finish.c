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

static const char *const endpoint_keys[] = {
	"issuer",
	"authorization_endpoint",
	"token_endpoint",
	"device_authorization_endpoint",
	"revocation_endpoint",
	"registration_endpoint",
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
			why_set(why, 0,
			    "provider '%s': cloud must be 'public', "
			    "'gcc-high', 'dod' or 'china', with preset = "
			    "'microsoft'",
			    provider->name);
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
	    fill(&provider->registration_endpoint,
		row->registration_endpoint) ||
	    fill(&provider->no_device, row->no_device) ||
	    fill(&provider->authorize_extra, row->authorize_extra) ||
	    fill(&provider->sign_out_page, row->sign_out_page))
		return FAULT_NOMEM;
	provider->short_device_grant = row->short_device_grant;
	provider->returns_iss = row->returns_iss;
	provider->untried = row->flow == FLOW_NONE;
	return fill_servers(provider, row);
}

static void choose_flow(struct provider *provider, const struct preset *row)
{
	if (provider->flow == FLOW_NONE)
		provider->flow = provider_app_flow(provider);
	if (provider->flow == FLOW_NONE && row != NULL)
		provider->flow = row->flow;
	if (provider->flow != FLOW_NONE || row != NULL)
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
			why_set(why, 0,
			    "provider '%s': %s has {tenant} but there is no "
			    "tenant: write tenant = '...'",
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

static enum fault lacks(const struct provider *provider, const char *key,
    const char *cure, struct why *why)
{
	why_set(why, 0, "provider '%s': %s is missing: %s", provider->name, key,
	    cure);
	return FAULT_CONFIG_ERROR;
}

static enum fault check_client(const struct provider *provider, struct why *why)
{
	if (provider->token_endpoint == NULL)
		return lacks(provider, "token_endpoint",
		    "write token_endpoint = 'https://...', as the provider's "
		    "documentation says",
		    why);
	if (provider->client_id == NULL && !provider->registers &&
	    provider->flow != FLOW_SERVICE_ACCOUNT)
		return lacks(provider, "client_id",
		    "register an application (README) and write client_id = "
		    "'...'",
		    why);
	return FAULT_NONE;
}

static enum fault no_flow(const struct provider *provider, struct why *why)
{
	if (!provider->untried)
		return lacks(provider, "device_authorization_endpoint",
		    "nothing says how to sign in: write "
		    "device_authorization_endpoint = 'https://...' or "
		    "authorization_endpoint = 'https://...'",
		    why);
	why_set(why, 0,
	    "provider '%s': the preset is data only, nobody has tried it: to "
	    "be the first, name the flow, as in --flow browser",
	    provider->name);
	return FAULT_CONFIG_ERROR;
}

enum fault provider_check_flow(const struct provider *provider,
    enum flow_kind kind, struct why *why)
{
	enum fault fault = provider_check_app(provider, kind, why);

	if (fault != FAULT_NONE)
		return fault;
	switch (kind) {
	case FLOW_DEVICE:
		if (provider->no_device != NULL) {
			why_set(why, 0, "provider '%s': %s", provider->name,
			    provider->no_device);
			return FAULT_CONFIG_ERROR;
		}
		if (provider->device_authorization_endpoint != NULL)
			return FAULT_NONE;
		return lacks(provider, "device_authorization_endpoint",
		    "write device_authorization_endpoint = 'https://...' or "
		    "flow = 'browser'",
		    why);
	case FLOW_BROWSER:
		if (provider->authorization_endpoint != NULL)
			return FAULT_NONE;
		return lacks(provider, "authorization_endpoint",
		    "write authorization_endpoint = 'https://...' or flow = "
		    "'device'",
		    why);
	case FLOW_CLIENT_CREDENTIALS:
	case FLOW_SERVICE_ACCOUNT: return FAULT_NONE;
	case FLOW_NONE: break;
	}
	return no_flow(provider, why);
}

enum fault provider_settle(struct provider *provider, struct why *why)
{
	const struct preset *row = NULL;
	enum fault fault;

	fault = find_row(provider, &row, why);
	if (fault)
		return fault;
	choose_flow(provider, row);
	provider->registers = provider->client_id == NULL &&
	    provider->registration_endpoint != NULL &&
	    !provider_is_app_only(provider);
	fault = check_client(provider, why);
	if (!fault && (provider->flow != FLOW_NONE || !provider->untried))
		fault = provider_check_flow(provider, provider->flow, why);
	if (!fault)
		fault = provider_derive_scope(provider, row);
	return fault;
}

/* Nothing but its issuer says where to sign in. */
static bool is_incomplete(const struct provider *provider,
    const struct preset *row)
{
	/* An application alone has nobody who waits for discovery. */
	if (provider_is_app_only(provider) ||
	    provider_app_flow(provider) != FLOW_NONE)
		return false;
	return row == NULL && provider->issuer != NULL &&
	    (provider->token_endpoint == NULL ||
		(provider->authorization_endpoint == NULL &&
		    provider->device_authorization_endpoint == NULL));
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
	if (fill(&provider->protocols,
		default_protocols != NULL ? default_protocols :
					    "smtp imap pop"))
		return FAULT_NOMEM;
	for (i = 0; i < N_ENDPOINTS; i++) {
		fault = finish_endpoint(provider, endpoint_keys[i], why);
		if (fault)
			return fault;
	}
	provider->incomplete = is_incomplete(provider, row);
	return provider->incomplete ? FAULT_NONE :
				      provider_settle(provider, why);
}
