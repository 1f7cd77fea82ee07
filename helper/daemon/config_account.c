/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Account blocks: names folded and sorted for the lookups of config.c, what
 * they refer to checked.
 */
#include "daemon/config_read.h"

#include <stdlib.h>

#include "wire/attr.h"

/* For the checks between blocks, which need names and lines. */
struct named {
	const struct config_account *account;
	const struct config_block *block;
	cfg_t *values;
};

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
	const char *title = cfg_title(part->values);

	if (!is_pattern(title))
		return config_bad(part, NULL,
		    "an account block needs a name of 1 to %d bytes of UTF-8, "
		    "'*@domain' or '*'; write account 'me@example.com' { ... }",
		    ACCOUNT_MAX_BYTES);
	if (config_put(&account->name, title))
		return FAULT_NOMEM;
	fold(account->name);
	return FAULT_NONE;
}

static enum fault set_login(const struct config_part *part,
    struct config_account *account)
{
	const char *login = cfg_getstr(part->values, "login");
	size_t i;

	if (login == NULL)
		return FAULT_NONE;
	for (i = 0; (unsigned char)login[i] >= 0x20 && login[i] != 0x7f; i++)
		continue;
	if (i == 0 || login[i] != '\0' || i > LOGIN_MAX_BYTES)
		return config_bad(part, "login",
		    "account '%s': login has 1 to %d bytes without control "
		    "characters; write 'user@example.com'",
		    account->name, LOGIN_MAX_BYTES);
	return config_put(&account->login, login);
}

static enum fault set_token_of(const struct config_part *part,
    struct config_account *account)
{
	const char *token_of = cfg_getstr(part->values, "token_of");

	if (token_of == NULL)
		return FAULT_NONE;
	if (!is_pattern(token_of) || token_of[0] == '*')
		return config_bad(part, "token_of",
		    "account '%s': token_of must name one account; write "
		    "'alice@example.com'",
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
	const char *provider = cfg_getstr(part->values, "provider");
	char shown[80];

	if (provider == NULL)
		return FAULT_NONE;
	attr_plain(span_of(provider), shown, sizeof(shown));
	if (config_provider(part->reading->config, provider) == NULL)
		return config_bad(part, "provider",
		    "account '%s': there is no provider '%s'; add provider "
		    "'%s' { client_id = '...' }",
		    account->name, shown, shown);
	return config_put(&account->provider, provider);
}

static enum fault set_servers(const struct config_part *part,
    struct config_account *account)
{
	unsigned i, n = cfg_size(part->values, "servers");

	for (i = 0; i < n; i++) {
		const char *server = cfg_getnstr(part->values, "servers", i);

		if (strncmp(server, "*.", 2) == 0)
			server += 2;
		if (!attr_is_host(span_of(server)) || server[0] == '.')
			return config_bad(part, "servers",
			    "account '%s': servers has a name that is no host "
			    "name; write 'smtp.example.com' or '*.example.com'",
			    account->name);
	}
	if (n > PROVIDER_SERVERS_MAX)
		return config_bad(part, "servers",
		    "account '%s': more than %d servers; write '*.example.com'",
		    account->name, PROVIDER_SERVERS_MAX);
	return n > 0 ? config_join(part, "servers", &account->servers) :
		       FAULT_NONE;
}

static enum fault build(const struct config_part *part,
    struct config_account *account)
{
	enum fault fault;

	fault = set_name(part, account);
	if (fault == FAULT_NONE)
		fault = set_provider(part, account);
	if (fault == FAULT_NONE)
		fault = set_token_of(part, account);
	if (fault == FAULT_NONE)
		fault = set_login(part, account);
	if (fault == FAULT_NONE)
		fault = set_servers(part, account);
	account->has_allow = config_scan_key(part->block, "allow") != NULL;
	if (fault == FAULT_NONE)
		fault = config_names(part, "allow", &account->allow);
	return fault;
}

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->account->name, y->account->name);

	if (order != 0)
		return order;
	return x->block < y->block ? -1 : x->block > y->block;
}

static int account_by_name(const void *a, const void *b)
{
	const struct config_account *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct config_account *find(const struct named *named, size_t n,
    const char *name)
{
	size_t low = 0, high = n, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(name, named[middle].account->name);
		if (order == 0)
			return named[middle].account;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* An account without a block may hold a grant, unless a wildcard block sends
 * it on to another one. */
static bool chains(const struct named *named, size_t n, const char *target)
{
	const struct config_account *account = find(named, n, target);
	const char *domain = strrchr(target, '@');
	char pattern[ACCOUNT_MAX_BYTES + 2];

	if (account == NULL && domain != NULL) {
		pattern[0] = '*';
		memcpy(pattern + 1, domain, strlen(domain) + 1);
		account = find(named, n, pattern);
	}
	if (account == NULL)
		account = find(named, n, "*");
	return account != NULL && account->token_of != NULL;
}

static enum fault check_named(struct config_reading *reading,
    const struct named *named, size_t n)
{
	struct config_part part = { .reading = reading };
	size_t i;

	for (i = 0; i < n; i++) {
		const struct config_account *account = named[i].account;

		part.block = named[i].block;
		part.values = named[i].values;
		if (i > 0 &&
		    strcmp(named[i - 1].account->name, account->name) == 0)
			return config_bad(&part, NULL,
			    "a second block for account '%s' (first: %s:%d; "
			    "letters' case does not matter); keep one of the "
			    "two",
			    account->name,
			    reading->scan.files[named[i - 1].block->file],
			    named[i - 1].block->line);
		if (account->token_of != NULL &&
		    chains(named, n, account->token_of))
			return config_bad(&part, "token_of",
			    "account '%s': token_of must name an account with "
			    "a grant of its own, and '%s' uses another one's; "
			    "name that one, or give '%s' a block without "
			    "token_of",
			    account->name, account->token_of,
			    account->token_of);
	}
	return FAULT_NONE;
}

static enum fault add_all(struct config_reading *reading, struct named *named)
{
	struct config_part part = { .reading = reading };
	struct config *config = reading->config;
	enum fault fault;
	size_t i;

	/* Blocks of a kind stand in the same order in both tables. */
	for (i = 1; i < reading->scan.n_blocks; i++) {
		size_t at = config->n_accounts;

		part.block = &reading->scan.blocks[i];
		if (strcmp(part.block->kind, "account") != 0)
			continue;
		part.values = cfg_getnsec(reading->cfg, "account",
		    (unsigned)at);
		config->n_accounts++;
		fault = build(&part, &config->accounts[at]);
		if (fault != FAULT_NONE)
			return fault;
		named[at].account = &config->accounts[at];
		named[at].block = part.block;
		named[at].values = part.values;
	}
	return FAULT_NONE;
}

enum fault config_accounts(struct config_reading *reading)
{
	struct config *config = reading->config;
	size_t n = cfg_size(reading->cfg, "account");
	struct named *named;
	enum fault fault;

	if (n == 0)
		return FAULT_NONE;
	named = calloc(n, sizeof(*named));
	config->accounts = calloc(n, sizeof(*config->accounts));
	if (named == NULL || config->accounts == NULL) {
		free(named);
		return FAULT_NOMEM;
	}
	fault = add_all(reading, named);
	if (fault == FAULT_NONE) {
		qsort(named, n, sizeof(*named), by_name);
		fault = check_named(reading, named, n);
	}
	free(named);
	if (fault == FAULT_NONE)
		qsort(config->accounts, n, sizeof(*config->accounts),
		    account_by_name);
	return fault;
}
