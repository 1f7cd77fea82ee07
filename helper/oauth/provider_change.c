/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies of a finished profile with something changed, and what the presets
 * know of mail domains.
 */
#include "oauth/provider.h"

#include <stdlib.h>
#include <strings.h>

#include "oauth/discovery.h"
#include "oauth/presets.h"
#include "oauth/provider_impl.h"
#include "wire/attr.h"

static enum fault copy_lists(const struct provider *base, struct provider *copy)
{
	struct why why;
	size_t i;

	for (i = 0; i < base->n_servers; i++)
		if (provider_add_server(copy, base->servers[i], &why))
			return FAULT_NOMEM;
	for (i = 0; i < base->n_extra; i++)
		if (provider_add_extra(copy, base->extra[i].name,
			base->extra[i].value, &why))
			return FAULT_NOMEM;
	if (base->client_secret != NULL)
		return provider_set_secret(copy, base->client_secret);
	return FAULT_NONE;
}

static enum fault copy_all(const struct provider *base, struct provider *copy)
{
	copy->family = base->family;
	copy->flow = base->flow;
	copy->min_validity_s = base->min_validity_s;
	copy->redirect_port = base->redirect_port;
	copy->short_device_grant = base->short_device_grant;
	copy->returns_iss = base->returns_iss;
	copy->untried = base->untried;
	copy->incomplete = base->incomplete;
	copy->scope_derived = base->scope_derived;
	copy->client_secret_expires_s = base->client_secret_expires_s;
	provider_set_key(copy, base->key);
	if (provider_copy_keys(base, copy) ||
	    provider_put(&copy->title, base->title) ||
	    provider_put(&copy->sign_out_page, base->sign_out_page) ||
	    provider_put(&copy->no_device, base->no_device) ||
	    provider_put(&copy->authorize_extra, base->authorize_extra) ||
	    provider_put(&copy->scopes_supported, base->scopes_supported))
		return FAULT_NOMEM;
	return copy_lists(base, copy);
}

static enum fault lay_under(char **slot, const char *found)
{
	return *slot == NULL ? provider_put(slot, found) : FAULT_NONE;
}

/* Endpoints that the administrator wrote stay. */
static enum fault add_found(struct provider *copy,
    const struct discovery *found)
{
	copy->incomplete = false;
	copy->returns_iss = copy->returns_iss || found->returns_iss;
	if (lay_under(&copy->authorization_endpoint,
		found->authorization_endpoint) ||
	    lay_under(&copy->token_endpoint, found->token_endpoint) ||
	    lay_under(&copy->device_authorization_endpoint,
		found->device_authorization_endpoint) ||
	    lay_under(&copy->revocation_endpoint, found->revocation_endpoint) ||
	    lay_under(&copy->registration_endpoint,
		found->registration_endpoint) ||
	    provider_put(&copy->scopes_supported, found->scopes_supported))
		return FAULT_NOMEM;
	return FAULT_NONE;
}

static enum fault change_protocols(struct provider *copy, const char *protocols,
    struct why *why)
{
	enum fault fault;

	fault = provider_protocols_check(copy, protocols, why);
	if (fault == FAULT_NONE && provider_put(&copy->protocols, protocols))
		fault = FAULT_NOMEM;
	if (fault == FAULT_NONE && copy->scope_derived)
		fault = provider_put(&copy->scope, NULL);
	return fault;
}

static enum fault apply(struct provider *copy,
    const struct provider_change *change, struct why *why)
{
	enum fault fault = FAULT_NONE;

	if (change->found != NULL)
		fault = add_found(copy, change->found);
	if (!fault && change->client_id != NULL)
		fault = provider_put(&copy->client_id, change->client_id);
	if (!fault && change->client_secret != NULL)
		fault = provider_set_secret(copy, change->client_secret);
	if (!fault && change->protocols != NULL)
		fault = change_protocols(copy, change->protocols, why);
	if (!fault && !copy->incomplete)
		fault = provider_settle(copy, why);
	return fault;
}

enum fault provider_change(const struct provider *base,
    const struct provider_change *change, struct provider **provider_out,
    struct why *why)
{
	struct provider *copy = NULL;
	enum fault fault;

	fault = provider_new(base->name, base->preset, &copy);
	if (fault)
		return fault;
	fault = copy_all(base, copy);
	if (!fault)
		fault = apply(copy, change, why);
	if (fault) {
		provider_release(copy);
		return fault;
	}
	*provider_out = copy;
	return FAULT_NONE;
}

static bool same_folded(struct span a, const char *b)
{
	return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

static bool is_in_or_below(struct span host, const char *domain)
{
	size_t n = strlen(domain);

	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (same_folded(host, domain))
		return true;
	return host.n > n + 1 && host.p[host.n - n - 1] == '.' &&
	    strncasecmp(host.p + host.n - n, domain, n) == 0;
}

static bool is_of(const struct preset *row, struct span domain, struct span mx)
{
	size_t i;

	for (i = 0;
	     domain.n > 0 && i < PRESET_DOMAINS_MAX && row->domains[i] != NULL;
	     i++)
		if (same_folded(domain, row->domains[i]))
			return true;
	for (i = 0; mx.n > 0 && i < PRESET_MX_MAX && row->mx[i] != NULL; i++)
		if (is_in_or_below(mx, row->mx[i]))
			return true;
	return false;
}

const char *provider_known_by(struct span domain, struct span mx)
{
	const struct preset *row;
	size_t i;

	for (i = 0; (row = preset_at(i)) != NULL; i++)
		if (is_of(row, domain, mx))
			return row->name;
	return NULL;
}

const char *provider_title(const char *preset)
{
	const struct preset *row = preset_find(preset);

	return row != NULL ? row->title : preset;
}

bool provider_registers_itself(const char *preset)
{
	const struct preset *row = preset_find(preset);

	return row != NULL && row->registration_endpoint != NULL;
}
