/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whose it is, which provider it belongs to, and what it has to bring.
 */
#include "daemon/import.h"

#include <strings.h>

#include "daemon/grant.h"
#include "oauth/foreign.h"
#include "oauth/url.h"
#include "wire/words.h"

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_BAD_REQUEST;
}

/*
 * The account that programs ask for.  Where the file names another user for
 * mail servers, that goes on being sent to them.
 */
static enum fault set_names(const struct import_source *source,
    const struct foreign *foreign, struct entry *entry, struct why *why)
{
	struct span account = source->account;
	enum fault fault;

	if (account.n == 0)
		account = span_of(foreign->user);
	if (!attr_is_account(account))
		return bad(why,
		    "the file does not say whose it is: name the account with "
		    "--account");
	fault = entry_set(&entry->account, account);
	if (fault == FAULT_NONE && foreign->user != NULL &&
	    strcasecmp(foreign->user, entry->account) != 0)
		fault = entry_set(&entry->login, span_of(foreign->user));
	return fault;
}

/* Is it the client that a block describes?  The block's secret counts. */
static bool is_of(const struct foreign *foreign, const char *host,
    const struct provider *provider)
{
	return provider->client_id != NULL && !provider_is_app_only(provider) &&
	    strcmp(provider->client_id, foreign->client_id) == 0 &&
	    (foreign->client_secret == NULL ||
		provider->client_secret != NULL) &&
	    provider->token_host != NULL &&
	    strcmp(provider->token_host, host) == 0;
}

static struct provider *find_provider(const struct config *config,
    const struct foreign *foreign, const char *host)
{
	size_t i;

	for (i = 0; i < config->n_providers; i++)
		if (is_of(foreign, host, config->providers[i]))
			return config->providers[i];
	return NULL;
}

static enum fault set_known(const struct provider *provider,
    struct entry *entry)
{
	enum fault fault;

	fault = entry_set(&entry->provider, span_of(provider->name));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->issuer, span_of(provider->issuer));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->tenant, span_of(provider->tenant));
	return fault;
}

/* "https://host/TENANT/oauth2/v2.0/token", or nothing. */
static struct span tenant_of(const char *endpoint)
{
	const char *host = endpoint + strlen("https://");
	const char *slash = strchr(host, '/');
	struct span tenant = { NULL, 0 };

	if (slash != NULL && strchr(slash + 1, '/') != NULL &&
	    strcmp(strchr(slash + 1, '/'), "/oauth2/v2.0/token") == 0) {
		tenant.p = slash + 1;
		tenant.n = strcspn(tenant.p, "/");
	}
	return tenant;
}

static enum fault set_brought(struct foreign *foreign, struct entry *entry)
{
	const char *preset = preset_of_host(entry->token_host);
	struct buf name = BUF_INIT(512);
	enum fault fault;

	buf_add_lit(&name, GRANT_IMPORT_PREFIX);
	buf_add_str(&name, preset != NULL ? preset : entry->token_host);
	fault = buf_fault(&name);
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->provider, buf_span(&name));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->tenant,
		    tenant_of(foreign->token_endpoint));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->proxy, span_of(foreign->proxy));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->ca_file, span_of(foreign->ca_file));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->ca_path, span_of(foreign->ca_path));
	entry->margin_s = foreign->margin_s;
	entry->client_secret = foreign->client_secret;
	foreign->client_secret = NULL;
	buf_drop(&name);
	return fault;
}

static enum fault set_rest(const struct import_source *source,
    struct foreign *foreign, struct entry *entry)
{
	const struct provider *known = find_provider(source->config, foreign,
	    entry->token_host);
	enum fault fault;

	fault = known != NULL ? set_known(known, entry) :
				set_brought(foreign, entry);
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->flow, span_of(GRANT_IMPORT_FLOW));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->client_id,
		    span_of(foreign->client_id));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->token_endpoint,
		    span_of(known != NULL ? known->token_endpoint :
					    foreign->token_endpoint));
	if (fault == FAULT_NONE)
		fault = entry_set(&entry->scope, span_of(foreign->scope));
	if (fault == FAULT_NONE && source->servers.n > 0)
		fault = entry_set(&entry->servers, source->servers);
	entry->refresh_token = foreign->refresh_token;
	foreign->refresh_token = NULL;
	entry->signed_in_s = source->now_s;
	return fault;
}

static enum fault from_foreign(const struct import_source *source,
    struct foreign *foreign, struct entry *entry, struct why *why)
{
	enum fault fault;

	fault = set_names(source, foreign, entry, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = url_host(foreign->token_endpoint, &entry->token_host);
	if (fault == FAULT_GRAMMAR)
		return bad(why, "its token_endpoint is no https URL");
	if (fault == FAULT_NONE)
		fault = set_rest(source, foreign, entry);
	return fault;
}

/* It must work, and reach the disk, before the other program is told to
 * stop. */
static enum fault check(const struct import_source *source,
    const struct entry *entry, struct why *why)
{
	struct buf bytes = BUF_INIT(ENTRY_MAX_BYTES);
	struct provider *provider = NULL;
	enum fault fault;

	fault = entry_encode(entry, &bytes);
	buf_drop(&bytes);
	if (fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG)
		return bad(why,
		    "a value in it is too long or has bytes that cannot be "
		    "kept");
	if (fault == FAULT_NONE)
		fault = grant_provider(source->config, entry, &provider, why);
	provider_release(provider);
	return fault;
}

static enum fault read_own(const struct import_source *source,
    struct entry **entry_out, struct why *why)
{
	struct entry *entry = NULL;
	enum fault fault;

	fault = entry_decode(source->data, &entry);
	if (fault == FAULT_NOMEM)
		return fault;
	if (fault != FAULT_NONE)
		return bad(why, "it is not what mailtoken export writes");
	if (source->account.n > 0 &&
	    (source->account.n != strlen(entry->account) ||
		strncasecmp(source->account.p, entry->account,
		    source->account.n) != 0)) {
		entry_free(entry);
		return bad(why, "it is another account's");
	}
	*entry_out = entry;
	return FAULT_NONE;
}

static enum fault read_foreign(const struct import_source *source,
    struct entry **entry_out, struct why *why)
{
	struct foreign foreign = { .refresh_token = NULL };
	struct entry *entry = NULL;
	enum fault fault;

	if (span_is(source->format, FORMAT_SASL_XOAUTH2))
		fault = foreign_sasl_xoauth2(source->data, source->defaults,
		    &foreign, why);
	else
		fault = foreign_mutt_oauth2(source->data, &foreign, why);
	if (fault == FAULT_GARBLED)
		return FAULT_BAD_REQUEST;
	if (fault == FAULT_NONE)
		fault = entry_new(&entry);
	if (fault == FAULT_NONE)
		fault = from_foreign(source, &foreign, entry, why);
	if (fault == FAULT_NONE)
		fault = check(source, entry, why);
	if (fault == FAULT_NONE && foreign.assumed)
		why_set(why, 0,
		    "%s: nothing says the provider (there is no "
		    "token_endpoint), so Google was assumed, as sasl-xoauth2 "
		    "does: if it is another's, write its token_endpoint into "
		    "the token file and import it again with --replace",
		    entry->account);
	foreign_drop(&foreign);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	*entry_out = entry;
	return FAULT_NONE;
}

enum fault import_read(const struct import_source *source,
    struct entry **entry_out, struct why *why)
{
	if (span_is(source->format, FORMAT_MAILTOKEN))
		return read_own(source, entry_out, why);
	if (span_is(source->format, FORMAT_SASL_XOAUTH2) ||
	    span_is(source->format, FORMAT_MUTT_OAUTH2))
		return read_foreign(source, entry_out, why);
	return bad(why,
	    "format is one of " FORMAT_MAILTOKEN ", " FORMAT_SASL_XOAUTH2
	    " and " FORMAT_MUTT_OAUTH2);
}
