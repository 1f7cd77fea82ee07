/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What an application that signs in for itself brings: a secret, a
 * certificate, an assertion of somebody it trusts, a service account.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/presets.h"
#include "oauth/provider_impl.h"

void provider_set_key(struct provider *provider, struct assertion_key *key)
{
	assertion_key_release(provider->key);
	provider->key = assertion_key_share(key);
}

bool provider_is_app_only(const struct provider *provider)
{
	return provider->flow == FLOW_CLIENT_CREDENTIALS ||
	    provider->flow == FLOW_SERVICE_ACCOUNT;
}

static bool has_service_account(const struct provider *provider)
{
	return provider->key != NULL &&
	    assertion_key_issuer(provider->key) != NULL;
}

enum flow_kind provider_app_flow(const struct provider *provider)
{
	if (has_service_account(provider))
		return FLOW_SERVICE_ACCOUNT;
	if (provider->key != NULL || provider->assertion_file != NULL)
		return FLOW_CLIENT_CREDENTIALS;
	return FLOW_NONE;
}

static enum fault bad(const struct provider *provider, const char *what,
    struct why *why)
{
	why_set(why, 0, "provider '%s': %s", provider->name, what);
	return FAULT_CONFIG_ERROR;
}

static enum fault check_tenant(const struct provider *provider, struct why *why)
{
	static const char *const shared[] = {
		"common",
		"organizations",
		"consumers",
	};
	size_t i;

	if (provider->family != PROVIDER_MICROSOFT || provider->tenant == NULL)
		return FAULT_NONE;
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (strcmp(provider->tenant, shared[i]) != 0)
			continue;
		why_set(why, 0,
		    "provider '%s': tenant '%s' cannot be used with flow "
		    "'client-credentials': write tenant = 'example.com' with "
		    "your own domain",
		    provider->name, shared[i]);
		return FAULT_CONFIG_ERROR;
	}
	return FAULT_NONE;
}

static enum fault check_client(const struct provider *provider, struct why *why)
{
	int ways = (provider->client_secret != NULL ? 1 : 0) +
	    (provider->key != NULL ? 1 : 0) +
	    (provider->assertion_file != NULL ? 1 : 0);

	if (has_service_account(provider))
		return bad(provider,
		    "service_account_file goes with flow 'service-account': "
		    "change flow, or take the file away",
		    why);
	if (ways == 0)
		return bad(provider,
		    "client_secret_file is missing: flow 'client-credentials' "
		    "needs the application's secret: write client_secret_file "
		    "= '/...', certificate = '/...' or assertion_file = '/...'",
		    why);
	if (ways > 1)
		return bad(provider,
		    "client_secret_file, certificate and assertion_file "
		    "exclude each other: keep one",
		    why);
	return check_tenant(provider, why);
}

static enum fault check_service_account(const struct provider *provider,
    struct why *why)
{
	if (!has_service_account(provider))
		return bad(provider,
		    "service_account_file is missing: write "
		    "service_account_file = '/...' with the JSON key of the "
		    "service account",
		    why);
	if (provider->client_secret != NULL || provider->assertion_file != NULL)
		return bad(provider,
		    "service_account_file excludes client_secret_file and "
		    "assertion_file: keep it alone",
		    why);
	return FAULT_NONE;
}

enum fault provider_check_app(const struct provider *provider,
    enum flow_kind kind, struct why *why)
{
	if (kind == FLOW_CLIENT_CREDENTIALS)
		return check_client(provider, why);
	if (kind == FLOW_SERVICE_ACCOUNT)
		return check_service_account(provider, why);
	if (provider->key == NULL && provider->assertion_file == NULL)
		return FAULT_NONE;
	return bad(provider,
	    "certificate, assertion_file and service_account_file are for "
	    "applications that sign in for themselves: take flow away, or "
	    "write flow = 'client-credentials' or 'service-account'",
	    why);
}

const char *provider_preset_of(const char *host)
{
	const struct preset *row;
	char *known;
	size_t i;

	for (i = 0; (row = preset_at(i)) != NULL; i++) {
		bool same = false;

		if (row->token_endpoint != NULL &&
		    provider_url_host(row->token_endpoint, &known) ==
			FAULT_NONE) {
			same = strcmp(known, host) == 0;
			free(known);
		}
		if (same)
			return row->name;
	}
	/* Its older name, which other programs still use. */
	return strcmp(host, "accounts.google.com") == 0 ? "google" : NULL;
}
