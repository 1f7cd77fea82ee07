/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What follows from the values that were set, and the same again after some of
 * them were changed: the flow, whether it can work and what to write if it
 * cannot, the scope and which protocols that is good for.
 */
#include "oauth/assertion.h"
#include "oauth/provider_impl.h"
#include "wire/buf.h"

/* A profile that is defined by its endpoints, in words of OpenID Connect. */
#define STANDARD_SCOPE "openid email offline_access"

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

static void add_words(struct buf *list, const char *words)
{
	if (words == NULL || (list->n > 0 && has_word(list->p, words)))
		return;
	if (list->n > 0)
		buf_add_lit(list, " ");
	buf_add_str(list, words);
}

static const struct {
	const char *protocol;
	const char *key;
} scopes[] = {
	{ "smtp", "scope_smtp" },
	{ "imap", "scope_imap" },
	{ "pop", "scope_pop" },
};

#define N_SCOPES (sizeof(scopes) / sizeof(scopes[0]))

/* The shared scope of mail where the server names it; of the usual ones those
 * that it does not leave out of its list. */
static void add_supported(struct buf *scope, const char *supported)
{
	static const char *const words[] = { "urn:ietf:params:oauth:scope:mail",
		"openid", "email", "offline_access" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(supported, words[i]))
			add_words(scope, words[i]);
}

static void add_scope(struct buf *scope, const struct provider *provider)
{
	const struct preset *row = provider->row;
	size_t i;

	if (provider_is_app_only(provider)) {
		add_words(scope, preset_value(row, "scope_app"));
	} else if (row != NULL) {
		for (i = 0; i < N_SCOPES; i++)
			if (has_word(provider->protocols, scopes[i].protocol))
				add_words(scope,
				    preset_value(row, scopes[i].key));
		add_words(scope, preset_value(row, "scope_more"));
	} else if (provider->scopes_supported != NULL) {
		add_supported(scope, provider->scopes_supported);
	} else {
		add_words(scope, STANDARD_SCOPE);
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
		if (fault == FAULT_NONE)
			fault = provider_put(&provider->scope,
			    scope.p != NULL ? scope.p : "");
	}
	for (i = 0; fault == FAULT_NONE && i < N_SCOPES; i++) {
		needed = preset_value(provider->row, scopes[i].key);
		if (needed != NULL && has_word(provider->scope, needed))
			add_words(&covers, scopes[i].protocol);
	}
	if (fault == FAULT_NONE)
		fault = buf_fault(&covers);
	if (fault == FAULT_NONE)
		fault = provider_put(&provider->covers,
		    provider_is_app_only(provider) ? NULL : covers.p);
	buf_drop(&covers);
	buf_drop(&scope);
	return fault;
}

static bool is_value(const struct preset *row, const char *key,
    const char *value)
{
	const char *told = preset_value(row, key);

	return told != NULL && strcmp(told, value) == 0;
}

/* Who a server is, its host says, whatever its block is called. */
static void settle_family(struct provider *provider)
{
	const struct preset *row = provider->row;
	const char *preset;

	if (row == NULL && provider->token_host != NULL) {
		preset = preset_of_host(provider->token_host);
		row = preset != NULL ? preset_find(preset) : NULL;
	}
	if (is_value(row, "family", "microsoft"))
		provider->family = PROVIDER_MICROSOFT;
	else if (is_value(row, "family", "google"))
		provider->family = PROVIDER_GOOGLE;
}

/* The one that the credentials leave no choice of. */
static enum flow_kind app_flow(const struct provider *provider)
{
	if (provider->key != NULL &&
	    assertion_key_issuer(provider->key) != NULL)
		return FLOW_SERVICE_ACCOUNT;
	return provider->key != NULL || provider->assertion_file != NULL ?
	    FLOW_CLIENT_CREDENTIALS :
	    FLOW_NONE;
}

/* The preset's, or what can be. */
static enum flow_kind choose_flow(const struct provider *provider)
{
	const char *word = preset_value(provider->row, "flow");
	enum flow_kind kind = FLOW_NONE;

	if (word != NULL &&
	    flow_kind_from_word(span_of(word), &kind) == FAULT_NONE)
		return kind;
	if (provider->row != NULL)
		return FLOW_NONE;
	if (provider->device_authorization_endpoint != NULL)
		return FLOW_DEVICE;
	return provider->authorization_endpoint != NULL ? FLOW_BROWSER :
							  FLOW_NONE;
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

/*
 * What a person's sign-in lacks may be at the issuer; what an application that
 * signs in for itself lacks is no issuer's to say.
 */
static enum fault settle(struct provider *provider, struct why *why)
{
	enum fault fault;

	if (provider->incomplete && !provider_is_app_only(provider))
		return FAULT_NONE;
	settle_family(provider);
	if (provider->flow == FLOW_NONE)
		provider->flow = choose_flow(provider);
	provider->registers = provider->client_id == NULL &&
	    provider->registration_endpoint != NULL &&
	    !provider_is_app_only(provider);
	fault = provider_check(provider, why);
	return fault != FAULT_NONE ? fault : settle_scope(provider);
}

/* The preset in the cloud, and its manners. */
static enum fault settle_row(struct provider *provider, struct why *why)
{
	const struct preset *row = provider->row;
	const char *margin;

	if (provider->cloud != NULL) {
		row = row != NULL ? preset_in_cloud(row, provider->cloud) :
				    NULL;
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
	provider->authorize_extra = preset_value(row, "authorize_extra");
	provider->sign_out_page = preset_value(row, "sign_out_page");
	provider->short_device_grant = is_value(row, "device_grant", "short");
	provider->returns_iss = is_value(row, "returns_iss", "yes");
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
	if (fault == FAULT_NONE)
		fault = provider_fill(provider, NULL, why);
	if (fault == FAULT_NONE && provider->protocols == NULL)
		fault = provider_put(&provider->protocols,
		    default_protocols != NULL ? default_protocols :
						"smtp imap pop");
	if (fault != FAULT_NONE)
		return fault;
	if (provider->flow == FLOW_NONE)
		provider->flow = app_flow(provider);
	provider->incomplete = is_incomplete(provider);
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
		if (fault == FAULT_NONE)
			fault = provider_put(&provider->client_id,
			    change->client_id);
	}
	if (fault == FAULT_NONE && change->client_secret != NULL)
		fault = provider_set_secret(provider, change->client_secret);
	if (change->secret_way != SECRET_WAY_UNKNOWN)
		provider->secret_way = change->secret_way;
	if (fault == FAULT_NONE && change->protocols != NULL) {
		fault = provider_set(provider, "protocols", change->protocols,
		    why);
		if (fault == FAULT_NONE && provider->scope_derived)
			fault = provider_put(&provider->scope, NULL);
	}
	return fault != FAULT_NONE ? fault : settle(provider, why);
}

enum fault provider_change(const struct provider *base,
    const struct provider_change *change, struct provider **provider_out,
    struct why *why)
{
	struct provider *copy = NULL;
	enum fault fault;

	fault = provider_copy(base, &copy);
	if (fault == FAULT_NONE)
		fault = apply(copy, change, why);
	if (fault != FAULT_NONE) {
		provider_release(copy);
		return fault;
	}
	*provider_out = copy;
	return FAULT_NONE;
}
