/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A configuration as a whole: read, shared, looked up in, compared.  Lookup
 * of an account: exact, then "*@domain", then "*".
 */
#include "daemon/config.h"

#include <stdlib.h>

#include "daemon/config_read.h"
#include "wire/words.h"

/* For a look that costs the same however many accounts have lists. */
static enum fault list_known(struct config *config)
{
	enum fault fault;
	size_t i;

	fault = access_list_join(&config->known, &config->admin);
	if (fault == FAULT_NONE)
		fault = access_list_join(&config->known, &config->allow);
	for (i = 0; i < config->n_accounts && fault == FAULT_NONE; i++)
		fault = access_list_join(&config->known,
		    &config->accounts[i].allow);
	access_list_sort(&config->known);
	return fault;
}

static enum fault build(struct config_reading *reading)
{
	struct config_part top = { reading, &reading->tree.blocks[0] };
	enum fault fault;

	fault = config_put(&reading->config->path, reading->source->path);
	if (fault == FAULT_NONE)
		fault = config_top(&top);
	if (fault == FAULT_NONE)
		fault = config_providers(reading);
	if (fault == FAULT_NONE)
		fault = config_accounts(reading);
	if (fault == FAULT_NONE)
		fault = list_known(reading->config);
	return fault;
}

/* One that cannot be is as none; the others count. */
static enum fault start(struct config_reading *reading)
{
	struct config_part top = { reading, &reading->tree.blocks[0] };
	enum fault fault = config_start(&top);

	if (fault == FAULT_CONFIG_ERROR && reading->config->n_listen > 0)
		return FAULT_NONE;
	return fault;
}

typedef enum fault understand_fn(struct config_reading *reading);

static enum fault read_with(struct config_reading *reading,
    understand_fn *understand, struct config **config_out)
{
	bool may_be_bad = understand == start;
	enum fault fault = FAULT_NOMEM;

	reading->config = calloc(1, sizeof(*reading->config));
	if (reading->config == NULL)
		goto out;
	reading->config->users = 1;
	config_files_drop(reading->source->files);
	fault = config_tree_read(reading->source, &reading->tree, reading->why);
	if (fault == FAULT_NOT_FOUND)
		fault = reading->source->may_be_missing ? FAULT_NONE :
							  FAULT_CONFIG_ERROR;
	if (fault == FAULT_NONE || (fault == FAULT_CONFIG_ERROR && may_be_bad))
		fault = understand(reading);
	if (fault != FAULT_NONE)
		goto out;

	*config_out = reading->config;
	reading->config = NULL;
out:
	config_tree_drop(&reading->tree);
	config_release(reading->config);
	return fault;
}

enum fault config_read(const struct config_source *source,
    struct config **config_out, struct why *why)
{
	struct config_reading reading = { .source = source, .why = why };

	return read_with(&reading, build, config_out);
}

enum fault config_read_start(const struct config_source *source,
    struct config **config_out, struct why *why)
{
	struct config_reading reading = { .source = source, .why = why };

	return read_with(&reading, start, config_out);
}

struct config *config_share(struct config *config)
{
	config->users++;
	return config;
}

static void free_all(char **strings, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(strings[i]);
}

static void drop_account(struct config_account *account)
{
	free(account->name);
	free(account->trouble);
	free(account->provider);
	free(account->login);
	free_all(account->logins, CONFIG_SERVICES);
	free(account->token_of);
	free(account->servers);
	access_list_drop(&account->allow);
}

void config_release(struct config *config)
{
	size_t i;

	if (config == NULL || --config->users > 0)
		return;
	for (i = 0; i < config->n_accounts; i++)
		drop_account(&config->accounts[i]);
	free(config->accounts);
	for (i = 0; i < config->n_providers; i++)
		provider_release(config->providers[i]);
	free(config->providers);
	for (i = 0; i < config->n_bad; i++) {
		free(config->bad[i].name);
		free(config->bad[i].text);
	}
	free(config->bad);
	free_all(config->listen, config->n_listen);
	free_all(config->notes, config->n_notes);
	free_all(config->folders, config->n_folders);
	access_list_drop(&config->allow);
	access_list_drop(&config->admin);
	access_list_drop(&config->known);
	free(config->path);
	free(config->keyring);
	free(config->keyring_key);
	free(config->user);
	free(config);
}

struct provider *config_provider(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_providers; i++)
		if (strcmp(config->providers[i]->name, name) == 0)
			return config->providers[i];
	return NULL;
}

const char *config_bad_provider(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_bad; i++)
		if (strcmp(config->bad[i].name, name) == 0)
			return config->bad[i].text;
	return NULL;
}

const char *config_bad_account(const struct config *config, const char *account)
{
	const struct config_account *block = config_account(config, account);

	if (block == NULL)
		return NULL;
	if (block->trouble != NULL || block->provider == NULL)
		return block->trouble;
	return config_provider(config, block->provider) != NULL ?
	    NULL :
	    config_bad_provider(config, block->provider);
}

static int by_name(const void *key, const void *member)
{
	const struct config_account *account = member;

	return strcmp(key, account->name);
}

static const struct config_account *find(const struct config *config,
    const char *name)
{
	if (config->n_accounts == 0)
		return NULL;
	return bsearch(name, config->accounts, config->n_accounts,
	    sizeof(*config->accounts), by_name);
}

const struct config_account *config_account(const struct config *config,
    const char *account)
{
	const struct config_account *found = find(config, account);
	const char *domain = strrchr(account, '@');
	char pattern[ACCOUNT_MAX_BYTES + 2];

	if (found == NULL && domain != NULL &&
	    strlen(domain) < sizeof(pattern) - 1) {
		pattern[0] = '*';
		memcpy(pattern + 1, domain, strlen(domain) + 1);
		found = find(config, pattern);
	}
	return found != NULL ? found : find(config, "*");
}

bool config_allows(const struct config *config, const char *account,
    const struct peer *peer)
{
	const struct config_account *block = config_account(config, account);

	if (peer_is_root(peer))
		return true;
	return peer_in(peer,
	    block != NULL && block->has_allow ? &block->allow : &config->allow);
}

bool config_is_admin(const struct config *config, const struct peer *peer)
{
	return peer_is_root(peer) || peer_in(peer, &config->admin);
}

bool config_is_known(const struct config *config, const struct peer *peer)
{
	return peer_is_root(peer) || peer_in(peer, &config->known);
}
