/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a grant is good for: the protocols of its sign-in, and the words that
 * the provider left out.
 */
#include "daemon/grant.h"

#include <stdio.h>
#include <strings.h>

static bool has_word(const char *list, struct span word)
{
	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == word.n && strncasecmp(list, word.p, n) == 0)
			return true;
		list += n;
		list += strspn(list, " ");
	}
	return false;
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
	    has_word(entry->protocols, service))
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

static bool is_silent(struct span word)
{
	static const char *const silent[] = {
		"offline_access",
		"openid",
		"email",
		"profile",
	};
	size_t i;

	for (i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		if (span_is(word, silent[i]))
			return true;
	return word.n == 0;
}

/*
 * What is asked for has to be what was granted, or less (RFC 6749 section 6).
 * Words that answers leave out are asked for again where a refresh must name
 * the scope: without offline_access no refresh token would come back.
 */
enum fault grant_scope(const struct entry *entry,
    const struct provider *provider, struct buf *out)
{
	const char *at = entry->scope != NULL ? entry->scope : "";

	if (provider->family != PROVIDER_MICROSOFT) {
		buf_add_str(out,
		    entry->granted_scope != NULL ? entry->granted_scope : "");
		return buf_fault(out);
	}
	if (entry->granted_scope == NULL) {
		buf_add_str(out, at);
		return buf_fault(out);
	}
	buf_add_str(out, entry->granted_scope);
	while (*at != '\0') {
		struct span word = { at, strcspn(at, " ") };

		if (word.n > 0 && is_silent(word) &&
		    !has_word(entry->granted_scope, word)) {
			if (out->n > 0)
				buf_add_lit(out, " ");
			buf_add(out, word);
		}
		at += word.n;
		at += strspn(at, " ");
	}
	return buf_fault(out);
}

struct span grant_lacks(const struct entry *entry)
{
	const char *at = entry->scope;
	struct span none = { NULL, 0 };

	if (at == NULL || entry->granted_scope == NULL)
		return none;
	while (*at != '\0') {
		struct span word = { at, strcspn(at, " ") };

		if (!is_silent(word) && !has_word(entry->granted_scope, word))
			return word;
		at += word.n;
		at += strspn(at, " ");
	}
	return none;
}

/* Whether every word of a stands in b. */
static bool are_in(const char *a, const char *b)
{
	while (*a != '\0') {
		struct span word = { a, strcspn(a, " ") };

		if (word.n > 0 && !has_word(b, word))
			return false;
		a += word.n;
		a += strspn(a, " ");
	}
	return true;
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
	    (entry->flow != NULL &&
		strcmp(entry->flow, GRANT_IMPORT_FLOW) == 0))
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
	    entry_set(&entry->protocols, span_of(protocols)) != FAULT_NONE)
		return FAULT_NOMEM;
	return entry_set(&entry->chosen_protocols, span_of(protocols));
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
