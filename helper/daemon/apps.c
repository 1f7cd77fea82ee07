/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An index by provider, and by mailbox where the token is a mailbox's.
 */
#include "daemon/apps.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/index.h"

#define NAME_BYTES (ACCOUNT_MAX_BYTES + 128)

struct node {
	struct index_node index; /* the account and its name */
	struct node *next;
};

struct apps {
	struct engine *engine;
	void *tree;
	struct node *first;
	size_t n;
};

enum fault apps_new(struct engine *engine, struct apps **apps_out)
{
	struct apps *apps = calloc(1, sizeof(*apps));

	if (apps == NULL)
		return FAULT_NOMEM;
	apps->engine = engine;
	*apps_out = apps;
	return FAULT_NONE;
}

static void drop(struct apps *apps, struct node **at)
{
	struct node *node = *at;

	*at = node->next;
	index_remove(&apps->tree, &node->index);
	account_free(node->index.value);
	free(node);
	apps->n--;
}

void apps_free(struct apps *apps)
{
	if (apps == NULL)
		return;
	while (apps->first != NULL)
		drop(apps, &apps->first);
	free(apps);
}

struct provider *apps_provider(const struct config *config, const char *mailbox)
{
	const struct config_account *block = config_account(config, mailbox);
	struct provider *provider = NULL;

	if (block != NULL && block->provider != NULL)
		provider = config_provider(config, block->provider);
	return provider != NULL && provider_is_app_only(provider) ? provider :
								    NULL;
}

/* A provider's name has no colon and no slash. */
static void make_name(const struct provider *provider, const char *mailbox,
    char out[NAME_BYTES])
{
	if (provider->flow == FLOW_SERVICE_ACCOUNT)
		(void)snprintf(out, NAME_BYTES, "provider:%s/%s",
		    provider->name, mailbox);
	else
		(void)snprintf(out, NAME_BYTES, "provider:%s", provider->name);
}

struct account *apps_peek(const struct apps *apps, const char *mailbox)
{
	struct provider *provider = apps_provider(apps->engine->config,
	    mailbox);
	char name[NAME_BYTES];

	if (provider == NULL)
		return NULL;
	make_name(provider, mailbox, name);
	return index_find(&apps->tree, name);
}

/* Whom nobody has asked for longest; NULL when all are at work. */
static struct node **oldest(struct apps *apps, bool backing_off)
{
	struct node **at, **found = NULL;
	int64_t asked_s, oldest_s = INT64_MAX;

	for (at = &apps->first; *at != NULL; at = &(*at)->next) {
		struct account *account = (*at)->index.value;

		if (!account_is_idle(account, &asked_s) ||
		    account_backs_off(account) != backing_off ||
		    asked_s > oldest_s)
			continue;
		found = at;
		oldest_s = asked_s;
	}
	return found;
}

/* With one that backs off goes what keeps it from its provider: these last. */
static enum fault make_room(struct apps *apps)
{
	struct node **at;

	if (apps->n < APPS_MAX)
		return FAULT_NONE;
	at = oldest(apps, false);
	if (at == NULL)
		at = oldest(apps, true);
	if (at == NULL)
		return FAULT_BUSY;
	drop(apps, at);
	return FAULT_NONE;
}

static enum fault add(struct apps *apps, const struct provider *provider,
    const char *mailbox, struct account **account_out)
{
	bool own = provider->flow == FLOW_SERVICE_ACCOUNT;
	struct account *account = NULL;
	char name[NAME_BYTES];
	struct node *node;
	enum fault fault;

	fault = make_room(apps);
	if (fault != FAULT_NONE)
		return fault;
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return FAULT_NOMEM;
	make_name(provider, mailbox, name);
	fault = account_new_app(apps->engine, name, provider,
	    own ? mailbox : NULL, &account);
	if (fault == FAULT_NONE) {
		node->index.name = account_name(account);
		node->index.value = account;
		fault = index_add(&apps->tree, &node->index);
	}
	if (fault != FAULT_NONE) {
		account_free(account);
		free(node);
		return fault;
	}
	node->next = apps->first;
	apps->first = node;
	apps->n++;
	*account_out = account;
	return FAULT_NONE;
}

enum fault apps_find(struct apps *apps, const char *mailbox,
    struct account **account_out)
{
	struct provider *provider = apps_provider(apps->engine->config,
	    mailbox);
	struct account *account;

	if (provider == NULL)
		return FAULT_NOT_FOUND;
	account = apps_peek(apps, mailbox);
	if (account == NULL)
		return add(apps, provider, mailbox, account_out);
	*account_out = account;
	return FAULT_NONE;
}

void apps_each(struct apps *apps, accounts_visit_fn *visit, void *ctx)
{
	struct node *node;

	for (node = apps->first; node != NULL; node = node->next)
		visit(ctx, node->index.value);
}
