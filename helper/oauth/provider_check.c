/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether a profile can work, by which flow, and what to write if it cannot.
 * An application that signs in for itself brings a secret, a certificate, an
 * assertion of somebody it trusts, or a service account.
 */
#include "oauth/provider.h"

#include "oauth/assertion.h"
#include "oauth/provider_impl.h"

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
		    "'client-credentials': write tenant example.com with "
		    "your own domain",
		    provider->name, shared[i]);
		return FAULT_CONFIG_ERROR;
	}
	return FAULT_NONE;
}

static enum fault check_application(const struct provider *provider,
    struct why *why)
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
		    "/..., certificate /... or assertion_file /...",
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
		    "service_account_file /... with the JSON key of the "
		    "service account",
		    why);
	if (provider->client_secret != NULL || provider->assertion_file != NULL)
		return bad(provider,
		    "service_account_file excludes client_secret_file and "
		    "assertion_file: keep it alone",
		    why);
	return FAULT_NONE;
}

static enum fault check_no_application(const struct provider *provider,
    struct why *why)
{
	if (provider->key == NULL && provider->assertion_file == NULL)
		return FAULT_NONE;
	return bad(provider,
	    "certificate, assertion_file and service_account_file are for "
	    "applications that sign in for themselves: take flow away, or "
	    "write flow client-credentials or service-account",
	    why);
}

static enum fault check_device(const struct provider *provider, struct why *why)
{
	if (provider->row != NULL && provider->row->no_device != NULL)
		return bad(provider, provider->row->no_device, why);
	if (provider->device_authorization_endpoint != NULL)
		return FAULT_NONE;
	return bad(provider,
	    "device_authorization_endpoint is missing: write "
	    "device_authorization_endpoint https://... or flow "
	    "browser",
	    why);
}

static enum fault check_browser(const struct provider *provider,
    struct why *why)
{
	if (provider->authorization_endpoint != NULL)
		return FAULT_NONE;
	return bad(provider,
	    "authorization_endpoint is missing: write authorization_endpoint "
	    "https://... or flow device",
	    why);
}

static enum fault no_flow(const struct provider *provider, struct why *why)
{
	return bad(provider,
	    provider->untried ?
		"the preset is data only, nobody has tried it: to be the "
		"first, name the flow, as in --flow browser" :
		provider->client_secret != NULL ?
		"nothing says how to sign in: write "
		"authorization_endpoint https://..., or, if the "
		"application signs in for itself, flow "
		"client-credentials" :
		"device_authorization_endpoint is missing: nothing says how "
		"to sign in: write device_authorization_endpoint "
		"https://... or authorization_endpoint https://...",
	    why);
}

enum fault provider_check_flow(const struct provider *provider,
    enum flow_kind kind, struct why *why)
{
	enum fault fault;

	switch (kind) {
	case FLOW_CLIENT_CREDENTIALS: return check_application(provider, why);
	case FLOW_SERVICE_ACCOUNT: return check_service_account(provider, why);
	case FLOW_DEVICE:
	case FLOW_BROWSER:
	case FLOW_NONE: break;
	}
	fault = check_no_application(provider, why);
	if (fault != FAULT_NONE)
		return fault;
	if (kind == FLOW_DEVICE)
		return check_device(provider, why);
	return kind == FLOW_BROWSER ? check_browser(provider, why) :
				      no_flow(provider, why);
}

enum fault provider_check(const struct provider *provider, struct why *why)
{
	return provider->token_endpoint != NULL ?
	    provider_check_client(provider, why) :
	    bad(provider,
		"token_endpoint is missing: write token_endpoint "
		"https://..., as the provider's documentation says",
		why);
}

enum fault provider_check_client(const struct provider *provider,
    struct why *why)
{
	if (provider->client_id == NULL && !provider->registers &&
	    provider->flow != FLOW_SERVICE_ACCOUNT)
		return bad(provider,
		    "client_id is missing: register an application (README) "
		    "and write client_id ...",
		    why);
	/* A client with a secret may have come to renew what was imported. */
	if (provider->flow == FLOW_NONE &&
	    (provider->untried || provider->client_secret != NULL))
		return FAULT_NONE;
	return provider_check_flow(provider, provider->flow, why);
}
