/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether a profile can work, by which flow, and what to write if it cannot.
 * An application that signs in for itself brings a secret, a certificate, an
 * assertion of somebody it trusts, or a service account.
 */
#include "oauth/assertion.h"
#include "oauth/provider.h"

#define OF(kind) (1u << (kind))

#define LATER	    (1u << 5) /* a sign-in has to name it */
#define BY_PERSON   (OF(FLOW_NONE) | OF(FLOW_DEVICE) | OF(FLOW_BROWSER))
#define BY_CLIENT   (BY_PERSON | LATER | OF(FLOW_CLIENT_CREDENTIALS))
#define BY_ANYTHING (BY_CLIENT | OF(FLOW_SERVICE_ACCOUNT))

/* What flows may not have or lack, and the sentence that says so. */
struct rule {
	unsigned flows;
	bool is_broken;
	const char *sentence;
};

static const char *const flow_words[] = {
	[FLOW_NONE] = "",
	[FLOW_DEVICE] = "device",
	[FLOW_BROWSER] = "browser",
	[FLOW_CLIENT_CREDENTIALS] = "client-credentials",
	[FLOW_SERVICE_ACCOUNT] = "service-account",
};

const char *flow_kind_word(enum flow_kind kind)
{
	return flow_words[kind];
}

enum fault flow_kind_from_word(struct span word, enum flow_kind *kind_out)
{
	enum flow_kind kind;

	for (kind = FLOW_DEVICE; kind <= FLOW_SERVICE_ACCOUNT; kind++) {
		if (!span_is(word, flow_words[kind]))
			continue;
		*kind_out = kind;
		return FAULT_NONE;
	}
	return FAULT_GRAMMAR;
}

bool provider_is_app_only(const struct provider *provider)
{
	return provider->flow == FLOW_CLIENT_CREDENTIALS ||
	    provider->flow == FLOW_SERVICE_ACCOUNT;
}

static const char *broken(const struct rule *rules, size_t n, unsigned flows)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((rules[i].flows & flows) != 0 && rules[i].is_broken)
			return rules[i].sentence;
	return NULL;
}

static const char *check_application(const struct provider *p, unsigned flows)
{
	const char *with_key = p->key != NULL ? assertion_key_issuer(p->key) :
						NULL;
	int ways = (p->client_secret != NULL) + (p->key != NULL) +
	    (p->assertion_file != NULL);
	const struct rule rules[] = {
		{ BY_ANYTHING, p->token_endpoint == NULL && !p->incomplete,
		    "token_endpoint is missing: write token_endpoint "
		    "https://..., as the provider's documentation says" },
		{ BY_CLIENT, p->client_id == NULL && !p->registers,
		    "client_id is missing: register an application (README) "
		    "and write client_id ..." },
		{ OF(FLOW_CLIENT_CREDENTIALS), with_key != NULL,
		    "service_account_file goes with flow 'service-account': "
		    "change flow, or take the file away" },
		{ OF(FLOW_CLIENT_CREDENTIALS), ways == 0,
		    "client_secret_file is missing: flow 'client-credentials' "
		    "needs the application's secret: write client_secret_file "
		    "/..., certificate /... or assertion_file /..." },
		{ OF(FLOW_CLIENT_CREDENTIALS), ways > 1,
		    "client_secret_file, certificate and assertion_file "
		    "exclude each other: keep one" },
		{ OF(FLOW_CLIENT_CREDENTIALS),
		    p->family == PROVIDER_MICROSOFT &&
			span_listed(span_of(p->tenant),
			    "common organizations consumers"),
		    "tenant 'common', 'organizations' or 'consumers' cannot be "
		    "used with flow 'client-credentials': write tenant "
		    "example.com with your own domain" },
		{ OF(FLOW_SERVICE_ACCOUNT), with_key == NULL,
		    "service_account_file is missing: write "
		    "service_account_file /... with the JSON key of the "
		    "service account" },
		{ OF(FLOW_SERVICE_ACCOUNT), ways > 1,
		    "service_account_file excludes client_secret_file and "
		    "assertion_file: keep it alone" },
	};

	return broken(rules, sizeof(rules) / sizeof(rules[0]), flows);
}

static const char *check_person(const struct provider *p, unsigned flows)
{
	const char *no_device = preset_value(p->row, "no_device");
	const struct rule rules[] = {
		{ BY_PERSON, p->key != NULL || p->assertion_file != NULL,
		    "certificate, assertion_file and service_account_file are "
		    "for applications that sign in for themselves: take flow "
		    "away, or write flow client-credentials or "
		    "service-account" },
		{ OF(FLOW_DEVICE), no_device != NULL, no_device },
		{ OF(FLOW_DEVICE), p->device_authorization_endpoint == NULL,
		    "device_authorization_endpoint is missing: write "
		    "device_authorization_endpoint https://... or flow "
		    "browser" },
		{ OF(FLOW_BROWSER), p->authorization_endpoint == NULL,
		    "authorization_endpoint is missing: write "
		    "authorization_endpoint https://... or flow device" },
		{ OF(FLOW_NONE), p->untried,
		    "the preset is data only, nobody has tried it: to be the "
		    "first, name the flow, as in --flow browser" },
		{ OF(FLOW_NONE), p->client_secret != NULL,
		    "nothing says how to sign in: write authorization_endpoint "
		    "https://..., or, if the application signs in for itself, "
		    "flow client-credentials" },
		{ OF(FLOW_NONE), true,
		    "device_authorization_endpoint is missing: nothing says "
		    "how to sign in: write device_authorization_endpoint "
		    "https://... or authorization_endpoint https://..." },
	};

	return broken(rules, sizeof(rules) / sizeof(rules[0]), flows);
}

static enum fault check(const struct provider *provider, unsigned flows,
    struct why *why)
{
	const char *sentence = check_application(provider, flows);

	if (sentence == NULL)
		sentence = check_person(provider, flows);
	if (sentence == NULL)
		return FAULT_NONE;
	why_set(why, 0, "provider '%s': %s", provider->name, sentence);
	return FAULT_CONFIG_ERROR;
}

enum fault provider_check_flow(const struct provider *provider,
    enum flow_kind kind, struct why *why)
{
	return check(provider, OF(kind), why);
}

enum fault provider_check(const struct provider *provider, struct why *why)
{
	/* A client with a secret may have come to renew what was imported. */
	return check(provider,
	    provider->flow == FLOW_NONE &&
		    (provider->untried || provider->client_secret != NULL) ?
		LATER :
		OF(provider->flow),
	    why);
}
