/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The profile that an imported record brings: the client and the endpoint of
 * the program that made the grant, and of the preset on that host the mail
 * servers and the manners.
 */
#include "daemon/grant.h"

#include <stdlib.h>

bool grant_is_imported(const struct entry *entry)
{
	return entry->flow != NULL &&
	    strcmp(entry->flow, GRANT_IMPORT_FLOW) == 0 &&
	    strncmp(entry->provider, GRANT_IMPORT_PREFIX,
		strlen(GRANT_IMPORT_PREFIX)) == 0;
}

static enum fault set_values(const struct entry *entry,
    struct provider *provider, struct why *why)
{
	const struct {
		const char *key;
		const char *value;
	} rows[] = {
		{ "token_endpoint", entry->token_endpoint },
		{ "client_id", entry->client_id },
		{ "tenant", entry->tenant },
		{ "proxy", entry->proxy },
		{ "ca_file", entry->ca_file },
		{ "ca_path", entry->ca_path },
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (fault == FAULT_NONE && rows[i].value != NULL)
			fault = provider_set(provider, rows[i].key,
			    rows[i].value, why);
	/* As the program before sent none, except where one must be. */
	if (fault == FAULT_NONE &&
	    (entry->tenant == NULL || strcmp(entry->tenant, "consumers") != 0))
		fault = provider_set(provider, "scope", "", why);
	if (fault == FAULT_NONE)
		fault = provider_set_secret(provider, entry->client_secret);
	provider->min_validity_s = entry->margin_s;
	return fault;
}

static enum fault check_host(const struct entry *entry,
    const struct provider *provider, struct why *why)
{
	char *host = NULL;
	enum fault fault;
	bool same;

	fault = provider_token_host(provider, &host);
	if (fault == FAULT_NOMEM)
		return fault;
	same = fault == FAULT_NONE && entry->token_host != NULL &&
	    strcmp(host, entry->token_host) == 0;
	free(host);
	if (same && provider->client_id != NULL)
		return FAULT_NONE;
	why_set(why, 0,
	    "the imported record of %s is not whole: import it again, or run: "
	    "mailtoken login %s",
	    entry->account, entry->account);
	return FAULT_CONFIG_ERROR;
}

enum fault grant_provider_of_entry(const struct entry *entry,
    struct provider **provider_out, struct why *why)
{
	const char *preset = entry->token_host != NULL ?
	    preset_of_host(entry->token_host) :
	    NULL;
	struct provider *provider = NULL;
	enum fault fault;

	fault = provider_new(entry->provider, preset, &provider);
	if (fault != FAULT_NONE)
		return fault;
	fault = set_values(entry, provider, why);
	if (fault == FAULT_GRAMMAR)
		fault = FAULT_CONFIG_ERROR;
	/* Without a preset there is nothing to complete it with. */
	if (fault == FAULT_NONE && preset != NULL)
		fault = provider_finish(provider, NULL, why);
	if (fault == FAULT_NONE)
		fault = check_host(entry, provider, why);
	if (fault != FAULT_NONE) {
		provider_release(provider);
		return fault;
	}
	*provider_out = provider;
	return FAULT_NONE;
}
