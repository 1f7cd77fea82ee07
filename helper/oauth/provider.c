/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The life of a profile, and which servers its tokens may go to.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/provider_impl.h"
#include "oauth/url.h"
#include "wire/attr.h"

enum fault provider_new(const char *name, const char *preset,
    struct provider **provider_out)
{
	const struct preset *row = NULL;
	struct provider *provider;

	if (preset != NULL) {
		row = preset_find(preset);
		if (row == NULL)
			return FAULT_NOT_FOUND;
	}
	provider = calloc(1, sizeof(*provider));
	if (provider == NULL)
		return FAULT_NOMEM;
	provider->users = 1;
	provider->row = row;
	provider->preset = row != NULL ? row->value : NULL;
	if (provider_put(&provider->name, name) != FAULT_NONE) {
		provider_release(provider);
		return FAULT_NOMEM;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

enum fault provider_copy(const struct provider *from,
    struct provider **copy_out)
{
	struct provider *copy = malloc(sizeof(*copy));
	enum fault fault;
	char **slot;
	size_t i;

	if (copy == NULL)
		return FAULT_NOMEM;
	*copy = *from;
	copy->users = 1;
	copy->key = assertion_key_share(from->key);
	copy->client_secret = NULL;
	fault = provider_set_secret(copy, from->client_secret);
	for (i = 0; (slot = provider_slot(copy, i)) != NULL; i++) {
		if (*slot == NULL)
			continue;
		*slot = strdup(*slot);
		if (*slot == NULL)
			fault = FAULT_NOMEM;
	}
	if (fault != FAULT_NONE) {
		provider_release(copy);
		return fault;
	}
	*copy_out = copy;
	return FAULT_NONE;
}

bool provider_serves(const struct provider *provider, struct span account,
    const char *extra_servers, struct span server)
{
	const char *at = account.n > 0 ? memrchr(account.p, '@', account.n) :
					 NULL;

	if (!attr_is_host(server))
		return false;
	if (url_is_listed(server, provider->servers) ||
	    url_is_listed(server, extra_servers))
		return true;
	return provider->servers == NULL && at != NULL &&
	    url_is_in(server,
		(struct span){ at + 1,
		    account.n - (size_t)(at + 1 - account.p) });
}

enum fault provider_set_secret(struct provider *provider,
    const struct secret *secret)
{
	struct secret *copy = NULL;
	enum fault fault;

	if (secret_bytes(secret) > 0) {
		fault = secret_copy(secret, &copy);
		if (fault)
			return fault;
	}
	secret_free(provider->client_secret);
	provider->client_secret = copy;
	return FAULT_NONE;
}

void provider_set_key(struct provider *provider, struct assertion_key *key)
{
	assertion_key_release(provider->key);
	provider->key = assertion_key_share(key);
}

struct provider *provider_share(struct provider *provider)
{
	provider->users++;
	return provider;
}

void provider_release(struct provider *provider)
{
	char **slot;
	size_t i;

	if (provider == NULL || --provider->users > 0)
		return;
	for (i = 0; (slot = provider_slot(provider, i)) != NULL; i++)
		free(*slot);
	secret_free(provider->client_secret);
	assertion_key_release(provider->key);
	free(provider);
}
