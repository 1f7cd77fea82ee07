/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers into entries, and what a grant is good for: the protocols of its
 * sign-in, and the words that the provider left out.  No decision about time
 * or state is made here.
 */
#include "daemon/grant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "store/safefile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum fault grant_draw_serial(char serial[GRANT_SERIAL_BYTES + 1],
    struct why *why)
{
	uint64_t random;
	enum fault fault = safefile_random(&random, sizeof(random), why);

	if (fault == FAULT_NONE)
		(void)snprintf(serial, GRANT_SERIAL_BYTES + 1, "%016" PRIx64,
		    random);
	return fault;
}

struct setting {
	char **slot;
	struct span text;
};

static enum fault set_all(const struct setting *settings, size_t n)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < n && fault == FAULT_NONE; i++)
		fault = string_set(settings[i].slot, settings[i].text);
	return fault;
}

/* What every new record says of its provider. */
static enum fault new_entry(const struct grant_signin *signin,
    struct entry **entry_out)
{
	const struct provider *provider = signin->provider;
	const struct span none = { NULL, 0 };
	struct entry *entry = NULL;
	enum fault fault = entry_new(&entry);

	if (fault == FAULT_NONE) {
		const struct setting settings[] = {
			{ &entry->account, signin->account },
			{ &entry->provider, span_of(provider->name) },
			{ &entry->flow, span_of(flow_kind_word(signin->flow)) },
			{ &entry->scope, span_of(provider->scope) },
			{ &entry->servers,
			    signin->servers.n > 0 ? signin->servers : none },
			{ &entry->serial, span_of(signin->serial) },
			{ &entry->token_host, span_of(provider->token_host) },
			{ &entry->issuer, span_of(provider->issuer) },
			{ &entry->tenant, span_of(provider->tenant) },
			{ &entry->client_id, span_of(provider->client_id) },
			{ &entry->token_endpoint,
			    span_of(provider->token_endpoint) },
			{ &entry->device_authorization_endpoint,
			    span_of(provider->device_authorization_endpoint) },
			{ &entry->authorization_endpoint,
			    span_of(provider->authorization_endpoint) },
			{ &entry->revocation_endpoint,
			    span_of(provider->revocation_endpoint) },
		};

		fault = set_all(settings, COUNT(settings));
	}
	if (fault == FAULT_NONE)
		*entry_out = entry;
	else
		entry_free(entry);
	return fault;
}

void grant_keep(struct entry *entry, struct reply_token *token,
    const struct now *now)
{
	if (token->refresh_token == NULL)
		return;
	secret_free(entry->refresh_token);
	entry->refresh_token = token->refresh_token;
	token->refresh_token = NULL;
	entry->grant_expires_s = token->refresh_expires_in_s > 0 ?
	    now->wall_s + token->refresh_expires_in_s :
	    0;
}

/*
 * A provider may answer with the token it gave before: it keeps its serial
 * then, so that one that a mail server refused stays refused.
 */
void grant_renew(struct entry *entry, struct reply_token *token,
    const char *serial, const struct now *now)
{
	if (!secret_equal(entry->access_token, token->access_token))
		memcpy(entry->serial, serial, GRANT_SERIAL_BYTES + 1);
	secret_free(entry->access_token);
	entry->access_token = token->access_token;
	token->access_token = NULL;
	grant_keep(entry, token, now);
	if (token->scope != NULL) {
		free(entry->granted_scope);
		entry->granted_scope = token->scope;
		token->scope = NULL;
	}
	entry->secret_by_basic = token->by_basic ? 1 : 0;
	entry->refreshed_s = now->wall_s;
	entry->granted_s = token->expires_in_s;
	entry->refresh_in_s = token->refresh_in_s;
	entry->expires_s = now->wall_s + token->expires_in_s;
	entry->state = ENTRY_ACTIVE;
	entry->failing_s = 0;
	free(entry->failing);
	free(entry->text);
	entry->failing = entry->text = NULL;
}

enum fault grant_new(const struct grant_signin *signin,
    struct reply_token *token, const struct now *now, struct entry **entry_out)
{
	struct entry *entry = NULL;
	enum fault fault;

	fault = new_entry(signin, &entry);
	if (fault == FAULT_NONE)
		fault = string_set(&entry->protocols,
		    span_of(signin->provider->covers));
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	entry->identity = token->identity;
	token->identity = NULL;
	entry->signed_in_s = now->wall_s;
	grant_renew(entry, token, signin->serial, now);
	*entry_out = entry;
	return FAULT_NONE;
}

enum fault grant_app(const char *name, const struct provider *provider,
    struct entry **entry_out)
{
	const struct grant_signin none = { .account = span_of(name),
		.provider = provider,
		.flow = provider->flow };

	return new_entry(&none, entry_out);
}

enum fault grant_prepare(const struct entry *entry,
    const struct provider *provider, struct entry **next_out)
{
	struct entry *next = NULL;
	enum fault fault = entry_copy(entry, &next);

	if (fault == FAULT_NONE) {
		const struct setting settings[] = {
			/* Digits, to be overwritten in place. */
			{ &next->serial, span_of("0000000000000000") },
			{ &next->token_endpoint,
			    span_of(provider->token_endpoint) },
			{ &next->revocation_endpoint,
			    span_of(provider->revocation_endpoint) },
		};
		bool has = entry->serial != NULL &&
		    strlen(entry->serial) == GRANT_SERIAL_BYTES;

		fault = set_all(settings + has, COUNT(settings) - has);
	}
	if (fault == FAULT_NONE)
		*next_out = next;
	else
		entry_free(next);
	return fault;
}

/* Whether every word of a stands in b. */
static bool are_in(const char *a, const char *b)
{
	struct span word;

	while ((word = span_next(&a)).n > 0)
		if (!span_listed(word, b))
			return false;
	return true;
}

/* "smtp imap" and pop, or none, as "smtp,imap,pop". */
static void with_commas(const char *words, struct span one, char *out,
    size_t out_bytes)
{
	char *p;

	(void)snprintf(out, out_bytes, "%s%s%.*s", words, one.n > 0 ? "," : "",
	    (int)one.n, one.n > 0 ? one.p : "");
	for (p = out; *p != '\0'; p++)
		if (*p == ' ')
			*p = ',';
}

bool grant_covers(const struct entry *entry, struct span service,
    struct why *why)
{
	char account[256], more[40];

	if (entry->protocols == NULL)
		return true;
	if (span_is(service, "pop3"))
		service.n = 3;
	if ((!span_is(service, "smtp") && !span_is(service, "imap") &&
		!span_is(service, "pop")) ||
	    span_listed(service, entry->protocols))
		return true;
	attr_plain(span_of(entry->account), account, sizeof(account));
	with_commas(entry->protocols, service, more, sizeof(more));
	why_set(why, 0,
	    "the sign-in of %s was for %s and not for %.*s: run: mailtoken "
	    "login %s --protocols %s",
	    account, entry->protocols, (int)service.n, service.p, account,
	    more);
	return false;
}

/* Answers leave these out. */
static const char silent[] = "offline_access openid email profile";

/*
 * What is asked for has to be what was granted, or less (RFC 6749 section 6).
 * Words that answers leave out are asked for again where a refresh must name
 * the scope: without offline_access no refresh token would come back.
 */
enum fault grant_scope(const struct entry *entry,
    const struct provider *provider, struct buf *out)
{
	bool must = provider->family == PROVIDER_MICROSOFT;
	const char *granted = entry->granted_scope;
	const char *at = entry->scope != NULL ? entry->scope : "";
	struct span word;

	if (granted == NULL) {
		buf_add_str(out, must ? at : "");
		return buf_fault(out);
	}
	buf_add_str(out, granted);
	while (must && (word = span_next(&at)).n > 0) {
		if (!span_listed(word, silent) || span_listed(word, granted))
			continue;
		if (out->n > 0)
			buf_add_lit(out, " ");
		buf_add(out, word);
	}
	return buf_fault(out);
}

struct span grant_lacks(const struct entry *entry)
{
	const char *at = entry->granted_scope != NULL ? entry->scope : NULL;
	struct span word = { NULL, 0 };

	while (at != NULL && (word = span_next(&at)).n > 0)
		if (!span_listed(word, silent) &&
		    !span_listed(word, entry->granted_scope))
			break;
	return word;
}

static bool falls_short(const struct entry *entry,
    const struct provider *provider)
{
	return provider->covers != NULL && entry->protocols != NULL &&
	    !are_in(provider->covers, entry->protocols);
}

/* Whether a sign-in would ask for another scope now, or be for protocols that
 * the last one was not for, unless these were chosen then. */
static bool is_outdated(const struct entry *entry,
    const struct provider *provider)
{
	if (entry->scope == NULL || provider->scope == NULL ||
	    (entry->flow != NULL && strcmp(entry->flow, IMPORT_FLOW) == 0))
		return false;
	if (provider->scope_derived)
		return entry->chosen_protocols == NULL &&
		    falls_short(entry, provider);
	return !are_in(provider->scope, entry->scope) ||
	    !are_in(entry->scope, provider->scope);
}

void grant_say_scope(const struct entry *entry, const struct config *config,
    char *out, size_t out_bytes)
{
	const struct provider *provider;
	struct span lacks = grant_lacks(entry);
	char plain[128], account[256];

	out[0] = '\0';
	attr_plain(span_of(entry->account), account, sizeof(account));
	if (lacks.n > 0) {
		attr_plain(lacks, plain, sizeof(plain));
		(void)snprintf(out, out_bytes,
		    "the provider did not grant %s, so mail servers may "
		    "refuse the token: run: mailtoken login %s, and leave no "
		    "box unticked",
		    plain, account);
		return;
	}
	provider = config_provider(config, entry->provider);
	if (provider == NULL || !is_outdated(entry, provider))
		return;
	(void)snprintf(out, out_bytes,
	    "scope or protocols of provider '%s' are others now than when it "
	    "signed in, and count from the next sign-in: run: mailtoken login "
	    "%s",
	    provider->name, account);
}

enum fault grant_choose(struct entry *entry, const struct provider *provider,
    const char *protocols)
{
	/* A scope that is written covers what it covers. */
	if (provider->covers != NULL && !provider->scope_derived)
		return FAULT_NONE;
	if (entry->protocols == NULL &&
	    string_set(&entry->protocols, span_of(protocols)) != FAULT_NONE)
		return FAULT_NOMEM;
	return string_set(&entry->chosen_protocols, span_of(protocols));
}

void grant_say_choice(const struct entry *entry, const struct config *config,
    const char *protocols, char *out, size_t out_bytes)
{
	const struct provider *now = config_provider(config, entry->provider);
	const struct span none = { NULL, 0 };
	char account[256], list[40];

	out[0] = '\0';
	if (now == NULL || now->covers == NULL || entry->protocols == NULL)
		return;
	if (entry->chosen_protocols == NULL) {
		if (are_in(protocols, entry->protocols) &&
		    are_in(entry->protocols, protocols))
			return;
		(void)snprintf(out, out_bytes,
		    "scope stands written for provider '%s' and is for %s, so "
		    "--protocols changed nothing: to have it count, take scope "
		    "out of the block in %s",
		    now->name, entry->protocols, config->path);
		return;
	}
	if (!falls_short(entry, now))
		return;
	attr_plain(span_of(entry->account), account, sizeof(account));
	with_commas(now->covers, none, list, sizeof(list));
	(void)snprintf(out, out_bytes,
	    "signed in for %s, as was chosen before with --protocols; provider "
	    "'%s' is for %s by now: for that run: mailtoken login %s "
	    "--protocols %s",
	    entry->protocols, now->name, now->covers, account, list);
}
