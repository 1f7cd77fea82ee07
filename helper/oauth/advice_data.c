/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Microsoft's numbers (learn.microsoft.com, "Microsoft Entra authentication
 * and authorization error codes") by size, then the words of RFC 6749
 * section 5.2, RFC 8628 section 3.5, OpenID Connect and the providers.
 */
#include "oauth/advice_data.h"

#define AGAIN "sign in again with 'mailtoken login'"
#define WAIT  "the provider has a passing fault: it is tried again by itself"
#define MFA   "a second factor is asked for: " AGAIN
#define MFA_SETUP \
	"a second factor must be set up first: sign in in a browser, finish " \
	"the set-up, then " AGAIN
#define DEVICE_POLICY \
	"a policy wants a managed device: use an app-only flow " \
	"('client-credentials') or change the policy"
#define NO_TENANT \
	"the tenant is not known: write tenant ... with your domain or " \
	"tenant id"
#define ASSERTION \
	"the signed assertion is refused: check the certificate, its upload " \
	"at the provider, and the clock of this machine"
#define REDIRECT \
	"the redirect address is not registered: add http://localhost under " \
	"'Mobile and desktop applications'"
#define CROSS_TENANT \
	"a policy about other organisations' tenants blocks this: an " \
	"administrator must allow it"
#define PKCE "the sign-in was mixed up with another one: start it again"
#define POLICY \
	"Conditional Access or another security policy blocks this sign-in, " \
	"often the device code: look at the sign-in log, or sign in with " \
	"'mailtoken login --flow browser'"
#define PERMISSION \
	"the registration lacks the Exchange permissions, or the " \
	"organisation has no Exchange: add them and give consent"
#define NO_APP \
	"client_id is not known in this tenant or cloud: check client_id, " \
	"tenant and cloud"
#define BAD_SECRET \
	"the client secret is wrong: use the secret's Value, not its ID"
#define BAD_SCOPE \
	"the scope is wrong or empty: use the Outlook scopes, which come " \
	"with the preset"
#define LAPSED "the sign-in was not used for too long or was revoked: " AGAIN
#define MALFORMED \
	"the provider calls the request malformed: look for odd characters " \
	"in client_id, tenant, scope and extra"
#define WRONG_CLOUD "the tenant is in another national cloud: set cloud"
#define ADMIN_CONSENT \
	"an administrator of the organisation must consent to the " \
	"application first"
#define NO_SHARED \
	"this needs a tenant of its own: write tenant ... with your " \
	"domain in place of common or consumers"
#define NO_OUTLOOK \
	"Outlook is not known in this tenant: wrong scope, wrong cloud, or " \
	"no Exchange licence"
#define OLD_PASSWORD "the password has expired: change it, then " AGAIN
#define NEW_PASSWORD "a change of the password ended the session: " AGAIN
#define UNFINISHED \
	"a page in the browser was not finished: " AGAIN " and finish it"
#define APP_DISABLED \
	"the application is disabled in the tenant: an administrator must " \
	"enable it"
#define CODE_EXPIRED "the code has expired: start the sign-in again"
#define FIELD_MISSING \
	"a field is missing in the request: check client_id, scope and extra"
#define CODE_USED \
	"the device code is missing or was used: start the sign-in again"
#define DECLINED \
	"the sign-in was refused in the browser: start it again and accept"
#define CODE_UNKNOWN \
	"the device code is not known there: check tenant, then start the " \
	"sign-in again"
#define PENDING "the sign-in is not finished yet"

const struct advice_code advice_codes[] = {
	{ 28002, BAD_SCOPE },
	{ 28003, BAD_SCOPE },
	{ 50001, NO_OUTLOOK },
	{ 50011, REDIRECT },
	{ 50012, ASSERTION },
	{ 50013, ASSERTION },
	{ 50020,
	    "the account is of another directory or a personal one: invite "
	    "it, or set the right tenant" },
	{ 50027, ASSERTION },
	{ 50033, WAIT },
	{ 50034,
	    "the account is not in this tenant: check the address and tenant" },
	{ 50053,
	    "the account is locked after bad sign-ins, or this address is "
	    "flagged: wait, then look at the sign-in log" },
	{ 50055, OLD_PASSWORD },
	{ 50056,
	    "the account has no usable password here: " AGAIN ", or let an "
	    "administrator reset it" },
	{ 50057,
	    "the account is disabled: let an administrator enable it, or "
	    "use another mailbox" },
	{ 50058, "nobody is signed in: " AGAIN },
	{ 50059, NO_TENANT },
	{ 50072, MFA_SETUP },
	{ 50074, MFA },
	{ 50076, MFA },
	{ 50078, "the second factor is too long ago for the policy: " AGAIN },
	{ 50079, MFA_SETUP },
	{ 50085, "the session has ended: start the sign-in again" },
	{ 50089, "the sign-in took too long: start it again" },
	{ 50097, DEVICE_POLICY },
	{ 50105,
	    "the user is not assigned to the enterprise application: an "
	    "administrator must assign it" },
	{ 50126, "wrong user name or password: " AGAIN },
	{ 50128, NO_TENANT },
	{ 50129, DEVICE_POLICY },
	{ 50131,
	    "Conditional Access refused: an administrator should look at "
	    "the sign-in log" },
	{ 50132, NEW_PASSWORD },
	{ 50133, NEW_PASSWORD },
	{ 50134,
	    "the code was approved from another region or cloud: sign in "
	    "again and approve it in the same one" },
	{ 50135, "the password must be changed first: change it, then " AGAIN },
	{ 50140, UNFINISHED },
	{ 50144, OLD_PASSWORD },
	{ 50147, PKCE },
	{ 50155, DEVICE_POLICY },
	{ 50158, "another provider's second factor is asked for: " AGAIN },
	{ 50173,
	    "the sign-in was revoked, by an administrator or a new "
	    "password: " AGAIN },
	{ 50194,
	    "the application is for one tenant only: write tenant ... "
	    "with your domain or tenant id in place of common" },
	{ 50196, "too many requests of the same kind: wait some minutes" },
	{ 50199, UNFINISHED },
	{ 53000, DEVICE_POLICY },
	{ 53001, DEVICE_POLICY },
	{ 53002,
	    "a policy allows approved applications only: exclude this one, "
	    "or use an app-only flow ('client-credentials')" },
	{ 53003, POLICY },
	{ 53011,
	    "the user is blocked for risk in the home tenant: ask its "
	    "administrator" },
	{ 54005, "the code was used already: start the sign-in again" },
	{ 65001,
	    "nobody has consented to this application and scope: " AGAIN
	    " and accept, or let an administrator consent" },
	{ 65002,
	    "the client id is one of Microsoft's own: register your own "
	    "application" },
	{ 65004, "the consent was declined: " AGAIN " and accept" },
	{ 65005, PERMISSION },
	{ 70000, "the sign-in is not valid for this application: " AGAIN },
	{ 70001, APP_DISABLED },
	{ 70002, BAD_SECRET },
	{ 70003,
	    "the provider does not know this grant: check flow and the "
	    "registration" },
	{ 70004, REDIRECT },
	{ 70007, "the provider does not know this response mode: check extra" },
	{ 70008, LAPSED },
	{ 70011, BAD_SCOPE },
	{ 70012, WAIT },
	{ 70016, PENDING },
	{ 70018, CODE_UNKNOWN },
	{ 70019, CODE_EXPIRED },
	{ 70020, CODE_EXPIRED },
	{ 70043,
	    "a policy asks for a new sign-in from time to time: " AGAIN ", "
	    "or use an app-only flow where nobody sits" },
	{ 90002, "the tenant does not exist: check its spelling, and cloud" },
	{ 90006, WAIT },
	{ 90012, WAIT },
	{ 90013, MALFORMED },
	{ 90014, FIELD_MISSING },
	{ 90019, NO_TENANT },
	{ 90023, MALFORMED },
	{ 90024, WAIT },
	{ 90033, WAIT },
	{ 90038, WRONG_CLOUD },
	{ 90055, "the tenant asks too much and is slowed down: wait" },
	{ 90072,
	    "the account is not in the tenant: an administrator must invite "
	    "it" },
	{ 90090, WAIT },
	{ 90094, ADMIN_CONSENT },
	{ 90095, ADMIN_CONSENT },
	{ 90100, MALFORMED },
	{ 90119, CODE_USED },
	{ 90120, CODE_USED },
	{ 90124, NO_SHARED },
	{ 90130, NO_SHARED },
	{ 500011, NO_OUTLOOK },
	{ 500014,
	    "Exchange is disabled in the tenant: an administrator should "
	    "look at the subscription" },
	{ 500021, CROSS_TENANT },
	{ 500022, CROSS_TENANT },
	{ 500133, ASSERTION },
	{ 500208,
	    "this kind of account does not fit, personal or work: set "
	    "another tenant" },
	{ 500212, CROSS_TENANT },
	{ 500213, CROSS_TENANT },
	{ 501481, PKCE },
	{ 501491, PKCE },
	{ 530002, DEVICE_POLICY },
	{ 530003, DEVICE_POLICY },
	{ 530032, POLICY },
	{ 530034,
	    "the sign-in is blocked for risk: an administrator should look "
	    "at the sign-in log" },
	{ 530035,
	    "security defaults block this sign-in: an administrator should "
	    "look at the sign-in log" },
	{ 530036, POLICY },
	{ 650052, PERMISSION },
	{ 650054, PERMISSION },
	{ 650056, PERMISSION },
	{ 650057, PERMISSION },
	{ 700005,
	    "the code was made for another tenant: sign in again with the "
	    "same tenant" },
	{ 700011, NO_APP },
	{ 700016, NO_APP },
	{ 700020, "somebody must sign in: " AGAIN },
	{ 700022, "scope names two services: keep only the Outlook scopes" },
	{ 700023, BAD_SCOPE },
	{ 700024,
	    "the signed assertion is outside its time: set the clock of "
	    "this machine" },
	{ 700025,
	    "the application is public but a secret was sent: remove "
	    "client_secret_file, or register a web application" },
	{ 700027, ASSERTION },
	{ 700030, ASSERTION },
	{ 700082, LAPSED },
	{ 700084,
	    "the redirect address is registered as a single-page "
	    "application, so a sign-in lasts 24 hours: register it as "
	    "mobile and desktop" },
	{ 900144, FIELD_MISSING },
	{ 900382, WRONG_CLOUD },
	{ 900432, WRONG_CLOUD },
	{ 900439, WRONG_CLOUD },
	{ 900971, REDIRECT },
	{ 7000112, APP_DISABLED },
	{ 7000215, BAD_SECRET },
	{ 7000218,
	    "a secret is asked for: switch on 'Allow public client flows' "
	    "in the registration, or write client_secret_file" },
	{ 7000222,
	    "the client secret has expired: make a new one and put it into "
	    "client_secret_file" },
	{ 7000229,
	    "the application has no place in this tenant: create the "
	    "enterprise application" },
	{ 9001023, NO_SHARED },
	{ 9002313, MALFORMED },
	{ 9002332,
	    "the application is for work accounts only: register it for "
	    "personal accounts too" },
};

const size_t advice_n_codes = sizeof(advice_codes) / sizeof(advice_codes[0]);

const char advice_google_grant[] =
    "the sign-in has ended or was revoked: " AGAIN " (a new password ends "
    "it, and so do 7 days while the consent screen has status 'Testing')";

const struct advice_word advice_words[] = {
	{ "invalid_grant", ADVICE_LOGIN_NEEDED,
	    "the sign-in has ended or was revoked: " AGAIN },
	{ "invalid_rapt", ADVICE_LOGIN_NEEDED,
	    "the organisation's policy for the length of sessions ended the "
	    "sign-in: " AGAIN ", or let an administrator change it" },
	{ "interaction_required", ADVICE_LOGIN_NEEDED,
	    "somebody must answer a question in a browser: " AGAIN },
	{ "consent_required", ADVICE_LOGIN_NEEDED,
	    "nobody has consented to this application: " AGAIN " and accept" },
	{ "login_required", ADVICE_LOGIN_NEEDED,
	    "somebody must sign in: " AGAIN },
	{ "invalid_client", ADVICE_CONFIG,
	    "the application is not accepted: check client_id and the "
	    "client secret" },
	{ "unauthorized_client", ADVICE_CONFIG,
	    "the application may not do this: check its registration at the "
	    "provider" },
	{ "invalid_scope", ADVICE_CONFIG,
	    "the scope is not accepted: check scope and protocols" },
	{ "unsupported_grant_type", ADVICE_CONFIG,
	    "the provider does not know this kind of sign-in: set another "
	    "flow" },
	{ "invalid_request", ADVICE_CONFIG,
	    "the provider calls the request wrong: check client_id, tenant, "
	    "scope and extra" },
	{ "invalid_resource", ADVICE_CONFIG,
	    "the scope names a service that is not there: check scope and "
	    "cloud" },
	{ "org_internal", ADVICE_CONFIG,
	    "the application is for its own organisation only: make it "
	    "external, or use an account of the organisation" },
	{ "disabled_client", ADVICE_CONFIG,
	    "the application was disabled by the provider: look at its "
	    "registration" },
	{ "deleted_client", ADVICE_CONFIG,
	    "the application was deleted: register a new one and set "
	    "client_id" },
	{ "admin_policy_enforced", ADVICE_CONFIG,
	    "the organisation does not allow this application: an "
	    "administrator must trust it" },
	{ "redirect_uri_mismatch", ADVICE_TRANSIENT,
	    "the redirect address is not registered: add "
	    "http://127.0.0.1/callback, or register a desktop application" },
	{ "temporarily_unavailable", ADVICE_TRANSIENT, WAIT },
	{ "server_error", ADVICE_TRANSIENT, WAIT },
	{ "access_denied", ADVICE_TRANSIENT, DECLINED },
	{ "authorization_declined", ADVICE_TRANSIENT, DECLINED },
	{ "authorization_pending", ADVICE_TRANSIENT, PENDING },
	{ "slow_down", ADVICE_TRANSIENT,
	    "the provider is asked too often: wait" },
	{ "expired_token", ADVICE_TRANSIENT, CODE_EXPIRED },
	{ "bad_verification_code", ADVICE_TRANSIENT, CODE_UNKNOWN },
	{ "unsupported_token_type", ADVICE_TRANSIENT,
	    "the provider does not revoke this kind of token" },
};

const size_t advice_n_words = sizeof(advice_words) / sizeof(advice_words[0]);
