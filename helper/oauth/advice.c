/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules over the tables of advice_data.c.
 */
#include "oauth/advice.h"

#include <stdio.h>

#include "oauth/advice_data.h"

/* A server in trouble may say anything; its status goes before its words. */
static bool is_passing(long status)
{
	return status == 408 || status == 425 || status == 429 ||
	    (status >= 500 && status <= 599);
}

static const struct advice_word *find_word(const char *word)
{
	size_t i;

	for (i = 0; i < advice_n_words; i++)
		if (strcmp(advice_words[i].word, word) == 0)
			return &advice_words[i];
	return NULL;
}

enum advice_class advice_class(long status, const char *error)
{
	const struct advice_word *known = find_word(error);

	if (is_passing(status) || known == NULL)
		return ADVICE_TRANSIENT;
	return known->class;
}

static const char *text_of_codes(const struct reply_error *error)
{
	size_t i, j;

	for (i = 0; i < error->n_codes; i++)
		for (j = 0; j < advice_n_codes; j++)
			if (advice_codes[j].code == error->codes[i])
				return advice_codes[j].text;
	return NULL;
}

static const char *text_of_status(long status)
{
	switch (status) {
	case 401:
	case 403:
		return "the provider refused without a reason: check "
		       "client_id and the client secret";
	case 404:
	case 405:
	case 410:
		return "that is not the right address: check the endpoints "
		       "and tenant";
	case 407:
		return "a proxy wants a name and a password: write them into "
		       "proxy";
	case 429: return "the provider is asked too often: wait";
	default: break;
	}
	if (is_passing(status))
		return "the provider has a passing fault: it is tried again "
		       "by itself";
	return "the provider gave no reason that is known";
}

static void text_unknown(long status, const struct reply_error *error,
    char *out, size_t out_bytes)
{
	(void)snprintf(out, out_bytes, "%s",
	    error->error[0] == '\0' ? text_of_status(status) :
				      "what to do about that is not known");
}

bool advice_is_blocked(int64_t code)
{
	return code == 53003 || code == 530036;
}

/* No number says it better than the word, but that of a policy. */
static bool is_persons_no(const struct reply_error *error)
{
	return (strcmp(error->error, "authorization_declined") == 0 ||
		   strcmp(error->error, "access_denied") == 0) &&
	    (error->n_codes == 0 || !advice_is_blocked(error->codes[0]));
}

/* Who says AADSTS is Microsoft, whatever its provider block is called. */
static bool is_microsoft(const struct provider *provider,
    const struct reply_error *error)
{
	return provider->family == PROVIDER_MICROSOFT ||
	    (error->n_codes > 0 &&
		strncmp(error->description, "AADSTS", 6) == 0);
}

/* Google wants that of desktop applications, too, and says it so only. */
static bool is_secret_missing(const struct provider *provider,
    const struct reply_error *error)
{
	return provider->client_secret == NULL && provider->key == NULL &&
	    provider->assertion_file == NULL &&
	    (strcmp(error->error, "invalid_request") == 0 ||
		strcmp(error->error, "invalid_client") == 0) &&
	    strstr(error->description, "client_secret") != NULL;
}

/* What a number, or the provider, makes more of than the word says. */
static const char *text_of_special(const struct provider *provider,
    const struct reply_error *error)
{
	const struct advice_word *sub = find_word(error->suberror);
	const char *text = NULL;

	if (is_microsoft(provider, error) && !is_persons_no(error))
		text = text_of_codes(error);
	if (text != NULL)
		return text;
	if (provider->registered &&
	    (strcmp(error->error, "invalid_client") == 0 ||
		strcmp(error->error, "unauthorized_client") == 0))
		return "the server does not accept the client any more that "
		       "was registered there: sign in again with 'mailtoken "
		       "login', which registers a new one";
	if (is_secret_missing(provider, error))
		return "a secret is asked for: write client_secret_file with "
		       "the one that the application was given";
	if (provider->family != PROVIDER_GOOGLE)
		return NULL;
	if (sub != NULL)
		return sub->text;
	return strcmp(error->error, "invalid_grant") == 0 ?
	    advice_google_grant :
	    NULL;
}

void advice_text(const struct provider *provider, long status,
    const struct reply_error *error, char *out, size_t out_bytes)
{
	const struct advice_word *known = find_word(error->error);
	const char *text = text_of_special(provider, error);
	size_t n;

	if (text != NULL) {
		(void)snprintf(out, out_bytes, "%s", text);
		return;
	}
	if (known != NULL)
		(void)snprintf(out, out_bytes, "%s", known->text);
	else
		text_unknown(status, error, out, out_bytes);
	n = strlen(out);
	if (error->n_codes > 0 && is_microsoft(provider, error))
		(void)snprintf(out + n, out_bytes - n,
		    ": see https://"
		    "login.microsoftonline.com/error?code=%lld",
		    (long long)error->codes[0]);
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
