/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules over the sentences of advice.conf.
 */
#include "oauth/advice.h"

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

static const char *sentence(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (lists(rows[i].keys, key))
			return rows[i].text;
	return NULL;
}

/* A server in trouble may say anything; its status goes before its words. */
static bool is_passing(long status)
{
	return status == 408 || status == 425 || status == 429 ||
	    (status >= 500 && status <= 599);
}

enum advice_class advice_class(long status, const char *error)
{
	if (is_passing(status))
		return ADVICE_TRANSIENT;
	if (lists(login_words, error))
		return ADVICE_LOGIN_NEEDED;
	return lists(config_words, error) ? ADVICE_CONFIG : ADVICE_TRANSIENT;
}

bool advice_is_blocked(int64_t code)
{
	return code == 53003 || code == 530036;
}

/* Who says AADSTS is Microsoft, whatever its provider block is called. */
static bool is_microsoft(const struct provider *provider,
    const struct reply_error *error)
{
	return error->n_codes > 0 &&
	    (provider->family == PROVIDER_MICROSOFT ||
		strncmp(error->description, "AADSTS", 6) == 0);
}

/* No number says a person's no better than its word, but that of a policy. */
static const char *text_of_numbers(const struct reply_error *error)
{
	const char *text = NULL;
	char key[24];
	size_t i;

	if (lists("authorization_declined access_denied", error->error) &&
	    !advice_is_blocked(error->codes[0]))
		return NULL;
	for (i = 0; i < error->n_codes && text == NULL; i++) {
		(void)snprintf(key, sizeof(key), "%lld",
		    (long long)error->codes[i]);
		text = sentence(key);
	}
	return text;
}

/* How an application that signs in for itself does it; NULL: a person does. */
static const char *app_kind(const struct provider *provider)
{
	if (provider->flow == FLOW_SERVICE_ACCOUNT)
		return "service";
	if (provider->flow != FLOW_CLIENT_CREDENTIALS)
		return NULL;
	return provider->key != NULL	     ? "certificate" :
	    provider->assertion_file != NULL ? "assertion" :
					       "secret";
}

/* Words that mean another thing where nobody signs in. */
static const char *text_of_app(const struct provider *provider,
    const struct reply_error *error)
{
	const char *kind = app_kind(provider), *more = "";
	char key[100];

	if (kind == NULL)
		return NULL;
	if (provider->flow == FLOW_SERVICE_ACCOUNT)
		more = strstr(error->description, "short-lived") ? "-clock" :
		    strstr(error->description, "ignature")	 ? "-key" :
								   "";
	(void)snprintf(key, sizeof(key), "%s-%s%s", kind, error->error, more);
	return sentence(key);
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
	text = sentence(error->suberror);
	if (text == NULL && strcmp(error->error, "invalid_grant") == 0)
		text = sentence("google-grant");
	return text;
}

static const char *text_of_status(long status)
{
	const char *text;
	char key[32];

	(void)snprintf(key, sizeof(key), "status-%ld", status);
	text = sentence(key);
	if (text == NULL && is_passing(status))
		text = sentence("server_error");
	return text != NULL ? text :
			      "the provider gave no reason that is known";
}

void advice_text(const struct provider *provider, long status,
    const struct reply_error *error, char *out, size_t out_bytes)
{
	bool microsoft = is_microsoft(provider, error);
	const char *text = microsoft ? text_of_numbers(error) : NULL;
	char link[80] = "";

	if (text == NULL && microsoft)
		(void)snprintf(link, sizeof(link),
		    ": see https://login.microsoftonline.com/error?code=%lld",
		    (long long)error->codes[0]);
	if (text == NULL && !is_passing(status))
		text = text_of_provider(provider, error);
	if (text == NULL)
		text = sentence(error->error);
	if (text == NULL)
		text = error->error[0] == '\0' ?
		    text_of_status(status) :
		    "what to do about that is not known";
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
