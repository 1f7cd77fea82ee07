/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Account blocks: names folded and sorted for the lookups of config.c, what
 * they refer to checked.
 */
#include <stdlib.h>

#include "daemon/config_impl.h"
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
	/* Postfix writes a domain like that. */
	if (!attr_is_account(span_of(name)) || name[0] == '@')
		return false;
	if (name[0] != '*')
		return strchr(name, '*') == NULL;
	return name[1] == '\0' ||
	    (name[1] == '@' && name[2] != '\0' &&
		strpbrk(name + 2, "*@") == NULL);
}

static enum fault set_login(struct config_reading *reading,
    const struct config_line *line)
{
	struct config_account *account = reading->account;
	const char *login = line->values[line->n - 1];
	bool all = line->n == 1;

	if (!attr_is_login(span_of(login)))
		return config_bad(reading, line,
		    "account '%s': login%s%s has 1 to %d bytes of UTF-8 "
		    "without control characters; write login user@example.com",
		    account->name, all ? "" : " ", all ? "" : line->values[0],
		    LOGIN_MAX_BYTES);
	return string_set(all ?
		&account->login :
		&account->logins[config_service(span_of(line->values[0]))],
	    span_of(login));
}

static enum fault set_token_of(struct config_reading *reading,
    const struct config_line *line)
{
	const char *name = reading->account->name;

	if (!is_pattern(line->values[0]) || line->values[0][0] == '*')
		return config_bad(reading, line,
		    "account '%s': token_of must name one account; write "
		    "token_of alice@example.com",
		    name);
	if (config_find(reading, "provider") != NULL)
		return config_bad(reading, line,
		    "account '%s': token_of and provider exclude each other; "
		    "the other account's provider counts, so take provider "
		    "away",
		    name);
	fold(line->values[0]);
	return string_set(&reading->account->token_of,
	    span_of(line->values[0]));
}

static enum fault set_provider(struct config_reading *reading,
    const struct config_line *line)
{
	const struct config *config = reading->config;
	const char *provider = line->values[0];

	if (config_provider(config, provider) == NULL &&
	    config_bad_provider(config, provider) == NULL)
		return config_bad(reading, line,
		    "account '%s': there is no provider '%.60s'; add a block "
		    "provider %.60s, or name another",
		    reading->account->name, provider, provider);
	return string_set(&reading->account->provider, span_of(provider));
}

static enum fault set_servers(struct config_reading *reading,
    const struct config_line *line)
{
	size_t i;

	for (i = 0; i < line->n; i++)
		if (!attr_is_server(span_of(line->values[i])))
			return config_bad(reading, line,
			    "account '%s': servers has a name that is no host "
			    "name; write smtp.example.com or *.example.com",
			    reading->account->name);
	if (line->n > SERVERS_MAX)
		return config_bad(reading, line,
		    "account '%s': more than %d servers; write *.example.com",
		    reading->account->name, SERVERS_MAX);
	return config_join(line, &reading->account->servers);
}

const struct config_key config_account_keys[] = {
	{ "provider", CONFIG_ONE, set_provider },
	{ "token_of", CONFIG_ONE, set_token_of },
	{ "allow", CONFIG_ANY, NULL },
	{ "login", CONFIG_LOGIN, set_login },
	{ "servers", CONFIG_SOME, set_servers },
	{ NULL, CONFIG_ONE, NULL },
};

enum fault config_add_account(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct config_account *account = &config->accounts[config->n_accounts];
	const struct config_line *allow = config_find(reading, "allow");
	char *title = reading->head->values[0];
	bool is_name = is_pattern(title);
	enum fault fault = FAULT_NONE;

	reading->account = account;
	fold(title);
	/* Whom it was to shut out nobody knows: all that no other block names
	 * wait for its cure. */
	if (string_set(&account->name, span_of(is_name ? title : "*")))
		return FAULT_NOMEM;
	config->n_accounts++;
	account->head = (size_t)(reading->head - reading->lines);
	/* Who may ask is told what is wrong with the rest. */
	account->has_allow = allow != NULL;
	if (allow != NULL)
		fault = config_names(reading, allow, &account->allow);
	if (fault == FAULT_NONE && !is_name)
		fault = config_bad(reading, reading->head,
		    "an account block needs a name of 1 to %d bytes of UTF-8, "
		    "*@domain or *; write account me@example.com",
		    ACCOUNT_MAX_BYTES);
	if (fault == FAULT_NONE)
		fault = config_fill(reading);
	if (account->provider != NULL)
		account->app = config_provider(config, account->provider);
	if (account->app != NULL && !provider_is_app_only(account->app))
		account->app = NULL;
	return fault == FAULT_CONFIG_ERROR ?
	    config_set_aside(reading, fault, &account->trouble) :
	    fault;
}

/* An account without a block may hold a grant, unless a wildcard block sends
 * it on to another one. */
static enum fault check_token_of(const struct config_reading *reading)
{
	const struct config_account *account = reading->account, *target;

	if (account->token_of == NULL)
		return FAULT_NONE;
	target = config_account(reading->config, account->token_of);
	if (target == NULL || target->token_of == NULL)
		return FAULT_NONE;
	return config_bad(reading, config_find(reading, "token_of"),
	    "account '%s': token_of must name an account with a grant of its "
	    "own, and '%s' uses another one's; name that one, or give '%s' a "
	    "block without token_of",
	    account->name, account->token_of, account->token_of);
}

/* Which of two counts nobody knows, so that both are set aside. */
static enum fault check_double(const struct config_reading *reading,
    struct config_account *first)
{
	struct config_account *second = reading->account;
	const struct config_line *line = &reading->lines[first->head];
	enum fault fault = FAULT_NONE;

	if (first->trouble == NULL && second->trouble == NULL)
		fault = config_bad(reading, reading->head,
		    "a second block for account '%s' (first: %s:%d; letters' "
		    "case does not matter); keep one of the two",
		    first->name, reading->files[line->file].path, line->line);
	if ((first->trouble != NULL &&
		string_set(&second->trouble, span_of(first->trouble))) ||
	    string_set(&first->trouble,
		span_of(fault == FAULT_NONE ? second->trouble :
					      reading->why->text)))
		return FAULT_NOMEM;
	return fault;
}

static int by_name(const void *a, const void *b)
{
	const struct config_account *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : x->head < y->head ? -1 : 1;
}

enum fault config_check_accounts(struct config_reading *reading)
{
	struct config_account *all = reading->config->accounts;
	size_t i, n = reading->config->n_accounts;
	enum fault fault = FAULT_NONE;

	qsort(all, n, sizeof(*all), by_name);
	for (i = 0; i < n && fault == FAULT_NONE; i++) {
		reading->account = &all[i];
		reading->head = &reading->lines[all[i].head];
		fault = i > 0 && strcmp(all[i - 1].name, all[i].name) == 0 ?
		    check_double(reading, &all[i - 1]) :
		    check_token_of(reading);
		if (fault == FAULT_CONFIG_ERROR)
			fault = config_set_aside(reading, fault,
			    &all[i].trouble);
	}
	return fault;
}
