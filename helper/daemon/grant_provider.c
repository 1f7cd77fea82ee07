/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which profile may renew a record: the configuration's, if it still is the
 * one that issued the grant, or one that the record brings.
 */
#include "daemon/grant.h"

#include <stdlib.h>
#include <strings.h>

#include "oauth/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Both unset, or the same but for the case of letters. */
static bool is_same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcasecmp(a, b) == 0;
}

static enum fault refuse(const struct entry *entry, const char *what,
    const char *then, const char *now, struct why *why)
{
	char before[128], after[128], account[256];

	attr_plain(span_of(then != NULL ? then : "none"), before,
	    sizeof(before));
	attr_plain(span_of(now != NULL ? now : "none"), after, sizeof(after));
	attr_plain(span_of(entry->account), account, sizeof(account));
	why_set(why, 0,
	    "the grant was issued for %s %s, the configuration now says %s: "
	    "change it back, or run: mailtoken login %s",
	    what, before, after, account);
	return FAULT_CONFIG_ERROR;
}

static enum fault check_issuer(const struct entry *entry,
    const struct provider *provider, struct why *why)
{
	bool registered = provider->client_id == NULL &&
	    entry->registered_s > 0 && entry->client_id != NULL;
	const struct {
		const char *what;
		const char *then;
		const char *now;
	} rows[] = {
		/* Of an issuer that was not asked yet it is not known. */
		{ "token host", entry->token_host,
		    provider->token_host != NULL ? provider->token_host :
						   entry->token_host },
		{ "tenant", entry->tenant, provider->tenant },
		{ "client_id", entry->client_id,
		    registered ? entry->client_id : provider->client_id },
		{ "issuer", entry->issuer, provider->issuer },
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		if (!is_same(rows[i].then, rows[i].now))
			return refuse(entry, rows[i].what, rows[i].then,
			    rows[i].now, why);
	return FAULT_NONE;
}

bool grant_is_brought(const struct entry *entry)
{
	return entry->flow != NULL && strcmp(entry->flow, IMPORT_FLOW) == 0 &&
	    strncmp(entry->provider, IMPORT_PREFIX, strlen(IMPORT_PREFIX)) == 0;
}

static bool is_client_of(const struct entry *entry,
    const struct provider *block)
{
	return block->client_id != NULL && !provider_is_app_only(block) &&
	    entry->client_id != NULL &&
	    strcmp(block->client_id, entry->client_id) == 0;
}

/* The client that a block describes?  The block's secret counts. */
static bool is_of(const struct entry *entry, const struct provider *block)
{
	return is_client_of(entry, block) &&
	    (entry->client_secret == NULL || block->client_secret != NULL) &&
	    block->token_host != NULL &&
	    is_same(block->token_host, entry->token_host);
}

static enum fault give_to(const struct provider *block, struct entry *entry)
{
	const struct {
		char **slot;
		const char *value;
	} rows[] = {
		{ &entry->provider, block->name },
		{ &entry->issuer, block->issuer },
		{ &entry->tenant, block->tenant },
		{ &entry->token_endpoint, block->token_endpoint },
		{ &entry->proxy, NULL },
		{ &entry->ca_file, NULL },
		{ &entry->ca_path, NULL },
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; fault == FAULT_NONE && i < COUNT(rows); i++)
		fault = string_set(rows[i].slot, span_of(rows[i].value));
	secret_free(entry->client_secret);
	entry->client_secret = NULL;
	entry->margin_s = 0;
	return fault;
}

enum fault grant_settle(const struct config *config, struct entry *entry)
{
	size_t i;

	for (i = 0; grant_is_brought(entry) && i < config->n_providers; i++)
		if (is_of(entry, config->providers[i]))
			return give_to(config->providers[i], entry);
	return FAULT_NONE;
}

enum fault grant_make(const struct config *config,
    const struct grant_profile *profile, struct provider **provider_out,
    struct why *why)
{
	const struct {
		const char *key;
		const char *value;
	} rows[] = {
		{ "issuer", profile->issuer },
		{ "token_endpoint", profile->token_endpoint },
		{ "authorization_endpoint", profile->authorization_endpoint },
		{ "device_authorization_endpoint",
		    profile->device_authorization_endpoint },
		{ "client_id", profile->client_id },
		{ "tenant", profile->tenant },
		{ "cloud", profile->cloud },
		{ "scope", profile->scope },
		{ "flow", profile->flow },
		{ "proxy", profile->proxy },
		{ "ca_file", profile->ca_file },
		{ "ca_path", profile->ca_path },
	};
	struct provider *provider = NULL;
	enum fault fault;
	size_t i;

	fault = provider_new(profile->name, profile->preset, &provider);
	for (i = 0; !fault && i < COUNT(rows); i++)
		if (rows[i].value != NULL)
			fault = provider_set(provider, rows[i].key,
			    rows[i].value, why);
	if (!fault)
		fault = provider_set_secret(provider, profile->client_secret);
	if (!fault) {
		provider->registered = profile->registered;
		provider->min_validity_s = profile->min_validity_s;
		/* Without a preset nothing completes an endpoint. */
		if (profile->preset != NULL || profile->token_endpoint == NULL)
			fault = provider_finish(provider,
			    config == NULL || config->user_helper ? NULL :
								    "smtp",
			    why);
	}
	if (fault)
		provider_release(provider);
	else
		*provider_out = provider;
	return fault;
}

/*
 * The profile that an imported record brings: the client and the endpoint of
 * the program that made the grant, and of the preset on that host the mail
 * servers and the manners.
 */
static enum fault make_brought(const struct entry *entry,
    struct provider **provider_out, struct why *why)
{
	struct grant_profile brought = {
		.name = entry->provider,
		.token_endpoint = entry->token_endpoint,
		.client_id = entry->client_id,
		.client_secret = entry->client_secret,
		.tenant = entry->tenant,
		.proxy = entry->proxy,
		.ca_file = entry->ca_file,
		.ca_path = entry->ca_path,
		.min_validity_s = entry->margin_s,
	};
	enum fault fault;

	if (entry->token_host != NULL)
		brought.preset = preset_of_host(entry->token_host);
	/* As the program before sent none, except where one must be. */
	if (entry->tenant == NULL || strcmp(entry->tenant, "consumers") != 0)
		brought.scope = "";
	fault = grant_make(NULL, &brought, provider_out, why);
	if (fault == FAULT_GRAMMAR)
		fault = FAULT_CONFIG_ERROR;
	if (fault ||
	    ((*provider_out)->client_id != NULL &&
		(*provider_out)->token_host != NULL &&
		is_same((*provider_out)->token_host, entry->token_host)))
		return fault;
	provider_release(*provider_out);
	*provider_out = NULL;
	why_set(why, 0,
	    "the imported record of %s is not whole: import it again, or run: "
	    "mailtoken login %s",
	    entry->account, entry->account);
	return FAULT_CONFIG_ERROR;
}

/* The profile of a record whose client the helper registered; FAULT_NOT_FOUND
 * when it is none such.  Endpoints the issuer tells; a preset knows its own. */
static enum fault make_registered(const struct config *config,
    const struct entry *entry, struct provider **provider_out, struct why *why)
{
	struct grant_profile profile = {
		.name = entry->provider,
		.client_id = entry->client_id,
		.client_secret = entry->client_secret,
		.registered = entry->client_id != NULL,
	};
	enum fault fault;

	if (entry->registered_s == 0)
		return FAULT_NOT_FOUND;
	if (strncmp(entry->provider, "https://", 8) == 0) {
		profile.issuer = entry->issuer;
		profile.ca_file = entry->ca_file;
		profile.proxy = entry->proxy;
	} else {
		profile.preset = entry->provider;
		profile.tenant = entry->tenant;
	}
	fault = grant_make(config, &profile, provider_out, why);
	return fault == FAULT_GRAMMAR ? FAULT_CONFIG_ERROR : fault;
}

/* An imported record has no issuer: it is of one at the same host. */
static bool is_issuer_of(const struct provider *provider,
    const struct entry *entry)
{
	char *host = NULL;
	bool same;

	if (provider->issuer == NULL)
		return false;
	if (entry->issuer != NULL)
		return is_same(provider->issuer, entry->issuer);
	same = url_host(provider->issuer, &host) == FAULT_NONE &&
	    is_same(host, entry->token_host);
	free(host);
	return same;
}

/* The provider may have moved its endpoint since. */
static bool is_host_of(const struct provider *provider,
    const struct entry *entry)
{
	const char *host = provider->token_host, *preset;

	if (entry->token_host == NULL)
		return false;
	if (host == NULL)
		return is_issuer_of(provider, entry);
	preset = preset_of_host(entry->token_host);
	return is_same(host, entry->token_host) ||
	    (preset != NULL && is_same(preset, provider->preset) &&
		preset_of_host(host) == preset);
}

/*
 * The first block that describes the client of a record that brings its own:
 * the same id and tenant, and a token host of the same provider; or NULL.
 */
static struct provider *same_client(const struct config *config,
    const struct entry *entry)
{
	struct provider *provider;
	size_t i;

	for (i = 0; i < config->n_providers; i++) {
		provider = config->providers[i];
		if (is_client_of(entry, provider) &&
		    is_same(provider->tenant, entry->tenant) &&
		    is_host_of(provider, entry))
			return provider;
	}
	return NULL;
}

enum fault grant_earlier(const struct config *config, const struct entry *entry,
    struct provider **provider_out, struct why *why)
{
	struct provider *provider = config_provider(config, entry->provider);

	if (provider == NULL)
		provider = same_client(config, entry);
	if (provider == NULL)
		return make_registered(config, entry, provider_out, why);
	*provider_out = provider_share(provider);
	return FAULT_NONE;
}

/* What the block says counts; what it does not say, the record still does. */
static enum fault take_over(struct provider *block, const struct entry *entry,
    struct provider **provider_out, struct why *why)
{
	struct provider_change change = { .client_secret = NULL };
	enum fault fault;

	/* Its grant stays with the host that issued it. */
	if (block->token_host != NULL &&
	    !is_same(entry->token_host, block->token_host)) {
		fault = make_brought(entry, provider_out, why);
		if (fault == FAULT_NONE && block->client_secret != NULL)
			fault = provider_set_secret(*provider_out,
			    block->client_secret);
		return fault;
	}
	if (block->client_secret != NULL || entry->client_secret == NULL) {
		*provider_out = provider_share(block);
		return FAULT_NONE;
	}
	change.client_secret = entry->client_secret;
	return provider_change(block, &change, provider_out, why);
}

/* What there was is not there, or bad; cure may be empty. */
static enum fault refuse_gone(const struct config *config,
    const struct entry *entry, const char *kind, const char *cure,
    struct why *why)
{
	const char *bad = config_bad_provider(config, entry->provider);

	if (bad != NULL)
		why_set(why, 0, "%s", bad);
	else
		why_set(why, 0, "%s has no %sprovider '%s' any more%s%s",
		    config->path, kind, entry->provider, cure,
		    cure[0] != '\0' ? entry->account : "");
	return FAULT_CONFIG_ERROR;
}

static bool is_of_app(const struct entry *entry)
{
	return is_same(entry->flow, flow_kind_word(FLOW_CLIENT_CREDENTIALS)) ||
	    is_same(entry->flow, flow_kind_word(FLOW_SERVICE_ACCOUNT));
}

enum fault grant_provider(const struct config *config,
    const struct entry *entry, struct provider **provider_out, struct why *why)
{
	const struct config_account *block;
	struct provider *provider, *taker = NULL;
	enum fault fault;

	provider = config_provider(config, entry->provider);
	/* The configuration alone says what an application's token is for. */
	if (is_of_app(entry)) {
		if (provider == NULL || !provider_is_app_only(provider))
			return refuse_gone(config, entry, "app-only ", "", why);
		*provider_out = provider_share(provider);
		return FAULT_NONE;
	}
	/* Its client no block had when it was made. */
	if (provider == NULL &&
	    (grant_is_brought(entry) || entry->registered_s > 0))
		taker = same_client(config, entry);
	block = config_account(config, entry->account);
	if (block != NULL && block->provider != NULL &&
	    strcmp(block->provider, entry->provider) != 0 &&
	    (taker == NULL || strcmp(block->provider, taker->name) != 0)) {
		why_set(why, 0,
		    "the grant is of provider '%s', the configuration says "
		    "'%s': change it back, or run: mailtoken login %s",
		    entry->provider, block->provider, entry->account);
		return FAULT_CONFIG_ERROR;
	}
	if (taker != NULL)
		return take_over(taker, entry, provider_out, why);
	if (provider == NULL && grant_is_brought(entry))
		return make_brought(entry, provider_out, why);
	if (provider == NULL) {
		fault = make_registered(config, entry, provider_out, why);
		return fault != FAULT_NOT_FOUND ?
		    fault :
		    refuse_gone(config, entry, "",
			": put it back, or run: mailtoken login ", why);
	}
	fault = check_issuer(entry, provider, why);
	if (fault == FAULT_NONE)
		*provider_out = provider_share(provider);
	return fault;
}

bool grant_is_of(const struct entry *entry, const struct provider *provider)
{
	return is_same(entry->flow, flow_kind_word(provider->flow)) &&
	    is_same(entry->issuer, provider->issuer) &&
	    (provider->incomplete ||
		is_same(entry->token_endpoint, provider->token_endpoint)) &&
	    is_same(entry->client_id, provider->client_id) &&
	    is_same(entry->tenant, provider->tenant) &&
	    is_same(entry->scope, provider->scope);
}

/* What a record remembers of its issuer's endpoints. */
static struct provider remembered(const struct entry *entry)
{
	return (struct provider){
		.token_endpoint = entry->token_endpoint,
		.authorization_endpoint = entry->authorization_endpoint,
		.device_authorization_endpoint =
		    entry->device_authorization_endpoint,
		.revocation_endpoint = entry->revocation_endpoint,
	};
}

enum fault grant_complete(const struct entry *entry,
    const struct provider *base, const struct provider *found,
    struct provider **provider_out, struct why *why)
{
	const struct provider old = remembered(entry);
	struct provider_change change = { .found = found };
	struct provider *whole = NULL;
	enum fault fault;

	if (base->incomplete && found == NULL) {
		if (entry->token_endpoint == NULL)
			return FAULT_NOT_FOUND;
		change.found = &old;
	}
	if (base->client_id == NULL) {
		change.client_id = entry->client_id;
		change.client_secret = entry->client_secret;
	}
	fault = provider_change(base, &change, &whole, why);
	/* That of an application is made before its issuer was asked. */
	if (fault == FAULT_NONE &&
	    (entry->token_host != NULL || !provider_is_app_only(base)) &&
	    !is_same(entry->token_host, whole->token_host))
		fault = refuse(entry, "token host", entry->token_host,
		    whole->token_host, why);
	if (fault != FAULT_NONE) {
		provider_release(whole);
		return fault;
	}
	*provider_out = whole;
	return FAULT_NONE;
}
