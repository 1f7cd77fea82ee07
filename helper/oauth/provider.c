/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The life of a profile; what follows from the values that were set, and the
 * same again after some of them were changed: the flow, the scope and which
 * protocols that is good for; and which servers its tokens may go to.
 */
#include "oauth/provider.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/url.h"
#include "wire/attr.h"
#include "wire/buf.h"

enum fault provider_new(const char *name, const char *preset,
    struct provider **provider_out)
{
	const struct preset *row = NULL;
	struct provider *provider;

	if (preset != NULL) {
		row = preset_find(preset);
		if (row == NULL)
			return FAULT_NOT_FOUND;
	}
	provider = calloc(1, sizeof(*provider));
	if (provider == NULL)
		return FAULT_NOMEM;
	provider->users = 1;
	provider->row = row;
	provider->preset = row != NULL ? row->value : NULL;
	if (string_set(&provider->name, span_of(name))) {
		provider_release(provider);
		return FAULT_NOMEM;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

enum fault provider_set_secret(struct provider *provider,
    const struct secret *secret)
{
	struct secret *copy = NULL;
	enum fault fault;

	if (secret_bytes(secret) > 0) {
		fault = secret_copy(secret, &copy);
		if (fault)
			return fault;
	}
	secret_free(provider->client_secret);
	provider->client_secret = copy;
	return FAULT_NONE;
}

void provider_set_key(struct provider *provider, struct assertion_key *key)
{
	assertion_key_release(provider->key);
	provider->key = assertion_key_share(key);
}

struct provider *provider_share(struct provider *provider)
{
	provider->users++;
	return provider;
}

void provider_release(struct provider *provider)
{
	char **slot;
	size_t i;

	if (provider == NULL || --provider->users > 0)
		return;
	for (i = 0; (slot = provider_slot(provider, i)) != NULL; i++)
		free(*slot);
	secret_free(provider->client_secret);
	assertion_key_release(provider->key);
	free(provider);
}

static enum fault copy_of(const struct provider *from,
    struct provider **copy_out)
{
	struct provider *copy = malloc(sizeof(*copy));
	enum fault fault;
	char **slot;
	size_t i;

	if (copy == NULL)
		return FAULT_NOMEM;
	*copy = *from;
	copy->users = 1;
	copy->key = assertion_key_share(from->key);
	copy->client_secret = NULL;
	fault = provider_set_secret(copy, from->client_secret);
	for (i = 0; (slot = provider_slot(copy, i)) != NULL; i++) {
		const char *text = *slot;

		*slot = NULL;
		if (string_set(slot, span_of(text)))
			fault = FAULT_NOMEM;
	}
	*copy_out = copy;
	return fault;
}

/* A profile that is defined by its endpoints, in words of OpenID Connect. */
#define STANDARD_SCOPE "openid email offline_access"

static void add_words(struct buf *list, const char *words)
{
	if (words == NULL || span_listed(span_of(words), list->p))
		return;
	if (list->n > 0)
		buf_add_lit(list, " ");
	buf_add_str(list, words);
}

/* A protocol and the key of its scope. */
static const char *const scopes[][2] = { { "smtp", "scope_smtp" },
	{ "imap", "scope_imap" }, { "pop", "scope_pop" } };

#define N_SCOPES (sizeof(scopes) / sizeof(scopes[0]))

static void add_scope(struct buf *scope, const struct provider *provider)
{
	/* The shared scope of mail, where a server that lists its scopes names
	 * it; of the usual ones those that it does not leave out. */
	static const char *const words[] = { "urn:ietf:params:oauth:scope:mail",
		"openid", "email", "offline_access" };
	const struct preset *row = provider->row;
	const char *supported = provider->scopes_supported;
	size_t i;

	if (provider_is_app_only(provider)) {
		add_words(scope, preset_value(row, "scope_app"));
	} else if (row != NULL) {
		for (i = 0; i < N_SCOPES; i++)
			if (span_listed(span_of(scopes[i][0]),
				provider->protocols))
				add_words(scope,
				    preset_value(row, scopes[i][1]));
		add_words(scope, preset_value(row, "scope_more"));
	} else if (supported == NULL) {
		add_words(scope, STANDARD_SCOPE);
	} else {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (span_listed(span_of(words[i]), supported))
				add_words(scope, words[i]);
	}
}

/* The scope unless one was set, and what it covers, as far as it tells. */
static enum fault settle_scope(struct provider *provider)
{
	struct buf scope = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	struct buf covers = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	enum fault fault = FAULT_NONE;
	const char *needed;
	size_t i;

	if (provider->scope == NULL) {
		provider->scope_derived = true;
		add_scope(&scope, provider);
		fault = buf_fault(&scope);
		if (!fault)
			fault = string_set(&provider->scope,
			    span_of(scope.p != NULL ? scope.p : ""));
	}
	for (i = 0; !fault && i < N_SCOPES; i++) {
		needed = preset_value(provider->row, scopes[i][1]);
		if (needed != NULL &&
		    span_listed(span_of(needed), provider->scope))
			add_words(&covers, scopes[i][0]);
	}
	if (!fault)
		fault = buf_fault(&covers);
	if (!fault)
		fault = string_set(&provider->covers,
		    span_of(provider_is_app_only(provider) ? NULL : covers.p));
	buf_drop(&covers);
	buf_drop(&scope);
	return fault;
}

/*
 * What a person's sign-in lacks may be at the issuer; what an application that
 * signs in for itself lacks is no issuer's to say.
 */
static enum fault settle(struct provider *provider, struct why *why)
{
	const char *word = preset_value(provider->row, "flow");
	const struct preset *row = provider->row;
	enum fault fault;

	if (provider->incomplete && !provider_is_app_only(provider))
		return FAULT_NONE;
	/* Who a server is, its host says, whatever its block is called. */
	if (row == NULL && provider->token_host != NULL)
		row = preset_find(preset_of_host(provider->token_host));
	if (preset_is(row, "family", "microsoft"))
		provider->family = PROVIDER_MICROSOFT;
	else if (preset_is(row, "family", "google"))
		provider->family = PROVIDER_GOOGLE;
	/* The preset's, or what can be. */
	if (provider->flow == FLOW_NONE && word != NULL)
		(void)!flow_kind_from_word(span_of(word), &provider->flow);
	else if (provider->flow == FLOW_NONE && provider->row == NULL &&
	    provider->device_authorization_endpoint != NULL)
		provider->flow = FLOW_DEVICE;
	else if (provider->flow == FLOW_NONE && provider->row == NULL &&
	    provider->authorization_endpoint != NULL)
		provider->flow = FLOW_BROWSER;
	provider->registers = provider->client_id == NULL &&
	    provider->registration_endpoint != NULL &&
	    !provider_is_app_only(provider);
	fault = provider_check(provider, why);
	return fault ? fault : settle_scope(provider);
}

/* The preset in the cloud, and its manners. */
static enum fault settle_row(struct provider *provider, struct why *why)
{
	const struct preset *row = provider->row;
	const char *margin, *cloud = provider->cloud;
	char name[64];

	if (cloud != NULL) {
		if (row != NULL && strcmp(cloud, "public") != 0) {
			(void)snprintf(name, sizeof(name), "%s-%s", row->value,
			    cloud);
			row = preset_find(name);
			if (preset_value(row, "cloud_of") == NULL)
				row = NULL;
		} else if (preset_value(row, "cloud_of") != NULL) {
			row = NULL;
		}
		if (row == NULL) {
			why_set(why, 0,
			    "provider '%s': cloud must be 'public', "
			    "'gcc-high', 'dod' or 'china', with preset "
			    "microsoft",
			    provider->name);
			return FAULT_CONFIG_ERROR;
		}
	}
	provider->row = row;
	provider->returns_iss = preset_is(row, "returns_iss", "yes");
	provider->untried = row != NULL && preset_value(row, "flow") == NULL;
	margin = preset_value(row, "min_validity");
	return margin != NULL && provider->min_validity_s == 0 ?
	    provider_set(provider, "min_validity", margin, why) :
	    FAULT_NONE;
}

enum fault provider_finish(struct provider *provider,
    const char *default_protocols, struct why *why)
{
	enum fault fault;

	fault = settle_row(provider, why);
	if (!fault)
		fault = provider_fill(provider, NULL, why);
	if (!fault && provider->protocols == NULL)
		fault = string_set(&provider->protocols,
		    span_of(default_protocols != NULL ? default_protocols :
							"smtp imap pop"));
	if (fault)
		return fault;
	/* The one that the credentials leave no choice of. */
	if (provider->flow == FLOW_NONE && provider->key != NULL &&
	    assertion_key_issuer(provider->key) != NULL)
		provider->flow = FLOW_SERVICE_ACCOUNT;
	else if (provider->flow == FLOW_NONE &&
	    (provider->key != NULL || provider->assertion_file != NULL))
		provider->flow = FLOW_CLIENT_CREDENTIALS;
	/* Nothing but its issuer says where to sign in. */
	provider->incomplete = provider->row == NULL &&
	    provider->issuer != NULL &&
	    (provider->token_endpoint == NULL ||
		(!provider_is_app_only(provider) &&
		    provider->authorization_endpoint == NULL &&
		    provider->device_authorization_endpoint == NULL));
	return settle(provider, why);
}

static enum fault apply(struct provider *provider,
    const struct provider_change *change, struct why *why)
{
	enum fault fault = FAULT_NONE;

	if (change->found != NULL) {
		provider->incomplete = false;
		provider->returns_iss = provider->returns_iss ||
		    change->found->returns_iss;
		if (change->found->secret_way != SECRET_WAY_UNKNOWN)
			provider->secret_way = change->found->secret_way;
		fault = provider_fill(provider, change->found, why);
	}
	if (change->client_id != NULL) {
		provider->registered = true;
		if (!fault)
			fault = string_set(&provider->client_id,
			    span_of(change->client_id));
	}
	if (!fault && change->client_secret != NULL)
		fault = provider_set_secret(provider, change->client_secret);
	if (change->secret_way != SECRET_WAY_UNKNOWN)
		provider->secret_way = change->secret_way;
	if (!fault && change->protocols != NULL) {
		fault = provider_set(provider, "protocols", change->protocols,
		    why);
		if (!fault && provider->scope_derived)
			fault = string_set(&provider->scope, span_of(NULL));
	}
	return fault ? fault : settle(provider, why);
}

enum fault provider_change(const struct provider *base,
    const struct provider_change *change, struct provider **provider_out,
    struct why *why)
{
	struct provider *copy = NULL;
	enum fault fault = copy_of(base, &copy);

	if (!fault)
		fault = apply(copy, change, why);
	if (fault)
		provider_release(copy);
	else
		*provider_out = copy;
	return fault;
}

bool provider_serves(const struct provider *provider, struct span account,
    const char *extra_servers, struct span server)
{
	const char *at = account.n > 0 ? memrchr(account.p, '@', account.n) :
					 NULL;

	if (!attr_is_host(server))
		return false;
	if (url_is_listed(server, provider->servers) ||
	    url_is_listed(server, extra_servers))
		return true;
	return provider->servers == NULL && at != NULL &&
	    url_is_in(server,
		(struct span){ at + 1,
		    account.n - (size_t)(at + 1 - account.p) });
}
