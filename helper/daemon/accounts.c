/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An index of names for look-up and a list for walking.
 */
#include "daemon/accounts.h"

#include <stdlib.h>

#include "daemon/index.h"

/* Never freed before the end: who has forgotten a grant may sign in again. */
struct accounts_place {
	struct index_node index; /* the account and its name */
	struct accounts_place *next;
};

struct accounts {
	struct engine *engine;
	void *tree;
	struct accounts_place *first;
};

static struct account *look_up(struct accounts *accounts, const char *name)
{
	return index_find(&accounts->tree, name);
}

static enum fault add(struct accounts *accounts, const char *name,
    struct account **account_out)
{
	struct accounts_place *node = calloc(1, sizeof(*node));
	struct account *account = NULL;
	enum fault fault;

	if (node == NULL)
		return FAULT_NOMEM;
	fault = account_new(accounts->engine, name, &account);
	if (fault == FAULT_NONE) {
		node->index.name = account_name(account);
		node->index.value = account;
		fault = index_add(&accounts->tree, &node->index);
	}
	if (fault != FAULT_NONE) {
		account_free(account);
		free(node);
		return fault;
	}
	node->next = accounts->first;
	accounts->first = node;
	*account_out = account;
	return FAULT_NONE;
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
	struct account *account = look_up(accounts, name);

	if (account == NULL)
		return add(accounts, name, account_out);
	*account_out = account;
	return FAULT_NONE;
}

/* Only a name that has a file becomes an account: strangers may ask for any
 * number of names. */
static bool has_file(struct accounts *accounts, const char *name)
{
	struct entry *entry = NULL;
	struct why why;
	enum fault fault;

	fault = keyring_load(accounts->engine->keyring, span_of(name), &entry,
	    &why);
	entry_free(entry);
	return fault != FAULT_NOT_FOUND && fault != FAULT_TOO_BIG;
}

struct account *accounts_find(struct accounts *accounts, const char *name)
{
	struct account *account = look_up(accounts, name);

	if (account != NULL && account_exists(account))
		return account;
	if (!has_file(accounts, name))
		return NULL;
	if (account == NULL && add(accounts, name, &account) != FAULT_NONE)
		return NULL;
	return account_load(account, false) != FAULT_NOT_FOUND ? account : NULL;
}

bool accounts_knows(struct accounts *accounts, const char *name)
{
	struct account *account = look_up(accounts, name);

	return account != NULL && account_exists(account);
}

static void found(void *ctx, const char *name, const struct why *why)
{
	struct accounts *accounts = ctx;
	struct account *account;

	if (name == NULL) {
		log_event(LOG_LEVEL_WARNING, "keyring", "%s", why->text);
		return;
	}
	if (accounts_make(accounts, name, &account) != FAULT_NONE ||
	    account_load(account, true) != FAULT_NONE)
		log_event(LOG_LEVEL_ERROR, "keyring", "%s: not loaded", name);
}

enum fault accounts_new(struct engine *engine, struct accounts **accounts_out,
    struct why *why)
{
	struct accounts *accounts = calloc(1, sizeof(*accounts));
	enum fault fault;

	if (accounts == NULL)
		return FAULT_NOMEM;
	accounts->engine = engine;
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
	struct accounts_place *node, *next;

	if (accounts == NULL)
		return;
	for (node = accounts->first; node != NULL; node = next) {
		next = node->next;
		index_remove(&accounts->tree, &node->index);
		account_free(node->index.value);
		free(node);
	}
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
	return here->index.value;
}

void accounts_each(struct accounts *accounts, accounts_visit_fn *visit,
    void *ctx)
{
	struct accounts_place *place = accounts->first;
	struct account *account;

	while ((account = accounts_next(&place)) != NULL)
		visit(ctx, account);
}
