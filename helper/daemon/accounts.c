/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hash table for look-up and a list for walking.
 */
#include "daemon/accounts.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/outcome.h"

#define BUCKETS_MIN    64
#define APP_NAME_BYTES (ACCOUNT_MAX_BYTES + 128)

/* Never freed before the end: who has forgotten a grant may sign in again,
 * and the place of an application that is dropped becomes another's. */
struct accounts_place {
	struct account *account;
	struct accounts_place *next;
	struct accounts_place *chain;
};

struct accounts {
	struct engine *engine;
	struct accounts_place *first;
	struct accounts_place **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
	struct accounts_place *apps[ACCOUNTS_APPS_MAX];
	size_t n_apps;
};

/* Where the place of an account hangs, or would. */
static struct accounts_place **hook(const struct accounts *accounts,
    const char *name, bool app)
{
	uint32_t hash = 2166136261; /* FNV-1a */
	struct accounts_place **at;
	const char *p;

	for (p = name; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619;
	at = &accounts->buckets[hash & (accounts->n_buckets - 1)];
	while (*at != NULL &&
	    ((*at)->account->record.in_memory != app ||
		strcmp((*at)->account->name, name) != 0))
		at = &(*at)->chain;
	return at;
}

static void chain(struct accounts *accounts, struct accounts_place *place)
{
	place->chain = NULL;
	*hook(accounts, place->account->name,
	    place->account->record.in_memory) = place;
}

static enum fault grow(struct accounts *accounts)
{
	struct accounts_place **old = accounts->buckets, *place;
	size_t n = old == NULL ? BUCKETS_MIN : 2 * accounts->n_buckets;
	struct accounts_place **buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return FAULT_NOMEM;
	accounts->buckets = buckets;
	accounts->n_buckets = n;
	for (place = accounts->first; place != NULL; place = place->next)
		chain(accounts, place);
	free(old);
	return FAULT_NONE;
}

static struct account *look_up(const struct accounts *accounts,
    const char *name, bool app)
{
	const struct accounts_place *place = *hook(accounts, name, app);

	return place != NULL ? place->account : NULL;
}

/* account is taken, also when it fails. */
static enum fault add(struct accounts *accounts, struct account *account)
{
	struct accounts_place *place = calloc(1, sizeof(*place));

	if (place == NULL ||
	    (accounts->n >= accounts->n_buckets &&
		grow(accounts) != FAULT_NONE)) {
		free(place);
		account_free(account);
		return FAULT_NOMEM;
	}
	place->account = account;
	place->next = accounts->first;
	accounts->first = place;
	accounts->n++;
	chain(accounts, place);
	return FAULT_NONE;
}

static enum fault make(const struct accounts *accounts, const char *name,
    const struct provider *app, const char *subject,
    struct account **account_out)
{
	enum fault fault = account_new(accounts->engine, name, app, subject,
	    account_out);

	if (fault == FAULT_NONE)
		(*account_out)->refresh.event = outcome_happened;
	return fault;
}

enum fault accounts_fits(const char *name, struct why *why)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];

	if (keyring_leaf(span_of(name), leaf) == FAULT_NONE)
		return FAULT_NONE;
	why_set(why, 0,
	    "the account name is too long for a file of the keyring: at most "
	    "%d bytes, of which those that are no ASCII letter, digit or one "
	    "of @._+- count three",
	    KEYRING_LEAF_MAX_BYTES);
	return FAULT_BAD_REQUEST;
}

enum fault accounts_make(struct accounts *accounts, const char *name,
    struct account **account_out)
{
	struct account *account = look_up(accounts, name, false);
	enum fault fault = FAULT_NONE;

	if (account == NULL) {
		fault = make(accounts, name, NULL, NULL, &account);
		if (fault == FAULT_NONE)
			fault = add(accounts, account);
	}
	if (fault == FAULT_NONE)
		*account_out = account;
	return fault;
}

struct account *accounts_find(struct accounts *accounts, const char *name)
{
	struct account *known = look_up(accounts, name, false);
	struct account *account = known;
	struct why why;

	if (known != NULL && known->record.exists)
		return known;
	if (accounts_fits(name, &why) != FAULT_NONE ||
	    (known == NULL &&
		make(accounts, name, NULL, NULL, &account) != FAULT_NONE))
		return NULL;
	/* Only a name that has a file becomes an account: strangers may ask
	 * for any number of names. */
	if (account_load(account, false) == FAULT_NOT_FOUND) {
		if (known == NULL)
			account_free(account);
		return NULL;
	}
	if (known == NULL && add(accounts, account) != FAULT_NONE)
		return NULL;
	return account;
}

bool accounts_knows(struct accounts *accounts, const char *name)
{
	const struct account *account = look_up(accounts, name, false);

	return account != NULL && account->record.exists;
}

static void found(void *ctx, const char *name, const struct why *why)
{
	struct accounts *accounts = ctx;
	struct account *account;

	if (name == NULL)
		log_event(LOG_LEVEL_WARNING, "keyring", "%s", why->text);
	else if (accounts_make(accounts, name, &account) != FAULT_NONE ||
	    account_load(account, true) != FAULT_NONE)
		log_event(LOG_LEVEL_ERROR, "keyring", "%s: not loaded", name);
}

enum fault accounts_new(struct engine *engine, struct accounts **accounts_out,
    struct why *why)
{
	struct accounts *accounts = calloc(1, sizeof(*accounts));
	enum fault fault = FAULT_NOMEM;

	if (accounts == NULL)
		return FAULT_NOMEM;
	accounts->engine = engine;
	fault = grow(accounts);
	if (fault == FAULT_NONE)
		fault = keyring_list(engine->keyring, found, accounts, why);
	if (fault != FAULT_NONE) {
		accounts_free(accounts);
		return fault;
	}
	*accounts_out = accounts;
	return FAULT_NONE;
}

void accounts_free(struct accounts *accounts)
{
	struct accounts_place *place, *next;

	if (accounts == NULL)
		return;
	for (place = accounts->first; place != NULL; place = next) {
		next = place->next;
		account_free(place->account);
		free(place);
	}
	free(accounts->buckets);
	free(accounts);
}

struct accounts_place *accounts_first(const struct accounts *accounts)
{
	return accounts->first;
}

struct account *accounts_next(struct accounts_place **place)
{
	struct accounts_place *here = *place;

	if (here == NULL)
		return NULL;
	*place = here->next;
	return here->account;
}

struct provider *accounts_app(const struct config *config, const char *mailbox)
{
	const struct config_account *block = config_account(config, mailbox);

	return block != NULL ? block->app : NULL;
}

/* Of the account of an application; a provider's name has no slash. */
static void name_app(const struct provider *provider, const char *mailbox,
    char out[APP_NAME_BYTES])
{
	bool own = provider->flow == FLOW_SERVICE_ACCOUNT;

	(void)snprintf(out, APP_NAME_BYTES, "provider:%s%s%s", provider->name,
	    own ? "/" : "", own ? mailbox : "");
}

struct account *accounts_app_of(struct accounts *accounts, const char *mailbox)
{
	struct provider *provider = accounts_app(accounts->engine->config,
	    mailbox);
	char name[APP_NAME_BYTES];

	if (provider == NULL)
		return NULL;
	name_app(provider, mailbox, name);
	return look_up(accounts, name, true);
}

/* Whom nobody has asked for longest; with one that backs off goes what keeps
 * it from its provider: these last.  NULL when all are at work. */
static struct accounts_place *oldest_app(struct accounts *accounts)
{
	struct accounts_place *oldest = NULL;
	int64_t rank, lowest = INT64_MAX, now_ms = clock_boot_ms();
	size_t i;

	for (i = 0; i < accounts->n_apps; i++) {
		const struct account *account = accounts->apps[i]->account;

		if (account->waiters != NULL ||
		    account->refresh.place != REFRESH_IDLE)
			continue;
		rank = account->record.asked_s;
		if (account->standing.gate_ms > now_ms)
			rank += INT64_MAX / 2;
		if (rank < lowest) {
			lowest = rank;
			oldest = accounts->apps[i];
		}
	}
	return oldest;
}

static enum fault add_app(struct accounts *accounts, struct account *account)
{
	struct accounts_place *place, **at;

	if (accounts->n_apps < ACCOUNTS_APPS_MAX) {
		if (add(accounts, account) != FAULT_NONE)
			return FAULT_NOMEM;
		accounts->apps[accounts->n_apps++] = accounts->first;
		return FAULT_NONE;
	}
	place = oldest_app(accounts);
	if (place == NULL) {
		account_free(account);
		return FAULT_BUSY;
	}
	at = hook(accounts, place->account->name, true);
	*at = place->chain;
	account_free(place->account);
	place->account = account;
	chain(accounts, place);
	return FAULT_NONE;
}

enum fault accounts_for(struct accounts *accounts, const char *mailbox,
    struct account **account_out)
{
	const struct config_account *block;
	struct accounts_place *place;
	struct provider *app = NULL;
	char name[APP_NAME_BYTES];
	enum fault fault;

	block = config_account(accounts->engine->config, mailbox);
	if (block != NULL)
		app = block->app;
	if (app == NULL) {
		place = *hook(accounts, mailbox, false);
		*account_out = place != NULL && place->account->record.exists ?
		    place->account :
		    accounts_find(accounts, mailbox);
		return *account_out != NULL ? FAULT_NONE : FAULT_NOT_FOUND;
	}
	name_app(app, mailbox, name);
	*account_out = look_up(accounts, name, true);
	if (*account_out != NULL)
		return FAULT_NONE;
	fault = make(accounts, name, app,
	    app->flow == FLOW_SERVICE_ACCOUNT ? mailbox : NULL, account_out);
	return fault == FAULT_NONE ? add_app(accounts, *account_out) : fault;
}
