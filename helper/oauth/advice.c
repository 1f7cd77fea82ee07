/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules over the sentences of advice.conf.
 */
#include "oauth/advice.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *keys; /* with blanks between them */
	const char *text;
} rows[] = {
#include "oauth/advice_rows.inc"
};

/* What a word means at a token endpoint; any other is ADVICE_TRANSIENT. */
static const char login_words[] =
    "invalid_grant invalid_rapt interaction_required consent_required "
    "login_required";
static const char config_words[] =
    "invalid_client unauthorized_client invalid_scope unsupported_grant_type "
    "invalid_request invalid_resource org_internal disabled_client "
    "deleted_client admin_policy_enforced";

/* Letters' case matters here (RFC 6749 section 5.2). */
static bool lists(const char *words, const char *word)
{
	struct span one;

	while ((one = span_next(&words)).n > 0)
		if (span_is(one, word))
			return true;
	return false;
}

/* Of the key that format makes; NULL: there is none. */
PRINTF_LIKE(1, 2)
static const char *sentence(const char *format, ...)
{
	char key[100];
	va_list words;
	size_t i;

	va_start(words, format);
	(void)vsnprintf(key, sizeof(key), format, words);
	va_end(words);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (lists(rows[i].keys, key))
			return rows[i].text;
	return NULL;
}

bool advice_is_passing(long status)
{
	return status == 408 || status == 425 || status == 429 ||
	    (status >= 500 && status <= 599);
}

enum advice_class advice_class(long status, const char *error)
{
	if (advice_is_passing(status))
		return ADVICE_TRANSIENT;
	if (lists(login_words, error))
		return ADVICE_LOGIN_NEEDED;
	return lists(config_words, error) ? ADVICE_CONFIG : ADVICE_TRANSIENT;
}

bool advice_is_blocked(int64_t code)
{
	return code == 53003 || code == 530036;
}

/* No number says a person's no better than its word, but that of a policy. */
static const char *text_of_numbers(const struct reply_error *error)
{
	const char *text = NULL;
	size_t i;

	if (lists("authorization_declined access_denied", error->error) &&
	    !advice_is_blocked(error->codes[0]))
		return NULL;
	for (i = 0; i < error->n_codes && text == NULL; i++)
		text = sentence("%lld", (long long)error->codes[i]);
	return text;
}

/* Words that mean another thing where an application signs in for itself. */
static const char *text_of_app(const struct provider *provider,
    const struct reply_error *error)
{
	const char *more = "";

	if (provider->flow == FLOW_CLIENT_CREDENTIALS)
		return sentence("%s-%s",
		    provider->key != NULL		 ? "certificate" :
			provider->assertion_file != NULL ? "assertion" :
							   "secret",
		    error->error);
	if (provider->flow != FLOW_SERVICE_ACCOUNT)
		return NULL;
	if (strstr(error->description, "short-lived") != NULL)
		more = "-clock";
	else if (strstr(error->description, "ignature") != NULL)
		more = "-key";
	return sentence("service-%s%s", error->error, more);
}

/* What the provider, or what we know of it, makes of the word. */
static const char *text_of_provider(const struct provider *provider,
    const struct reply_error *error)
{
	const char *text = text_of_app(provider, error);

	if (text != NULL)
		return text;
	if (provider->registered &&
	    lists("invalid_client unauthorized_client", error->error))
		return sentence("registered-client");
	/* Google wants one of desktop applications, too. */
	if (provider->client_secret == NULL && provider->key == NULL &&
	    provider->assertion_file == NULL &&
	    lists("invalid_request invalid_client", error->error) &&
	    strstr(error->description, "client_secret") != NULL)
		return sentence("secret-missing");
	if (provider->family != PROVIDER_GOOGLE)
		return NULL;
	text = sentence("%s", error->suberror);
	if (text == NULL && strcmp(error->error, "invalid_grant") == 0)
		text = sentence("google-grant");
	return text;
}

void advice_text(const struct provider *provider, long status,
    const struct reply_error *error, char *out, size_t out_bytes)
{
	/* Who says AADSTS is Microsoft, whatever its block is called. */
	bool microsoft = error->n_codes > 0 &&
	    (provider->family == PROVIDER_MICROSOFT ||
		strncmp(error->description, "AADSTS", 6) == 0);
	const char *text = microsoft ? text_of_numbers(error) : NULL;
	char link[80] = "";

	if (text == NULL && microsoft)
		(void)snprintf(link, sizeof(link),
		    ": see https://login.microsoftonline.com/error?code=%lld",
		    (long long)error->codes[0]);
	if (text == NULL && !advice_is_passing(status))
		text = text_of_provider(provider, error);
	if (text == NULL)
		text = sentence("%s", error->error);
	if (text == NULL && error->error[0] != '\0')
		text = "what to do about that is not known";
	if (text == NULL)
		text = sentence("status-%ld", status);
	if (text == NULL)
		text = advice_is_passing(status) ?
		    sentence("server_error") :
		    "the provider gave no reason that is known";
	(void)snprintf(out, out_bytes, "%s%s", text, link);
}

void advice_quote(const struct reply_error *error, char *out, size_t out_bytes)
{
	const char *said = error->description;
	char number[40] = "";

	if (strncmp(said, "AADSTS", 6) == 0) {
		(void)snprintf(out, out_bytes, "(\"%s\")", said);
		return;
	}
	if (error->n_codes > 0)
		(void)snprintf(number, sizeof(number), ", number %lld",
		    (long long)error->codes[0]);
	(void)snprintf(out, out_bytes, "(%s%s%s%s%s)", error->error, number,
	    said[0] != '\0' ? ": \"" : "", said, said[0] != '\0' ? "\"" : "");
}
