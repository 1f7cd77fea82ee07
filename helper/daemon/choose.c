/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One function a way to choose; each leaves choice.provider alone when it has
 * nothing to say.
 */
#include "daemon/choose.h"

#include <stdio.h>

#include "daemon/grant.h"
#include "oauth/url.h"
#include "wire/attr.h"

struct choosing {
	const struct choose_from *from;
	const struct config *config;
	const char *of_domain; /* presets, or NULL */
	const char *of_mx;
	struct choice choice;
	struct why *why;
};

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

/* provider may be NULL, and then was not chosen. */
static enum fault take(struct choosing *c, struct provider *provider,
    const char *reason)
{
	if (provider == NULL)
		return FAULT_NONE;
	c->choice.provider = provider_share(provider);
	(void)snprintf(c->choice.reason, sizeof(c->choice.reason), "%s",
	    reason);
	return FAULT_NONE;
}

static enum fault by_name(struct choosing *c)
{
	struct provider *provider;
	char name[SERVER_MAX_BYTES + 1];
	const char *bad;

	if (c->from->provider.n == 0)
		return FAULT_NONE;
	attr_plain(c->from->provider, name, sizeof(name));
	provider = config_provider(c->config, name);
	if (provider != NULL)
		return take(c, provider, "named for this sign-in");
	if (registers_itself(name)) {
		const struct grant_profile preset = { .name = name,
			.preset = name };

		(void)snprintf(c->choice.reason, sizeof(c->choice.reason),
		    "named for this sign-in; it needs no client id");
		return grant_make(c->config, &preset, &c->choice.provider,
		    c->why);
	}
	bad = config_bad_provider(c->config, name);
	if (bad != NULL)
		why_set(c->why, 0, "%s", bad);
	else
		why_set(c->why, 0,
		    preset_find(name) != NULL ?
			"%s has no provider '%s': write a provider block with "
			"its client_id" :
			"%s has no provider '%s', and no preset has that name: "
			"write a provider block with its endpoints and "
			"client_id",
		    c->config->path, name);
	return FAULT_CONFIG_ERROR;
}

static enum fault by_issuer(struct choosing *c)
{
	char text[URL_MAX_BYTES + 2]; /* one too long stays that */
	const struct grant_profile issuer = { .name = text, .issuer = text };
	enum fault fault;
	size_t i;

	if (c->from->issuer.n == 0)
		return FAULT_NONE;
	for (i = 0; i < c->config->n_providers; i++) {
		const char *known = c->config->providers[i]->issuer;

		if (known != NULL && span_is(c->from->issuer, known))
			return take(c, c->config->providers[i],
			    "the one configured for that issuer");
	}
	(void)snprintf(c->choice.reason, sizeof(c->choice.reason),
	    "the issuer that was named");
	(void)snprintf(text, sizeof(text), "%.*s", (int)c->from->issuer.n,
	    c->from->issuer.p);
	fault = grant_make(c->config, &issuer, &c->choice.provider, c->why);
	return fault == FAULT_GRAMMAR ? FAULT_BAD_REQUEST : fault;
}

static enum fault by_block(struct choosing *c)
{
	const struct config_account *block = config_account(c->config,
	    c->from->account);

	if (block == NULL || block->provider == NULL)
		return FAULT_NONE;
	return take(c, config_provider(c->config, block->provider),
	    "the one of the account's block");
}

static enum fault by_record(struct choosing *c)
{
	enum fault fault;

	if (c->from->entry == NULL)
		return FAULT_NONE;
	fault = grant_earlier(c->config, c->from->entry, &c->choice.provider,
	    c->why);
	if (!fault)
		(void)snprintf(c->choice.reason, sizeof(c->choice.reason),
		    "the one of the earlier sign-in");
	return fault == FAULT_NOMEM ? fault : FAULT_NONE;
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

static enum fault by_preset(struct choosing *c, const char *preset)
{
	const struct grant_profile known = { .name = preset, .preset = preset };
	struct provider *provider = of_preset(c->config, preset);

	/* Personal mailboxes sign in with either block of Microsoft. */
	if (provider == NULL && strcmp(preset, "microsoft-consumer") == 0)
		provider = of_preset(c->config, "microsoft");
	if (provider != NULL)
		c->choice.provider = provider_share(provider);
	else if (registers_itself(preset))
		return grant_make(c->config, &known, &c->choice.provider,
		    c->why);
	return FAULT_NONE;
}

static enum fault by_domain(struct choosing *c)
{
	char shown[100];

	if (c->of_domain == NULL)
		return FAULT_NONE;
	attr_plain(domain_of(c->from->account), shown, sizeof(shown));
	(void)snprintf(c->choice.reason, sizeof(c->choice.reason),
	    "%s is a domain of %s", shown, title_of(c->of_domain));
	return by_preset(c, c->of_domain);
}

static enum fault by_mx(struct choosing *c)
{
	enum fault fault;

	if (c->of_domain != NULL || c->of_mx == NULL)
		return FAULT_NONE;
	(void)snprintf(c->choice.reason, sizeof(c->choice.reason),
	    "the mail exchangers of its domain are those of %s",
	    title_of(c->of_mx));
	fault = by_preset(c, c->of_mx);
	/* What would be taken anyhow needs no question. */
	c->choice.must_ask = c->choice.provider != NULL &&
	    (c->config->n_providers != 1 ||
		c->choice.provider != c->config->providers[0]);
	return fault;
}

/* Not for an address that belongs elsewhere, unless it may be anybody's. */
static enum fault by_being_alone(struct choosing *c)
{
	struct provider *only;

	if (c->config->n_providers != 1 || c->config->n_bad > 0)
		return FAULT_NONE;
	only = c->config->providers[0];
	return c->of_domain == NULL || only->preset == NULL ?
	    take(c, only, "the only one configured") :
	    FAULT_NONE;
}

static enum fault none_found(struct choosing *c)
{
	const char *known = c->of_domain != NULL ? c->of_domain : c->of_mx;
	const char *path = c->config->path;

	if (known != NULL)
		why_set(c->why, 0,
		    "%s looks like an address of %s, and %s has no provider "
		    "for that: write provider '%s' with its client_id, or name "
		    "one with --provider",
		    c->from->account, title_of(known), path, known);
	else if (c->config->n_providers == 0 && c->config->n_bad > 0)
		why_set(c->why, 0, "%s", c->config->bad[0].text);
	else
		why_set(c->why, 0,
		    c->config->n_providers == 0 ?
			"%s has no provider: write a provider block with its "
			"client_id" :
			"%s has several providers: name one with --provider",
		    path);
	return FAULT_CONFIG_ERROR;
}

/* Names that a stranger wrote; the first that is known counts. */
static const char *preset_of_mx(struct span mx)
{
	const struct span none = { NULL, 0 };
	const char *preset = NULL, *blank;
	struct span name;

	while (mx.n > 0 && preset == NULL) {
		blank = memchr(mx.p, ' ', mx.n);
		name = (struct span){ mx.p,
			blank != NULL ? (size_t)(blank - mx.p) : mx.n };
		preset = preset_known_by(none, name);
		mx.n -= name.n + (blank != NULL ? 1 : 0);
		mx.p += name.n + (blank != NULL ? 1 : 0);
	}
	return preset;
}

enum fault choose_provider(const struct choose_from *from,
    struct choice *choice_out, struct why *why)
{
	static enum fault (*const ways[])(struct choosing * c) = { by_name,
		by_issuer, by_block, by_record, by_domain, by_mx,
		by_being_alone, none_found };
	const struct span none = { NULL, 0 };
	struct choosing c = {
		.from = from,
		.config = from->config,
		.of_domain = preset_known_by(domain_of(from->account), none),
		.of_mx = preset_of_mx(from->mx),
		.why = why,
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; fault == FAULT_NONE && c.choice.provider == NULL; i++)
		fault = ways[i](&c);
	if (fault == FAULT_NONE)
		*choice_out = c.choice;
	return fault;
}
