/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The sentences as data, a row each, and the rules over them: Microsoft's
 * numbers (learn.microsoft.com, "Microsoft Entra authentication and
 * authorization error codes"), the words of RFC 6749 section 5.2, RFC 8628
 * section 3.5, OpenID Connect and the providers, and statuses of HTTP.
 */
#include "oauth/advice.h"

#include <stdio.h>

#define AGAIN "sign in again with 'mailtoken login'"

/*
 * Of which words, numbers and statuses, with blanks between them; what they
 * mean, without a capital and a full stop, since it follows "...: ".
 */
static const struct {
	const char *keys;
	const char *text;
} rows[] = {
	{ "28002 28003 70011 700023",
	    "the scope is wrong or empty: use the Outlook scopes, which come "
	    "with the preset" },
	{ "50001 500011",
	    "Outlook is not known in this tenant: wrong scope, wrong cloud, "
	    "or no Exchange licence" },
	{ "50011 70004 900971",
	    "the redirect address is not registered: add http://localhost "
	    "under 'Mobile and desktop applications'" },
	{ "50012 50013 50027 500133 700027 700030",
	    "the signed assertion is refused: check the certificate, its "
	    "upload at the provider, and the clock of this machine" },
	{ "50020",
	    "the account is of another directory or a personal one: invite "
	    "it, or set the right tenant" },
	{ "50033 70012 90006 90012 90024 90033 90090 "
	  "temporarily_unavailable server_error",
	    "the provider has a passing fault: it is tried again by itself" },
	{ "50034",
	    "the account is not in this tenant: check the address and tenant" },
	{ "50053",
	    "the account is locked after bad sign-ins, or this address is "
	    "flagged: wait, then look at the sign-in log" },
	{ "50055 50144", "the password has expired: change it, then " AGAIN },
	{ "50056",
	    "the account has no usable password here: " AGAIN ", or let an "
	    "administrator reset it" },
	{ "50057",
	    "the account is disabled: let an administrator enable it, or use "
	    "another mailbox" },
	{ "50058", "nobody is signed in: " AGAIN },
	{ "50059 50128 90019",
	    "the tenant is not known: write tenant ... with your domain or "
	    "tenant id" },
	{ "50072 50079",
	    "a second factor must be set up first: sign in in a browser, "
	    "finish the set-up, then " AGAIN },
	{ "50074 50076", "a second factor is asked for: " AGAIN },
	{ "50078", "the second factor is too long ago for the policy: " AGAIN },
	{ "50085", "the session has ended: start the sign-in again" },
	{ "50089", "the sign-in took too long: start it again" },
	{ "50097 50129 50155 53000 53001 530002 530003",
	    "a policy wants a managed device: use an app-only flow "
	    "('client-credentials') or change the policy" },
	{ "50105",
	    "the user is not assigned to the enterprise application: an "
	    "administrator must assign it" },
	{ "50126", "wrong user name or password: " AGAIN },
	{ "50131",
	    "Conditional Access refused: an administrator should look at the "
	    "sign-in log" },
	{ "50132 50133", "a change of the password ended the session: " AGAIN },
	{ "50134",
	    "the code was approved from another region or cloud: sign in "
	    "again and approve it in the same one" },
	{ "50135",
	    "the password must be changed first: change it, then " AGAIN },
	{ "50140 50199",
	    "a page in the browser was not finished: " AGAIN " and finish it" },
	{ "50147 501481 501491",
	    "the sign-in was mixed up with another one: start it again" },
	{ "50158", "another provider's second factor is asked for: " AGAIN },
	{ "50173",
	    "the sign-in was revoked, by an administrator or a new password: " AGAIN },
	{ "50194",
	    "the application is for one tenant only: write tenant ... with "
	    "your domain or tenant id in place of common" },
	{ "50196", "too many requests of the same kind: wait some minutes" },
	{ "53002",
	    "a policy allows approved applications only: exclude this one, or "
	    "use an app-only flow ('client-credentials')" },
	{ "53003 530032 530036",
	    "Conditional Access or another security policy blocks this "
	    "sign-in, often the device code: look at the sign-in log, or sign "
	    "in with 'mailtoken login --flow browser'" },
	{ "53011",
	    "the user is blocked for risk in the home tenant: ask its "
	    "administrator" },
	{ "54005", "the code was used already: start the sign-in again" },
	{ "65001",
	    "nobody has consented to this application and scope: " AGAIN " "
	    "and accept, or let an administrator consent" },
	{ "65002",
	    "the client id is one of Microsoft's own: register your own "
	    "application" },
	{ "65004", "the consent was declined: " AGAIN " and accept" },
	{ "65005 650052 650054 650056 650057",
	    "the registration lacks the Exchange permissions, or the "
	    "organisation has no Exchange: add them and give consent" },
	{ "70000", "the sign-in is not valid for this application: " AGAIN },
	{ "70001 7000112",
	    "the application is disabled in the tenant: an administrator must "
	    "enable it" },
	{ "70002 7000215",
	    "the client secret is wrong: use the secret's Value, not its ID" },
	{ "70003",
	    "the provider does not know this grant: check flow and the "
	    "registration" },
	{ "70007",
	    "the provider does not know this response mode: check extra" },
	{ "70008 700082",
	    "the sign-in was not used for too long or was revoked: " AGAIN },
	{ "70016 authorization_pending", "the sign-in is not finished yet" },
	{ "70018 bad_verification_code",
	    "the device code is not known there: check tenant, then start the "
	    "sign-in again" },
	{ "70019 70020 expired_token",
	    "the code has expired: start the sign-in again" },
	{ "70043",
	    "a policy asks for a new sign-in from time to time: " AGAIN ", or "
	    "use an app-only flow where nobody sits" },
	{ "90002", "the tenant does not exist: check its spelling, and cloud" },
	{ "90013 90023 90100 9002313",
	    "the provider calls the request malformed: look for odd "
	    "characters in client_id, tenant, scope and extra" },
	{ "90014 900144",
	    "a field is missing in the request: check client_id, scope and "
	    "extra" },
	{ "90038 900382 900432 900439",
	    "the tenant is in another national cloud: set cloud" },
	{ "90055", "the tenant asks too much and is slowed down: wait" },
	{ "90072",
	    "the account is not in the tenant: an administrator must invite "
	    "it" },
	{ "90094 90095",
	    "an administrator of the organisation must consent to the "
	    "application first" },
	{ "90119 90120",
	    "the device code is missing or was used: start the sign-in again" },
	{ "90124 90130 9001023",
	    "this needs a tenant of its own: write tenant ... with your "
	    "domain in place of common or consumers" },
	{ "500014",
	    "Exchange is disabled in the tenant: an administrator should look "
	    "at the subscription" },
	{ "500021 500022 500212 500213",
	    "a policy about other organisations' tenants blocks this: an "
	    "administrator must allow it" },
	{ "500208",
	    "this kind of account does not fit, personal or work: set another "
	    "tenant" },
	{ "530034",
	    "the sign-in is blocked for risk: an administrator should look at "
	    "the sign-in log" },
	{ "530035",
	    "security defaults block this sign-in: an administrator should "
	    "look at the sign-in log" },
	{ "700005",
	    "the code was made for another tenant: sign in again with the "
	    "same tenant" },
	{ "700011 700016",
	    "client_id is not known in this tenant or cloud: check client_id, "
	    "tenant and cloud" },
	{ "700020 login_required", "somebody must sign in: " AGAIN },
	{ "700022", "scope names two services: keep only the Outlook scopes" },
	{ "700024",
	    "the signed assertion is outside its time: set the clock of this "
	    "machine" },
	{ "700025",
	    "the application is public but a secret was sent: remove "
	    "client_secret_file, or register a web application" },
	{ "700084",
	    "the redirect address is registered as a single-page application, "
	    "so a sign-in lasts 24 hours: register it as mobile and desktop" },
	{ "7000218",
	    "a secret is asked for: switch on 'Allow public client flows' in "
	    "the registration, or write client_secret_file" },
	{ "7000222",
	    "the client secret has expired: make a new one and put it into "
	    "client_secret_file" },
	{ "7000229",
	    "the application has no place in this tenant: create the "
	    "enterprise application" },
	{ "9002332",
	    "the application is for work accounts only: register it for "
	    "personal accounts too" },
	{ "invalid_grant", "the sign-in has ended or was revoked: " AGAIN },
	{ "invalid_rapt",
	    "the organisation's policy for the length of sessions ended the "
	    "sign-in: " AGAIN ", or let an administrator change it" },
	{ "interaction_required",
	    "somebody must answer a question in a browser: " AGAIN },
	{ "consent_required",
	    "nobody has consented to this application: " AGAIN " and accept" },
	{ "invalid_client",
	    "the application is not accepted: check client_id and the client "
	    "secret" },
	{ "unauthorized_client",
	    "the application may not do this: check its registration at the "
	    "provider" },
	{ "invalid_scope",
	    "the scope is not accepted: check scope and protocols" },
	{ "unsupported_grant_type",
	    "the provider does not know this kind of sign-in: set another "
	    "flow" },
	{ "invalid_request",
	    "the provider calls the request wrong: check client_id, tenant, "
	    "scope and extra" },
	{ "invalid_resource",
	    "the scope names a service that is not there: check scope and "
	    "cloud" },
	{ "org_internal",
	    "the application is for its own organisation only: make it "
	    "external, or use an account of the organisation" },
	{ "disabled_client",
	    "the application was disabled by the provider: look at its "
	    "registration" },
	{ "deleted_client",
	    "the application was deleted: register a new one and set "
	    "client_id" },
	{ "admin_policy_enforced",
	    "the organisation does not allow this application: an "
	    "administrator must trust it" },
	{ "redirect_uri_mismatch",
	    "the redirect address is not registered: add "
	    "http://127.0.0.1/callback, or register a desktop application" },
	{ "access_denied authorization_declined",
	    "the sign-in was refused in the browser: start it again and "
	    "accept" },
	{ "slow_down status-429", "the provider is asked too often: wait" },
	{ "unsupported_token_type",
	    "the provider does not revoke this kind of token" },
	{ "status-401 status-403",
	    "the provider refused without a reason: check client_id and the "
	    "client secret" },
	{ "status-404 status-405 status-410",
	    "that is not the right address: check the endpoints and tenant" },
	{ "status-407",
	    "a proxy wants a name and a password: write them into proxy" },
};

/* What a word means at a token endpoint; any other is ADVICE_TRANSIENT. */
static const char login_words[] =
    "invalid_grant invalid_rapt interaction_required consent_required "
    "login_required";
static const char config_words[] =
    "invalid_client unauthorized_client invalid_scope unsupported_grant_type "
    "invalid_request invalid_resource org_internal disabled_client "
    "deleted_client admin_policy_enforced";

static bool lists(const char *words, const char *word)
{
	size_t n = strlen(word);
	const char *p = words;

	while (n > 0 && (p = strstr(p, word)) != NULL) {
		if ((p == words || p[-1] == ' ') &&
		    (p[n] == ' ' || p[n] == '\0'))
			return true;
		p += n;
	}
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

/* What the provider, or what we know of it, makes of the word. */
static const char *text_of_provider(const struct provider *provider,
    const struct reply_error *error)
{
	const char *text;

	if (provider->registered &&
	    lists("invalid_client unauthorized_client", error->error))
		return "the server does not accept the client any more that "
		       "was registered there: sign in again with 'mailtoken "
		       "login', which registers a new one";
	/* Google wants one of desktop applications, too. */
	if (provider->client_secret == NULL && provider->key == NULL &&
	    provider->assertion_file == NULL &&
	    lists("invalid_request invalid_client", error->error) &&
	    strstr(error->description, "client_secret") != NULL)
		return "a secret is asked for: write client_secret_file with "
		       "the one that the application was given";
	if (provider->family != PROVIDER_GOOGLE)
		return NULL;
	text = sentence(error->suberror);
	if (text == NULL && strcmp(error->error, "invalid_grant") == 0)
		text = "the sign-in has ended or was revoked: " AGAIN
		       " (a new password ends it, and so do 7 days while the "
		       "consent screen has status 'Testing')";
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

	if (text == NULL)
		text = text_of_provider(provider, error);
	if (text == NULL) {
		text = sentence(error->error);
		if (microsoft)
			(void)snprintf(link, sizeof(link),
			    ": see https://login.microsoftonline.com/"
			    "error?code=%lld",
			    (long long)error->codes[0]);
	}
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
