/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Account blocks: names folded and sorted for the lookups of config.c, what
 * they refer to checked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config_read.h"
#include "wire/attr.h"

#define SERVERS_MAX 32

static void fold(char *name)
{
	for (; *name != '\0'; name++)
		if (*name >= 'A' && *name <= 'Z')
			*name = (char)(*name - 'A' + 'a');
}

/* An account, "*@domain", or "*". */
static bool is_pattern(const char *name)
{
	if (!attr_is_account(span_of(name)))
		return false;
	if (name[0] != '*')
		return strchr(name, '*') == NULL;
	return name[1] == '\0' ||
	    (name[1] == '@' && name[2] != '\0' &&
		strpbrk(name + 2, "*@") == NULL);
}

static enum fault set_name(const struct config_part *part,
    struct config_account *account)
{
	const char *title = part->block->title;

	if (!is_pattern(title))
		return config_bad(part, NULL,
		    "an account block needs a name of 1 to %d bytes of UTF-8, "
		    "*@domain or *; write account me@example.com",
		    ACCOUNT_MAX_BYTES);
	return config_put(&account->name, title);
}

static const char *const services[CONFIG_SERVICES] = { "smtp", "imap", "pop" };

const char *config_login(const struct config_account *block,
    struct span service)
{
	size_t i;

	for (i = 0; i < CONFIG_SERVICES; i++)
		if (span_is(service, services[i]) && block->logins[i] != NULL)
			return block->logins[i];
	return block->login;
}

static enum fault set_login(const struct config_part *part, const char *key,
    const struct config_account *account, char **slot)
{
	const char *login = config_text(part, key);

	if (login == NULL)
		return FAULT_NONE;
	if (!attr_is_login(span_of(login)))
		return config_bad(part, key,
		    "account '%s': %s has 1 to %d bytes of UTF-8 without "
		    "control characters; write login user@example.com",
		    account->name, key, LOGIN_MAX_BYTES);
	return config_put(slot, login);
}

static enum fault set_logins(const struct config_part *part,
    struct config_account *account)
{
	char key[16];
	enum fault fault;
	size_t i;

	fault = set_login(part, "login", account, &account->login);
	for (i = 0; fault == FAULT_NONE && i < CONFIG_SERVICES; i++) {
		(void)snprintf(key, sizeof(key), "login %s", services[i]);
		fault = set_login(part, key, account, &account->logins[i]);
	}
	return fault;
}

static enum fault set_token_of(const struct config_part *part,
    struct config_account *account)
{
	const char *token_of = config_text(part, "token_of");

	if (token_of == NULL)
		return FAULT_NONE;
	if (!is_pattern(token_of) || token_of[0] == '*')
		return config_bad(part, "token_of",
		    "account '%s': token_of must name one account; write "
		    "token_of alice@example.com",
		    account->name);
	if (account->provider != NULL)
		return config_bad(part, "token_of",
		    "account '%s': token_of and provider exclude each other; "
		    "the other account's provider counts, so take provider "
		    "away",
		    account->name);
	if (config_put(&account->token_of, token_of))
		return FAULT_NOMEM;
	fold(account->token_of);
	return FAULT_NONE;
}

static enum fault set_provider(const struct config_part *part,
    struct config_account *account)
{
	const char *provider = config_text(part, "provider");

	if (provider != NULL &&
	    config_provider(part->reading->config, provider) == NULL &&
	    config_bad_provider(part->reading->config, provider) == NULL)
		return config_bad(part, "provider",
		    "account '%s': there is no provider '%.60s'; add a block "
		    "provider %.60s, or name another",
		    account->name, provider, provider);
	return config_put(&account->provider, provider);
}

static enum fault set_servers(const struct config_part *part,
    struct config_account *account)
{
	const struct config_key *servers = config_list(part, "servers");
	size_t i;

	for (i = 0; i < servers->n; i++) {
		const char *server = servers->values[i];

		if (strncmp(server, "*.", 2) == 0)
			server += 2;
		if (!attr_is_host(span_of(server)) || server[0] == '.')
			return config_bad(part, "servers",
			    "account '%s': servers has a name that is no host "
			    "name; write smtp.example.com or *.example.com",
			    account->name);
	}
	if (servers->n > SERVERS_MAX)
		return config_bad(part, "servers",
		    "account '%s': more than %d servers; write *.example.com",
		    account->name, SERVERS_MAX);
	return servers->n > 0 ?
	    config_join(part, "servers", &account->servers) :
	    FAULT_NONE;
}

static enum fault build(const struct config_part *part,
    struct config_account *account)
{
	enum fault fault;

	/* Who may ask is told what is wrong with the rest. */
	account->has_allow = config_list(part, "allow")->line > 0;
	fault = config_names(part, "allow", &account->allow);
	if (fault == FAULT_NONE)
		fault = config_whole(part);
	if (fault == FAULT_NONE)
		fault = set_name(part, account);
	if (fault == FAULT_NONE)
		fault = set_provider(part, account);
	if (fault == FAULT_NONE)
		fault = set_token_of(part, account);
	if (fault == FAULT_NONE)
		fault = set_logins(part, account);
	if (fault == FAULT_NONE)
		fault = set_servers(part, account);
	return fault;
}

/* An account without a block may hold a grant, unless a wildcard block sends
 * it on to another one. */
static enum fault check_token_of(const struct config_part *part,
    const struct config_account *account)
{
	const struct config_account *target;

	if (account->token_of == NULL)
		return FAULT_NONE;
	target = config_account(part->reading->config, account->token_of);
	if (target == NULL || target->token_of == NULL)
		return FAULT_NONE;
	return config_bad(part, "token_of",
	    "account '%s': token_of must name an account with a grant of its "
	    "own, and '%s' uses another one's; name that one, or give '%s' a "
	    "block without token_of",
	    account->name, account->token_of, account->token_of);
}

/* The list is sorted by name, so a bad one has its place, too. */
static enum fault set_aside(const struct config_part *part, enum fault fault,
    struct config_account *account)
{
	if (account->name == NULL &&
	    config_put(&account->name, part->block->title))
		return FAULT_NOMEM;
	return config_set_aside(part, fault, &account->trouble);
}

static int by_title(const void *a, const void *b)
{
	const struct config_block *const *x = a, *const *y = b;
	int order = strcmp((*x)->title, (*y)->title);

	return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

/* Which of two counts nobody knows, so that the account is set aside. */
static enum fault join_doubles(struct config_part *part,
    struct config_block **blocks, size_t *n)
{
	size_t i, last = 0;

	for (i = 1; i < *n; i++) {
		if (strcmp(blocks[last]->title, blocks[i]->title) != 0) {
			blocks[++last] = blocks[i];
			continue;
		}
		part->block = blocks[i];
		(void)!config_bad(part, NULL,
		    "a second block for account '%s' (first: %s:%d; letters' "
		    "case does not matter); keep one of the two",
		    blocks[i]->title,
		    part->reading->tree.files[blocks[last]->file],
		    blocks[last]->line);
		if (config_put(&blocks[last]->trouble,
			part->reading->why->text))
			return FAULT_NOMEM;
	}
	*n = *n > 0 ? last + 1 : 0;
	return FAULT_NONE;
}

/* In the order of their names, which config_account() relies on. */
static enum fault add_all(struct config_part *part,
    struct config_block *const *blocks, size_t n)
{
	struct config *config = part->reading->config;
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < n && fault == FAULT_NONE; i++) {
		part->block = blocks[i];
		config->n_accounts++;
		fault = build(part, &config->accounts[i]);
		if (fault == FAULT_CONFIG_ERROR)
			fault = set_aside(part, fault, &config->accounts[i]);
	}
	for (i = 0; i < n && fault == FAULT_NONE; i++) {
		part->block = blocks[i];
		fault = check_token_of(part, &config->accounts[i]);
		if (fault == FAULT_CONFIG_ERROR)
			fault = set_aside(part, fault, &config->accounts[i]);
	}
	return fault;
}

enum fault config_accounts(struct config_reading *reading)
{
	struct config_part part = { .reading = reading };
	struct config_block **blocks;
	enum fault fault = FAULT_NOMEM;
	size_t i, n = 0;

	blocks = calloc(reading->tree.n_blocks, sizeof(struct config_block *));
	reading->config->accounts = calloc(reading->tree.n_blocks,
	    sizeof(*reading->config->accounts));
	if (blocks == NULL || reading->config->accounts == NULL)
		goto out;
	for (i = 1; i < reading->tree.n_blocks; i++) {
		if (reading->tree.blocks[i].kind != CONFIG_ACCOUNT)
			continue;
		blocks[n] = &reading->tree.blocks[i];
		fold(blocks[n++]->title);
	}
	qsort(blocks, n, sizeof(struct config_block *), by_title);
	fault = join_doubles(&part, blocks, &n);
	if (fault == FAULT_NONE)
		fault = add_all(&part, blocks, n);
out:
	free(blocks);
	return fault;
}
