/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One function a way to choose; each leaves choice->provider alone when it
 * has nothing to say.
 */
#include "daemon/choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "oauth/url.h"
#include "wire/attr.h"

static const char *default_protocols(const struct config *config)
{
	return config->user_helper ? NULL : "smtp";
}

static struct span domain_of(const char *account)
{
	const char *at = strrchr(account, '@');

	return span_of(at != NULL ? at + 1 : "");
}

static const char *title_of(const char *preset)
{
	return preset_value(preset_find(preset), "title");
}

static bool registers_itself(const char *preset)
{
	return preset_value(preset_find(preset), "registration_endpoint") !=
	    NULL;
}

static void take(struct choice *choice, struct provider *provider,
    const char *reason)
{
	choice->provider = provider_share(provider);
	(void)snprintf(choice->reason, sizeof(choice->reason), "%s", reason);
}

/* A preset that registers by itself, or an issuer: no block is needed. */
static enum fault make(const struct config *config, const char *preset,
    const char *issuer, struct provider **provider_out, struct why *why)
{
	struct provider *provider = NULL;
	enum fault fault;

	fault = provider_new(preset != NULL ? preset : issuer, preset,
	    &provider);
	if (fault == FAULT_NONE && issuer != NULL)
		fault = provider_set(provider, "issuer", issuer, why);
	if (fault == FAULT_NONE)
		fault = provider_finish(provider, default_protocols(config),
		    why);
	if (fault != FAULT_NONE) {
		provider_release(provider);
		return fault;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

static enum fault by_name(const struct choose_from *from, struct choice *choice,
    struct why *why)
{
	struct provider *provider;
	char name[SERVER_MAX_BYTES + 1];
	enum fault fault;

	if (from->provider.n == 0)
		return FAULT_NONE;
	attr_plain(from->provider, name, sizeof(name));
	provider = config_provider(from->config, name);
	if (provider != NULL) {
		take(choice, provider, "named for this sign-in");
		return FAULT_NONE;
	}
	if (registers_itself(name)) {
		fault = make(from->config, name, NULL, &choice->provider, why);
		(void)snprintf(choice->reason, sizeof(choice->reason),
		    "named for this sign-in; it needs no client id");
		return fault;
	}
	if (config_bad_provider(from->config, name) != NULL) {
		why_set(why, 0, "%s", config_bad_provider(from->config, name));
		return FAULT_CONFIG_ERROR;
	}
	why_set(why, 0,
	    preset_find(name) != NULL ?
		"%s has no provider '%s': write a provider block with its "
		"client_id" :
		"%s has no provider '%s', and no preset has that name: write a "
		"provider block with its endpoints and client_id",
	    from->config->path, name);
	return FAULT_CONFIG_ERROR;
}

static enum fault by_issuer(const struct choose_from *from,
    struct choice *choice, struct why *why)
{
	const struct config *config = from->config;
	enum fault fault;
	char *issuer;
	size_t i;

	if (from->issuer.n == 0 || choice->provider != NULL)
		return FAULT_NONE;
	for (i = 0; i < config->n_providers; i++) {
		const char *known = config->providers[i]->issuer;

		if (known == NULL || !span_is(from->issuer, known))
			continue;
		take(choice, config->providers[i],
		    "the one configured for that issuer");
		return FAULT_NONE;
	}
	issuer = strndup(from->issuer.p, from->issuer.n);
	if (issuer == NULL)
		return FAULT_NOMEM;
	fault = make(config, NULL, issuer, &choice->provider, why);
	free(issuer);
	(void)snprintf(choice->reason, sizeof(choice->reason),
	    "the issuer that was named");
	return fault == FAULT_GRAMMAR ? FAULT_BAD_REQUEST : fault;
}

static void by_block(const struct choose_from *from, struct choice *choice)
{
	const struct config_account *block;
	struct provider *provider;

	block = config_account(from->config, from->account);
	if (choice->provider != NULL || block == NULL ||
	    block->provider == NULL)
		return;
	provider = config_provider(from->config, block->provider);
	if (provider != NULL)
		take(choice, provider, "the one of the account's block");
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcasecmp(a, b) == 0);
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
	const char *preset;
	char *host = NULL;
	bool same;

	if (entry->token_host == NULL)
		return false;
	if (provider_token_host(provider, &host) != FAULT_NONE)
		return is_issuer_of(provider, entry);
	preset = preset_of_host(entry->token_host);
	same = is_same(host, entry->token_host) ||
	    (preset != NULL && is_same(preset, provider->preset) &&
		preset_of_host(host) == preset);
	free(host);
	return same;
}

struct provider *choose_same_client(const struct config *config,
    const struct entry *entry)
{
	struct provider *provider;
	size_t i;

	for (i = 0; i < config->n_providers; i++) {
		provider = config->providers[i];
		if (provider->client_id != NULL && entry->client_id != NULL &&
		    !provider_is_app_only(provider) &&
		    strcmp(provider->client_id, entry->client_id) == 0 &&
		    is_same(provider->tenant, entry->tenant) &&
		    is_host_of(provider, entry))
			return provider;
	}
	return NULL;
}

static enum fault by_record(const struct choose_from *from,
    struct choice *choice, struct why *why)
{
	struct provider *provider;
	enum fault fault;

	if (choice->provider != NULL || from->entry == NULL)
		return FAULT_NONE;
	provider = config_provider(from->config, from->entry->provider);
	if (provider == NULL)
		provider = choose_same_client(from->config, from->entry);
	if (provider != NULL) {
		take(choice, provider, "the one of the earlier sign-in");
		return FAULT_NONE;
	}
	fault = choose_rebuild(from->config, from->entry, &choice->provider,
	    why);
	if (fault == FAULT_NOMEM)
		return fault;
	(void)snprintf(choice->reason, sizeof(choice->reason),
	    "the one of the earlier sign-in");
	return FAULT_NONE;
}

/* The one block of that preset; with several, the one of its name. */
static struct provider *of_preset(const struct config *config,
    const char *preset)
{
	struct provider *found = config_provider(config, preset);
	size_t i, n = 0;

	if (found != NULL && found->preset != NULL &&
	    strcmp(found->preset, preset) == 0)
		return found;
	found = NULL;
	for (i = 0; i < config->n_providers; i++) {
		if (config->providers[i]->preset == NULL ||
		    strcmp(config->providers[i]->preset, preset) != 0)
			continue;
		found = config->providers[i];
		n++;
	}
	return n == 1 ? found : NULL;
}

static enum fault by_preset(const struct choose_from *from, const char *preset,
    struct choice *choice, struct why *why)
{
	struct provider *provider = of_preset(from->config, preset);

	/* Personal mailboxes sign in with either block of Microsoft. */
	if (provider == NULL && strcmp(preset, "microsoft-consumer") == 0)
		provider = of_preset(from->config, "microsoft");
	if (provider != NULL)
		choice->provider = provider_share(provider);
	else if (registers_itself(preset))
		return make(from->config, preset, NULL, &choice->provider, why);
	return FAULT_NONE;
}

static enum fault by_domain(const struct choose_from *from, const char *preset,
    struct choice *choice, struct why *why)
{
	char shown[100];

	if (choice->provider != NULL || preset == NULL)
		return FAULT_NONE;
	attr_plain(domain_of(from->account), shown, sizeof(shown));
	(void)snprintf(choice->reason, sizeof(choice->reason),
	    "%s is a domain of %s", shown, title_of(preset));
	return by_preset(from, preset, choice, why);
}

/* Names that a stranger wrote; the first that is known counts. */
static const char *preset_of_mx(struct span mx)
{
	const struct span none = { NULL, 0 };
	const char *preset = NULL;

	while (mx.n > 0 && preset == NULL) {
		const char *blank = memchr(mx.p, ' ', mx.n);
		struct span name = { mx.p,
			blank != NULL ? (size_t)(blank - mx.p) : mx.n };

		preset = preset_known_by(none, name);
		if (blank == NULL)
			break;
		mx.n -= name.n + 1;
		mx.p += name.n + 1;
	}
	return preset;
}

static enum fault by_mx(const struct choose_from *from, const char *preset,
    struct choice *choice, struct why *why)
{
	const struct config *config = from->config;
	enum fault fault;

	if (choice->provider != NULL || preset == NULL)
		return FAULT_NONE;
	fault = by_preset(from, preset, choice, why);
	/* What would be taken anyhow needs no question. */
	choice->must_ask = choice->provider != NULL &&
	    (config->n_providers != 1 ||
		choice->provider != config->providers[0]);
	(void)snprintf(choice->reason, sizeof(choice->reason),
	    "the mail exchangers of its domain are those of %s",
	    title_of(preset));
	return fault;
}

/* Not for an address that belongs elsewhere, unless it may be anybody's. */
static void by_being_alone(const struct choose_from *from, const char *known,
    struct choice *choice)
{
	struct provider *only;

	if (choice->provider != NULL || from->config->n_providers != 1 ||
	    from->config->n_bad > 0)
		return;
	only = from->config->providers[0];
	if (known == NULL || only->preset == NULL)
		take(choice, only, "the only one configured");
}

static enum fault none_found(const struct choose_from *from, const char *known,
    struct why *why)
{
	const char *path = from->config->path;

	if (known != NULL)
		why_set(why, 0,
		    "%s looks like an address of %s, and %s has no provider "
		    "for that: write provider '%s' with its client_id, or name "
		    "one with --provider",
		    from->account, title_of(known), path, known);
	else if (from->config->n_providers == 0 && from->config->n_bad > 0)
		why_set(why, 0, "%s", from->config->bad[0].text);
	else if (from->config->n_providers == 0)
		why_set(why, 0,
		    "%s has no provider: write a provider block with its "
		    "client_id",
		    path);
	else
		why_set(why, 0,
		    "%s has several providers: name one with --provider", path);
	return FAULT_CONFIG_ERROR;
}

enum fault choose_provider(const struct choose_from *from,
    struct choice *choice_out, struct why *why)
{
	const struct span none = { NULL, 0 };
	const char *of_domain, *of_mx;
	struct choice choice = { .provider = NULL };
	enum fault fault;

	of_domain = preset_known_by(domain_of(from->account), none);
	of_mx = preset_of_mx(from->mx);
	fault = by_name(from, &choice, why);
	if (fault == FAULT_NONE)
		fault = by_issuer(from, &choice, why);
	if (fault == FAULT_NONE) {
		by_block(from, &choice);
		fault = by_record(from, &choice, why);
	}
	if (fault == FAULT_NONE)
		fault = by_domain(from, of_domain, &choice, why);
	if (fault == FAULT_NONE && of_domain == NULL)
		fault = by_mx(from, of_mx, &choice, why);
	if (fault != FAULT_NONE)
		return fault;
	by_being_alone(from, of_domain, &choice);
	if (choice.provider == NULL)
		return none_found(from, of_domain != NULL ? of_domain : of_mx,
		    why);
	*choice_out = choice;
	return FAULT_NONE;
}

static enum fault set_from(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	return value == NULL ? FAULT_NONE :
			       provider_set(provider, key, value, why);
}

/* Endpoints as the issuer last told them; a preset knows its own. */
static enum fault set_issued(struct provider *provider,
    const struct entry *entry, struct why *why)
{
	enum fault fault = FAULT_NONE;

	if (provider->preset == NULL) {
		fault = set_from(provider, "issuer", entry->issuer, why);
		if (fault == FAULT_NONE)
			fault = set_from(provider, "ca_file", entry->ca_file,
			    why);
		if (fault == FAULT_NONE)
			fault = set_from(provider, "proxy", entry->proxy, why);
	} else {
		fault = set_from(provider, "tenant", entry->tenant, why);
	}
	if (fault == FAULT_NONE)
		fault = set_from(provider, "client_id", entry->client_id, why);
	if (fault == FAULT_NONE && entry->client_secret != NULL)
		fault = provider_set_secret(provider, entry->client_secret);
	provider->registered = true;
	return fault;
}

enum fault choose_rebuild(const struct config *config,
    const struct entry *entry, struct provider **provider_out, struct why *why)
{
	bool is_issuer = strncmp(entry->provider, "https://", 8) == 0;
	struct provider *provider = NULL;
	enum fault fault;

	if (entry->registered_s == 0 ||
	    (!is_issuer && preset_find(entry->provider) == NULL))
		return FAULT_NOT_FOUND;
	fault = provider_new(entry->provider,
	    is_issuer ? NULL : entry->provider, &provider);
	if (fault != FAULT_NONE)
		return fault;
	fault = set_issued(provider, entry, why);
	if (fault == FAULT_NONE)
		fault = provider_finish(provider, default_protocols(config),
		    why);
	if (fault != FAULT_NONE) {
		provider_release(provider);
		return fault == FAULT_NOMEM ? fault : FAULT_CONFIG_ERROR;
	}
	*provider_out = provider;
	return FAULT_NONE;
}
