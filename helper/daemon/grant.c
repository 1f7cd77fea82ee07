/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Comparing and moving; no decision about time or state is made here.
 */
#include "daemon/grant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "daemon/choose.h"
#include "store/safefile.h"

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

/* Without one in the configuration it is the one that was registered. */
static bool is_client_of(const struct entry *entry,
    const struct provider *provider)
{
	if (provider->client_id == NULL && entry->registered_s > 0)
		return entry->client_id != NULL;
	return is_same(entry->client_id, provider->client_id);
}

/* A record whose client no block had when it was made. */
static bool brings_client(const struct config *config,
    const struct entry *entry)
{
	return config_provider(config, entry->provider) == NULL &&
	    (grant_is_imported(entry) || entry->registered_s > 0);
}

/* What the block says counts; what it does not say, the record still does. */
static enum fault take_over(struct provider *block, const struct entry *entry,
    struct provider **provider_out, struct why *why)
{
	struct provider_change change = { .client_secret = NULL };
	char *host = NULL;
	enum fault fault;
	bool same;

	fault = provider_token_host(block, &host);
	same = host == NULL || is_same(entry->token_host, host);
	free(host);
	if (fault != FAULT_NONE && fault != FAULT_NOT_FOUND)
		return fault;
	/* Its grant stays with the host that issued it. */
	if (!same) {
		fault = grant_provider_of_entry(entry, provider_out, why);
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

enum fault grant_provider(const struct config *config,
    const struct entry *entry, struct provider **provider_out, struct why *why)
{
	const struct config_account *block;
	struct provider *provider, *taker = NULL;
	char *host = NULL;
	enum fault fault;

	if (brings_client(config, entry))
		taker = choose_same_client(config, entry);
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
	provider = config_provider(config, entry->provider);
	if (provider == NULL && grant_is_imported(entry))
		return grant_provider_of_entry(entry, provider_out, why);
	if (provider == NULL && entry->registered_s > 0) {
		fault = choose_rebuild(config, entry, provider_out, why);
		if (fault != FAULT_NOT_FOUND)
			return fault;
	}
	if (provider == NULL &&
	    config_bad_provider(config, entry->provider) != NULL) {
		why_set(why, 0, "%s",
		    config_bad_provider(config, entry->provider));
		return FAULT_CONFIG_ERROR;
	}
	if (provider == NULL) {
		why_set(why, 0,
		    "%s has no provider '%s' any more: put it back, or run: "
		    "mailtoken login %s",
		    config->path, entry->provider, entry->account);
		return FAULT_CONFIG_ERROR;
	}
	fault = provider_token_host(provider, &host);
	if (fault != FAULT_NONE && fault != FAULT_NOT_FOUND)
		return fault;
	fault = FAULT_NONE;
	if (host != NULL && !is_same(entry->token_host, host))
		fault = refuse(entry, "token host", entry->token_host, host,
		    why);
	else if (!is_same(entry->tenant, provider->tenant))
		fault = refuse(entry, "tenant", entry->tenant, provider->tenant,
		    why);
	else if (!is_client_of(entry, provider))
		fault = refuse(entry, "client_id", entry->client_id,
		    provider->client_id, why);
	else if (!is_same(entry->issuer, provider->issuer))
		fault = refuse(entry, "issuer", entry->issuer, provider->issuer,
		    why);
	else
		*provider_out = provider_share(provider);
	free(host);
	return fault;
}

bool grant_serves(const struct config *config, const struct entry *entry,
    const struct provider *provider, const char *mailbox, struct span server)
{
	const struct config_account *block;
	struct span account = span_of(mailbox);

	if (provider_serves(provider, account, entry->servers, server))
		return true;
	block = config_account(config, mailbox);
	return block != NULL && block->servers != NULL &&
	    provider_serves(provider, account, block->servers, server);
}

enum fault grant_draw_serial(char serial[GRANT_SERIAL_BYTES + 1],
    struct why *why)
{
	uint64_t random;
	enum fault fault = safefile_random(&random, sizeof(random), why);

	if (fault == FAULT_NONE)
		(void)snprintf(serial, GRANT_SERIAL_BYTES + 1, "%016" PRIx64,
		    random);
	return fault;
}

struct setting {
	char **slot;
	struct span text;
};

static enum fault set_all(const struct setting *settings, size_t n)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < n && fault == FAULT_NONE; i++)
		fault = entry_set(settings[i].slot, settings[i].text);
	return fault;
}

static enum fault set_issuers(struct entry *entry,
    const struct provider *provider)
{
	char *host = NULL;
	enum fault fault = provider_token_host(provider, &host);
	const struct setting settings[] = {
		{ &entry->token_host, span_of(host) },
		{ &entry->issuer, span_of(provider->issuer) },
		{ &entry->tenant, span_of(provider->tenant) },
		{ &entry->client_id, span_of(provider->client_id) },
		{ &entry->token_endpoint, span_of(provider->token_endpoint) },
		{ &entry->device_authorization_endpoint,
		    span_of(provider->device_authorization_endpoint) },
		{ &entry->authorization_endpoint,
		    span_of(provider->authorization_endpoint) },
		{ &entry->revocation_endpoint,
		    span_of(provider->revocation_endpoint) },
	};

	/* An application whose issuer was not asked yet. */
	if (fault == FAULT_NONE || fault == FAULT_NOT_FOUND)
		fault = set_all(settings, COUNT(settings));
	free(host);
	return fault;
}

/* What every new record says of its provider. */
static enum fault new_entry(struct span account,
    const struct provider *provider, enum flow_kind flow,
    struct entry **entry_out)
{
	struct entry *entry = NULL;
	enum fault fault = entry_new(&entry);

	if (fault == FAULT_NONE) {
		const struct setting settings[] = {
			{ &entry->account, account },
			{ &entry->provider, span_of(provider->name) },
			{ &entry->flow, span_of(flow_kind_word(flow)) },
			{ &entry->scope, span_of(provider->scope) },
		};

		fault = set_all(settings, COUNT(settings));
	}
	if (fault == FAULT_NONE)
		fault = set_issuers(entry, provider);
	if (fault == FAULT_NONE)
		*entry_out = entry;
	else
		entry_free(entry);
	return fault;
}

/* Sixteen digits stand here, to be overwritten in place. */
static enum fault set_serial_room(struct entry *entry)
{
	return entry_set(&entry->serial, span_of("0000000000000000"));
}

void grant_keep(struct entry *entry, struct reply_token *token,
    const struct now *now)
{
	if (token->refresh_token == NULL)
		return;
	secret_free(entry->refresh_token);
	entry->refresh_token = token->refresh_token;
	token->refresh_token = NULL;
	entry->grant_expires_s = token->refresh_expires_in_s > 0 ?
	    now->wall_s + token->refresh_expires_in_s :
	    0;
}

/*
 * A provider may answer with the token it gave before: it keeps its serial
 * then, so that one that a mail server refused stays refused.
 */
void grant_renew(struct entry *entry, struct reply_token *token,
    const char *serial, const struct now *now)
{
	if (!secret_equal(entry->access_token, token->access_token))
		memcpy(entry->serial, serial, GRANT_SERIAL_BYTES + 1);
	secret_free(entry->access_token);
	entry->access_token = token->access_token;
	token->access_token = NULL;
	grant_keep(entry, token, now);
	if (token->scope != NULL) {
		free(entry->granted_scope);
		entry->granted_scope = token->scope;
		token->scope = NULL;
	}
	entry->secret_by_basic = token->by_basic ? 1 : 0;
	entry->refreshed_s = now->wall_s;
	entry->granted_s = token->expires_in_s;
	entry->refresh_in_s = token->refresh_in_s;
	entry->expires_s = now->wall_s + token->expires_in_s;
	entry->state = ENTRY_ACTIVE;
	free(entry->text);
	entry->text = NULL;
}

enum fault grant_new(const struct grant_signin *signin,
    struct reply_token *token, const struct now *now, struct entry **entry_out)
{
	const struct provider *provider = signin->provider;
	struct entry *entry = NULL;
	enum fault fault;

	fault = new_entry(signin->account, provider, signin->flow, &entry);
	if (fault != FAULT_NONE)
		return fault;
	fault = entry_set(&entry->protocols, span_of(provider->covers));
	if (fault == FAULT_NONE && signin->servers.n > 0)
		fault = entry_set(&entry->servers, signin->servers);
	if (fault == FAULT_NONE)
		fault = set_serial_room(entry);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	entry->identity = token->identity;
	token->identity = NULL;
	entry->signed_in_s = now->wall_s;
	grant_renew(entry, token, signin->serial, now);
	*entry_out = entry;
	return FAULT_NONE;
}

enum fault grant_app(const char *name, const struct provider *provider,
    struct entry **entry_out)
{
	return new_entry(span_of(name), provider, provider->flow, entry_out);
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

enum fault grant_prepare(const struct entry *entry,
    const struct provider *provider, struct entry **next_out)
{
	struct entry *next = NULL;
	enum fault fault;

	fault = entry_copy(entry, &next);
	if (fault != FAULT_NONE)
		return fault;
	if (next->serial == NULL || strlen(next->serial) != GRANT_SERIAL_BYTES)
		fault = set_serial_room(next);
	if (fault == FAULT_NONE)
		fault = entry_set(&next->token_endpoint,
		    span_of(provider->token_endpoint));
	if (fault == FAULT_NONE)
		fault = entry_set(&next->revocation_endpoint,
		    span_of(provider->revocation_endpoint));
	if (fault != FAULT_NONE) {
		entry_free(next);
		return fault;
	}
	*next_out = next;
	return FAULT_NONE;
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
	char *host = NULL;
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
	if (fault == FAULT_NONE)
		fault = provider_token_host(whole, &host);
	/* That of an application is made before its issuer was asked. */
	if (fault == FAULT_NONE &&
	    (entry->token_host != NULL || !provider_is_app_only(base)) &&
	    !is_same(entry->token_host, host))
		fault = refuse(entry, "token host", entry->token_host, host,
		    why);
	free(host);
	if (fault != FAULT_NONE) {
		provider_release(whole);
		return fault;
	}
	*provider_out = whole;
	return FAULT_NONE;
}
