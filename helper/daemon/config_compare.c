/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a reload changed, and what of it only a restart can change.
 */
#include "daemon/config.h"

#include <stdio.h>

#include "oauth/assertion.h"
#include "wire/words.h"

struct comparing {
	config_differs_fn *differs;
	void *ctx;
};

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_strings(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	size_t i;

	for (i = 0; i < n_a && i < n_b; i++)
		if (!same(a[i], b[i]))
			return false;
	return n_a == n_b;
}

static bool same_ids(const struct id_list *a, const struct id_list *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->at, b->at, a->n * sizeof(*a->at)) == 0);
}

static bool same_access(const struct access_list *a,
    const struct access_list *b)
{
	return same_ids(&a->uids, &b->uids) && same_ids(&a->gids, &b->gids);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return (a == NULL && b == NULL) || secret_equal(a, b);
}

static bool same_provider(const struct provider *a, const struct provider *b)
{
	return same(a->preset, b->preset) && same(a->issuer, b->issuer) &&
	    same(a->authorization_endpoint, b->authorization_endpoint) &&
	    same(a->token_endpoint, b->token_endpoint) &&
	    same(a->device_authorization_endpoint,
		b->device_authorization_endpoint) &&
	    same(a->revocation_endpoint, b->revocation_endpoint) &&
	    same(a->registration_endpoint, b->registration_endpoint) &&
	    same(a->client_id, b->client_id) && same(a->tenant, b->tenant) &&
	    same(a->scope, b->scope) && same(a->protocols, b->protocols) &&
	    same(a->ca_file, b->ca_file) && same(a->ca_path, b->ca_path) &&
	    same(a->proxy, b->proxy) && a->flow == b->flow &&
	    a->family == b->family && a->min_validity_s == b->min_validity_s &&
	    a->redirect_port == b->redirect_port &&
	    same(a->redirect_uri, b->redirect_uri) &&
	    same(a->servers, b->servers) && same(a->extra, b->extra) &&
	    same(a->assertion_file, b->assertion_file) &&
	    a->client_secret_expires_s == b->client_secret_expires_s &&
	    assertion_key_same(a->key, b->key) &&
	    same_secret(a->client_secret, b->client_secret);
}

static bool same_account(const struct config_account *a,
    const struct config_account *b)
{
	size_t i;

	for (i = 0; i < CONFIG_SERVICES; i++)
		if (!same(a->logins[i], b->logins[i]))
			return false;
	return same(a->provider, b->provider) && same(a->login, b->login) &&
	    same(a->token_of, b->token_of) && same(a->servers, b->servers) &&
	    a->has_allow == b->has_allow && same_access(&a->allow, &b->allow);
}

static void say(const struct comparing *c, bool is_same, const char *what,
    bool restart)
{
	if (!is_same)
		c->differs(c->ctx, what, restart);
}

static void say_named(const struct comparing *c, bool is_same, const char *kind,
    const char *name)
{
	char what[ACCOUNT_MAX_BYTES + 32];

	(void)snprintf(what, sizeof(what), "%s %s", kind, name);
	say(c, is_same, what, false);
}

static void compare_top(const struct comparing *c, const struct config *a,
    const struct config *b)
{
	say(c, same_strings(a->listen, a->n_listen, b->listen, b->n_listen),
	    "listen", true);
	say(c, same(a->keyring, b->keyring), "keyring", true);
	say(c, same(a->keyring_key, b->keyring_key), "keyring_key", true);
	say(c, same(a->user, b->user), "user", true);
	say(c, same_access(&a->allow, &b->allow), "allow", false);
	say(c, same_access(&a->admin, &b->admin), "admin", false);
	say(c, a->renew_idle_s == b->renew_idle_s, "renew_idle", false);
	say(c, a->password_as_token == b->password_as_token,
	    "password_as_token", false);
	say(c, a->log_level == b->log_level, "log_level", false);
}

static void compare_providers(const struct comparing *c, const struct config *a,
    const struct config *b)
{
	const struct provider *old, *new;
	size_t i;

	for (i = 0; i < a->n_providers; i++) {
		old = a->providers[i];
		new = config_provider(b, old->name);
		say_named(c, new != NULL &&same_provider(old, new), "provider",
		    old->name);
	}
	for (i = 0; i < b->n_providers; i++)
		say_named(c, config_provider(a, b->providers[i]->name) != NULL,
		    "provider", b->providers[i]->name);
}

/* Both lists are sorted by name. */
static void compare_accounts(const struct comparing *c, const struct config *a,
    const struct config *b)
{
	size_t i = 0, j = 0;
	int order;

	while (i < a->n_accounts || j < b->n_accounts) {
		if (i == a->n_accounts)
			order = 1;
		else if (j == b->n_accounts)
			order = -1;
		else
			order = strcmp(a->accounts[i].name,
			    b->accounts[j].name);
		say_named(c,
		    order == 0 &&
			same_account(&a->accounts[i], &b->accounts[j]),
		    "account",
		    order <= 0 ? a->accounts[i].name : b->accounts[j].name);
		i += order <= 0;
		j += order >= 0;
	}
}

void config_compare(const struct config *old, const struct config *new,
    config_differs_fn *differs, void *ctx)
{
	struct comparing c = { differs, ctx };

	compare_top(&c, old, new);
	compare_providers(&c, old, new);
	compare_accounts(&c, old, new);
}
