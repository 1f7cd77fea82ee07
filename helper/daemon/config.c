/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A configuration as a whole: read, shared, looked up in, compared.  Lookup
 * of an account: exact, then "*@domain", then "*".
 */
#include "daemon/config.h"

#include <stdlib.h>

#include "wire/words.h"

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

static void drop_fleet(struct fleet_settings *fleet)
{
	free_all(fleet->urls, fleet->n_urls);
	free(fleet->prefix);
	free(fleet->user);
	free(fleet->password_file);
	free(fleet->ca_file);
	free(fleet->certificate);
	free(fleet->certificate_key);
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
	for (i = 0; i < config->n_marks; i++)
		free(config->marks[i].name);
	free(config->marks);
	free_all(config->listen, config->n_listen);
	free_all(config->notes, config->n_notes);
	access_list_drop(&config->allow);
	access_list_drop(&config->admin);
	access_list_drop(&config->known);
	drop_fleet(&config->fleet);
	free(config->path);
	free(config->keyring);
	free(config->keyring_key);
	free(config->keyring_old_key);
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

const struct config_account *config_account(const struct config *config,
    const char *account)
{
	const char *domain = strrchr(account, '@');
	char pattern[ACCOUNT_MAX_BYTES + 2] = "*";
	const char *const names[] = { account, pattern, "*" };
	size_t i, from, to, middle;
	int order;

	if (domain != NULL && strlen(domain) < sizeof(pattern) - 1)
		memcpy(pattern + 1, domain, strlen(domain) + 1);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (from = 0, to = config->n_accounts; from < to;) {
			middle = from + (to - from) / 2;
			order = strcmp(names[i], config->accounts[middle].name);
			if (order == 0)
				return &config->accounts[middle];
			from = order > 0 ? middle + 1 : from;
			to = order < 0 ? middle : to;
		}
	}
	return NULL;
}

size_t config_service(struct span service)
{
	static const char *const services[] = { "smtp", "imap", "pop" };
	size_t i = 0;

	while (i < CONFIG_SERVICES && !span_is(service, services[i]))
		i++;
	return i;
}

const char *config_login(const struct config_account *block,
    struct span service)
{
	size_t i = config_service(service);

	return i < CONFIG_SERVICES && block->logins[i] != NULL ?
	    block->logins[i] :
	    block->login;
}

bool config_allows(const struct config *config, enum right right,
    const char *account, struct peer *peer)
{
	const struct access_list *list = &config->admin;
	const struct config_account *block;

	if (right == RIGHT_ANYBODY || peer->root)
		return true;
	if (right == RIGHT_ROOT)
		return false;
	if (right == RIGHT_ACCOUNT) {
		block = config_account(config, account);
		list = block != NULL && block->has_allow ? &block->allow :
							   &config->allow;
	}
	return peer_in(peer, list);
}

bool config_is_known(const struct config *config, struct peer *peer)
{
	return peer->root || peer_in(peer, &config->known);
}

static void look(const char *path, struct stat *out)
{
	if (stat(path, out) != 0)
		memset(out, 0, sizeof(*out));
}

enum fault config_files_add(struct config_files *files, const char *path)
{
	size_t i, n = files->n;
	struct stat *seen;
	char **paths;

	for (i = 0; i < n; i++)
		if (strcmp(files->paths[i], path) == 0)
			return FAULT_NONE;
	paths = reallocarray(files->paths, n + 1, sizeof(*paths));
	if (paths == NULL)
		return FAULT_NOMEM;
	files->paths = paths;
	seen = reallocarray(files->seen, n + 1, sizeof(*seen));
	if (seen == NULL)
		return FAULT_NOMEM;
	files->seen = seen;
	paths[n] = strdup(path);
	if (paths[n] == NULL)
		return FAULT_NOMEM;
	look(path, &seen[n]);
	files->n++;
	return FAULT_NONE;
}

bool config_files_changed(const struct config_files *files)
{
	const struct stat *old;
	struct stat now;
	size_t i;

	for (i = 0; i < files->n; i++) {
		old = &files->seen[i];
		look(files->paths[i], &now);
		if (now.st_dev != old->st_dev || now.st_ino != old->st_ino ||
		    now.st_size != old->st_size ||
		    now.st_ctim.tv_sec != old->st_ctim.tv_sec ||
		    now.st_ctim.tv_nsec != old->st_ctim.tv_nsec)
			return true;
	}
	return false;
}

void config_files_drop(struct config_files *files)
{
	if (files == NULL)
		return;
	while (files->n > 0)
		free(files->paths[--files->n]);
	free(files->paths);
	free(files->seen);
	files->paths = NULL;
	files->seen = NULL;
}

/* Both lists are sorted by name. */
void config_compare(const struct config *old, const struct config *new,
    config_differs_fn *differs, void *ctx)
{
	static const char restarts[] =
	    "keyring keyring_key listen user fleet fleet_prefix fleet_user "
	    "fleet_password_file fleet_ca_file fleet_certificate "
	    "fleet_certificate_key fleet_alone";
	const struct config_mark *a = old->marks, *a_end = a + old->n_marks;
	const struct config_mark *b = new->marks, *b_end = b + new->n_marks;
	const char *name;
	int order;

	for (; a < a_end || b < b_end; a += order <= 0, b += order >= 0) {
		order = a == a_end ? 1 :
		    b == b_end	   ? -1 :
				     strcmp(a->name, b->name);
		name = order <= 0 ? a->name : b->name;
		if (order != 0 || a->hash != b->hash)
			differs(ctx, name,
			    span_listed(span_of(name), restarts));
	}
}
