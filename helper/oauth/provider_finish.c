/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What follows from the values that were set: the preset's where there is
 * none, the tenant in the URLs, the flow, the scope; and the same again after
 * some of them were changed.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/discovery.h"
#include "oauth/provider_impl.h"
#include "wire/buf.h"

/* The row of the preset, or of the cloud of it. */
static enum fault find_row(struct provider *provider, struct why *why)
{
	const struct preset *row = provider->preset != NULL ?
	    preset_find(provider->preset) :
	    NULL;

	if (row != NULL && provider->cloud != NULL)
		row = preset_in_cloud(row, provider->cloud);
	provider->row = row;
	if (row != NULL || provider->cloud == NULL)
		return FAULT_NONE;
	why_set(why, 0,
	    "provider '%s': cloud must be 'public', 'gcc-high', 'dod' or "
	    "'china', with preset microsoft",
	    provider->name);
	return FAULT_CONFIG_ERROR;
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
	if (fill(&provider->tenant, row->tenant) ||
	    fill(&provider->issuer, row->issuer) ||
	    fill(&provider->authorization_endpoint,
		row->authorization_endpoint) ||
	    fill(&provider->token_endpoint, row->token_endpoint) ||
	    fill(&provider->device_authorization_endpoint,
		row->device_authorization_endpoint) ||
	    fill(&provider->revocation_endpoint, row->revocation_endpoint) ||
	    fill(&provider->registration_endpoint, row->registration_endpoint))
		return FAULT_NOMEM;
	provider->authorize_extra = row->authorize_extra;
	provider->sign_out_page = row->sign_out_page;
	provider->short_device_grant = row->short_device_grant;
	provider->returns_iss = row->returns_iss;
	provider->untried = row->flow == FLOW_NONE;
	return fill_servers(provider, row);
}

static void choose_flow(struct provider *provider)
{
	if (provider->flow != FLOW_NONE)
		return;
	if (provider->row != NULL)
		provider->flow = provider->row->flow;
	else if (provider->device_authorization_endpoint != NULL)
		provider->flow = FLOW_DEVICE;
	else if (provider->authorization_endpoint != NULL)
		provider->flow = FLOW_BROWSER;
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

static enum fault finish_url(const struct provider *provider, const char *key,
    char **slot, struct why *why)
{
	enum fault fault;

	if (*slot == NULL || strstr(*slot, "{tenant}") == NULL)
		return FAULT_NONE;
	if (provider->tenant == NULL) {
		why_set(why, 0,
		    "provider '%s': %s has {tenant} but there is no tenant: "
		    "write tenant ...",
		    provider->name, key);
		return FAULT_CONFIG_ERROR;
	}
	fault = expand_tenant(slot, provider->tenant);
	if (fault != FAULT_TOO_BIG)
		return fault;
	why_set(why, 0, "provider '%s': %s is too long", provider->name, key);
	return FAULT_CONFIG_ERROR;
}

/* Who a server is, its host says, whatever its block is called. */
static enum fault settle_family(struct provider *provider)
{
	const char *preset;
	char *host = NULL;
	enum fault fault;

	if (provider->row != NULL)
		return FAULT_NONE;
	fault = provider_token_host(provider, &host);
	preset = fault == FAULT_NONE ? provider_preset_of(host) : NULL;
	if (preset != NULL)
		provider->family = preset_find(preset)->family;
	free(host);
	return fault == FAULT_NOMEM ? fault : FAULT_NONE;
}

/* What follows once all endpoints that can be known are there. */
static enum fault settle(struct provider *provider, struct why *why)
{
	enum fault fault = settle_family(provider);

	if (fault)
		return fault;
	choose_flow(provider);
	provider->registers = provider->client_id == NULL &&
	    provider->registration_endpoint != NULL &&
	    !provider_is_app_only(provider);
	fault = provider_check(provider, why);
	return fault ? fault : provider_derive_scope(provider);
}

/* Nothing but its issuer says where to sign in. */
static bool is_incomplete(const struct provider *provider)
{
	if (provider->row != NULL || provider->issuer == NULL)
		return false;
	return provider->token_endpoint == NULL ||
	    (!provider_is_app_only(provider) &&
		provider->authorization_endpoint == NULL &&
		provider->device_authorization_endpoint == NULL);
}

/* What an application that signs in for itself lacks is no issuer's to say. */
static enum fault settle_later(struct provider *provider, struct why *why)
{
	enum fault fault;

	if (!provider_is_app_only(provider))
		return FAULT_NONE;
	fault = provider_check_client(provider, why);
	return fault ? fault : provider_derive_scope(provider);
}

static enum fault finish_urls(struct provider *provider, struct why *why)
{
	const struct {
		const char *key;
		char **slot;
	} urls[] = {
		{ "issuer", &provider->issuer },
		{ "authorization_endpoint", &provider->authorization_endpoint },
		{ "token_endpoint", &provider->token_endpoint },
		{ "device_authorization_endpoint",
		    &provider->device_authorization_endpoint },
		{ "revocation_endpoint", &provider->revocation_endpoint },
		{ "registration_endpoint", &provider->registration_endpoint },
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; !fault && i < sizeof(urls) / sizeof(urls[0]); i++)
		fault = finish_url(provider, urls[i].key, urls[i].slot, why);
	return fault;
}

enum fault provider_finish(struct provider *provider,
    const char *default_protocols, struct why *why)
{
	enum fault fault;

	fault = find_row(provider, why);
	if (fault)
		return fault;
	if (provider->row != NULL && fill_from_row(provider, provider->row))
		return FAULT_NOMEM;
	if (fill(&provider->protocols,
		default_protocols != NULL ? default_protocols :
					    "smtp imap pop"))
		return FAULT_NOMEM;
	fault = finish_urls(provider, why);
	if (fault)
		return fault;
	if (provider->flow == FLOW_NONE)
		provider->flow = provider_app_flow(provider);
	provider->incomplete = is_incomplete(provider);
	return provider->incomplete ? settle_later(provider, why) :
				      settle(provider, why);
}

/* Endpoints that the administrator wrote stay. */
static enum fault add_found(struct provider *provider,
    const struct discovery *found)
{
	provider->incomplete = false;
	provider->returns_iss = provider->returns_iss || found->returns_iss;
	provider->secret_way = found->secret_way;
	if (fill(&provider->authorization_endpoint,
		found->authorization_endpoint) ||
	    fill(&provider->token_endpoint, found->token_endpoint) ||
	    fill(&provider->device_authorization_endpoint,
		found->device_authorization_endpoint) ||
	    fill(&provider->revocation_endpoint, found->revocation_endpoint) ||
	    fill(&provider->registration_endpoint,
		found->registration_endpoint) ||
	    provider_put(&provider->userinfo_endpoint,
		found->userinfo_endpoint) ||
	    provider_put(&provider->scopes_supported, found->scopes_supported))
		return FAULT_NOMEM;
	return FAULT_NONE;
}

static enum fault set_protocols(struct provider *provider,
    const char *protocols, struct why *why)
{
	enum fault fault = provider_set(provider, "protocols", protocols, why);

	if (fault == FAULT_NONE && provider->scope_derived)
		fault = provider_put(&provider->scope, NULL);
	return fault;
}

static enum fault apply(struct provider *provider,
    const struct provider_change *change, struct why *why)
{
	enum fault fault = FAULT_NONE;

	if (change->found != NULL)
		fault = add_found(provider, change->found);
	provider->registered = provider->registered ||
	    change->client_id != NULL;
	if (!fault && change->client_id != NULL)
		fault = provider_put(&provider->client_id, change->client_id);
	if (!fault && change->client_secret != NULL)
		fault = provider_set_secret(provider, change->client_secret);
	if (change->secret_way != SECRET_WAY_UNKNOWN)
		provider->secret_way = change->secret_way;
	if (!fault && change->protocols != NULL)
		fault = set_protocols(provider, change->protocols, why);
	if (!fault && !provider->incomplete)
		fault = settle(provider, why);
	return fault;
}

enum fault provider_change(const struct provider *base,
    const struct provider_change *change, struct provider **provider_out,
    struct why *why)
{
	struct provider *copy = NULL;
	enum fault fault;

	fault = provider_copy(base, &copy);
	if (!fault)
		fault = apply(copy, change, why);
	if (fault) {
		provider_release(copy);
		return fault;
	}
	*provider_out = copy;
	return FAULT_NONE;
}
