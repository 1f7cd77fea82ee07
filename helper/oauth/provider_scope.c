/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scope: what to ask for where the configuration does not say, and which
 * protocols what is asked for is good for.
 */
#include "oauth/provider.h"

#include "oauth/provider_impl.h"
#include "wire/buf.h"

/* A profile that is defined by its endpoints, in words of OpenID Connect. */
#define STANDARD_SCOPE "openid email offline_access"

/* The one that open providers share. */
#define MAIL_SCOPE "urn:ietf:params:oauth:scope:mail"

static bool has_word(const char *list, const char *word)
{
	size_t n;

	for (; *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (span_is((struct span){ list, n }, word))
			return true;
	}
	return false;
}

static void add_words(struct buf *scope, const char *words)
{
	if (words == NULL || (scope->n > 0 && has_word(scope->p, words)))
		return;
	if (scope->n > 0)
		buf_add_lit(scope, " ");
	buf_add_str(scope, words);
}

/*
 * The shared scope of mail where the server names it; of the usual ones those
 * that it does not leave out of its list.
 */
static void add_supported(struct buf *scope, const char *supported)
{
	static const char *const words[] = {
		MAIL_SCOPE,
		"openid",
		"email",
		"offline_access",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(supported, words[i]))
			add_words(scope, words[i]);
}

static void add_for_protocols(struct buf *scope, const char *protocols,
    const struct preset *row)
{
	if (has_word(protocols, "smtp"))
		add_words(scope, row->scope_smtp);
	if (has_word(protocols, "imap"))
		add_words(scope, row->scope_imap);
	if (has_word(protocols, "pop"))
		add_words(scope, row->scope_pop);
	add_words(scope, row->scope_more);
}

static enum fault derive(struct provider *provider)
{
	struct buf scope = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	const struct preset *row = provider->row;
	enum fault fault;

	if (provider->scope != NULL)
		return FAULT_NONE;
	provider->scope_derived = true;
	if (provider_is_app_only(provider))
		add_words(&scope, row != NULL ? row->scope_app : NULL);
	else if (row != NULL)
		add_for_protocols(&scope, provider->protocols, row);
	else if (provider->scopes_supported != NULL)
		add_supported(&scope, provider->scopes_supported);
	else
		add_words(&scope, STANDARD_SCOPE);
	fault = buf_fault(&scope);
	if (!fault)
		fault = provider_put(&provider->scope,
		    scope.p != NULL ? scope.p : "");
	buf_drop(&scope);
	return fault;
}

static void add_covered(struct buf *covers, const char *protocol,
    const char *asked, const char *needed)
{
	if (needed != NULL && has_word(asked, needed))
		add_words(covers, protocol);
}

/* Which protocols the scope of a preset is good for, as far as it tells. */
static enum fault find_covers(struct provider *provider)
{
	struct buf covers = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	const struct preset *row = provider->row;
	enum fault fault;

	if (row == NULL || provider_is_app_only(provider))
		return FAULT_NONE;
	add_covered(&covers, "smtp", provider->scope, row->scope_smtp);
	add_covered(&covers, "imap", provider->scope, row->scope_imap);
	add_covered(&covers, "pop", provider->scope, row->scope_pop);
	fault = buf_fault(&covers);
	if (!fault)
		fault = provider_put(&provider->covers, covers.p);
	buf_drop(&covers);
	return fault;
}

enum fault provider_derive_scope(struct provider *provider)
{
	enum fault fault = derive(provider);

	return fault ? fault : find_covers(provider);
}
