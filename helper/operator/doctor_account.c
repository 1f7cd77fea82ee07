/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of providers, as the helper reaches them, and of accounts: their
 * state, and what their tokens are for.
 */
#include <stdio.h>

#include "oauth/form.h"
#include "oauth/reply_impl.h"
#include "operator/doctor.h"

#define CLAIMS_MAX_BYTES 65536

/* Fills five: dns, connect, tls, clock, client. */
void doctor_probe(struct doctor *doctor, struct finding *finding)
{
	static const char lacks[] = "not run: ";
	const char *name = doctor->subject.p;
	struct finding *at = finding;
	enum verdict verdict;
	struct span text;
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_PROBE, NULL);
	talk_put(&talk, ATTR_PROVIDER, name[0] != '\0' ? name : NULL);
	while (at < finding + DOCTOR_PROBES && doctor_ask(&talk)) {
		text = attr_get(&talk.list, ATTR_TEXT);
		verdict = attr_is(&talk.list, ATTR_OUTCOME, RESULT_OK) ?
		    VERDICT_GOOD :
		    VERDICT_WRONG;
		if (attr_is(&talk.list, ATTR_OUTCOME, "not-run")) {
			text.p += sizeof(lacks) - 1;
			text.n -= sizeof(lacks) - 1;
			verdict = strncmp(text.p, "needs", 5) == 0 ?
			    VERDICT_NOT_RUN :
			    VERDICT_NONE;
		}
		finding_say(at++, verdict, "%.*s", SPAN(text));
	}
	/* An imported client, say, has no block to be tried. */
	if (at == finding)
		finding_none(at, "not tried: %s", talk.why.text);
}

void doctor_account(struct doctor *doctor, struct finding *finding)
{
	const char *name = doctor->subject.p;
	const struct doctor_account *account = doctor_account_of(doctor, name);

	if (account->provider[0] != '\0') {
		finding_good(finding, "the helper knows it; provider %s",
		    account->provider);
	} else {
		finding_wrong(finding, "%snobody has signed it in",
		    doctor_route_of(doctor, name) != NULL ?
			"Postfix logs in as this account, and " :
			"");
		finding_type(finding, "mailtoken login %s", finding_name(name));
	}
}

/* What the helper says of a grant that works, or may well. */
static bool is_good(struct span text)
{
	static const char *const begins[] = { "an older grant of a sign-in ",
		"imported, and not renewed yet: " };
	size_t i;

	for (i = 0; i < 2; i++)
		if (text.n > strlen(begins[i]) &&
		    memcmp(text.p, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

void doctor_state(struct doctor *doctor, struct finding *finding)
{
	const char *name = doctor->subject.p;
	struct span state, text;
	int64_t expires_s = 0;
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_STATUS, name);
	if (!doctor_ask(&talk)) {
		finding_wrong(finding, "%s", talk.why.text);
		return;
	}
	state = attr_get(&talk.list, ATTR_STATE);
	text = attr_get(&talk.list, ATTR_TEXT);
	(void)!attr_number(attr_get(&talk.list, ATTR_EXPIRES), 0, INT64_MAX,
	    &expires_s);
	if (text.n > 0 && span_is(state, "active") && is_good(text)) {
		finding_good(finding, "%.*s: %.*s", SPAN(state), SPAN(text));
	} else if (text.n > 0) {
		finding_wrong(finding, "%.*s: %.*s", SPAN(state), SPAN(text));
		doctor_type(finding, name);
		if (finding->type[0] == '\0')
			finding_type(finding,
			    span_is(state, "login-needed") ?
				"mailtoken login %s" :
				"mailtoken refresh %s",
			    finding_name(name));
	} else {
		finding_good(finding, "%.*s; its token lives %s", SPAN(state),
		    screen_left(expires_s - screen_now_s()).text);
	}
}

/* The claims of a token that is a JWT (RFC 7519), never shown whole; NULL of
 * another one. */
static json_t *claims_of(struct span token)
{
	const char *at = memchr(token.p, '.', token.n);
	struct buf bytes = BUF_INIT(CLAIMS_MAX_BYTES);
	json_t *claims = NULL;

	/* A list's value ends with its line. */
	if (at == NULL ||
	    form_unbase64url((struct span){ at + 1, strcspn(at + 1, ".\n") },
		&bytes) != FAULT_NONE ||
	    reply_object(buf_span(&bytes), &claims, NULL) != FAULT_NONE)
		claims = NULL;
	buf_drop(&bytes);
	return claims;
}

/* A claim, or the first one of an array; "" without one. */
static const char *claim(const json_t *claims, const char *name)
{
	const json_t *value = json_object_get(claims, name);
	const char *text = json_string_value(
	    json_is_array(value) ? json_array_get(value, 0) : value);

	return text != NULL ? text : "";
}

static void judge_audience(const json_t *claims, struct finding *finding)
{
	const char *aud = claim(claims, "aud");

	if (strstr(aud, "graph.microsoft.com") == NULL &&
	    strncmp(aud, "00000003-0000-0000-c000", 23) != 0)
		finding_good(finding, "the token is for %s, tenant %s", aud,
		    claim(claims, "tid"));
	else
		finding_wrong(finding,
		    "the token is for Microsoft Graph (aud %s), and mail "
		    "servers refuse it (535 5.7.3): have 'scope' in the "
		    "provider's block name https://outlook.office.com, or "
		    "leave it out, and sign in again",
		    aud);
}

/* Whose token it is; a colleague who is signed in here, too, stands for a
 * shared mailbox. */
static void judge_user(struct doctor *doctor, const char *name, const char *who,
    struct finding *finding)
{
	if (who[0] == '\0' || doctor_account_of(doctor, who) != NULL) {
		finding_good(finding, "the token is %s's",
		    who[0] != '\0' ? who : name);
		return;
	}
	/* As a delegate, or by another name of the same. */
	finding_none(finding,
	    "%s signed in for %s, and a server takes that only where %s has "
	    "rights on that mailbox: mailtoken doctor --live shows it",
	    who, name, who);
}

/* Words of scope, or roles of an application. */
static void judge_rights(const json_t *claims, bool sends,
    struct finding *finding)
{
	const char *rights = claim(claims, "scp");
	char words[1000] = "", extra[1000] = "";
	const json_t *roles = json_object_get(claims, "roles");
	struct span word;
	size_t i;

	(void)snprintf(words, sizeof(words), "%s", rights);
	for (i = 0; i < json_array_size(roles); i++)
		if (json_is_string(json_array_get(roles, i)))
			(void)snprintf(words + strlen(words),
			    sizeof(words) - strlen(words), " %s",
			    json_string_value(json_array_get(roles, i)));
	rights = words;
	while ((word = span_next(&rights)).n > 0)
		if (memmem(word.p, word.n, "SMTP.", 5) == NULL &&
		    memmem(word.p, word.n, "IMAP.", 5) == NULL &&
		    memmem(word.p, word.n, "POP.", 4) == NULL &&
		    !span_listed(word,
			"openid profile email offline_access Mail.Send"))
			(void)snprintf(extra + strlen(extra),
			    sizeof(extra) - strlen(extra), " %.*s", SPAN(word));
	if (sends && strstr(words, "SMTP.") == NULL &&
	    strstr(words, "Mail.Send") == NULL)
		finding_wrong(finding,
		    "the token may not send mail (it may: %s): add the "
		    "permission SMTP.Send to the application, or "
		    "SMTP.SendAsApp where nobody signs in, and consent to it",
		    words);
	else
		finding_good(finding, "the token may: %s%s%s", words,
		    extra[0] != '\0' ? "; more than mail needs:" : "", extra);
}

/* Fills four: account-server, token-audience, token-user, token-rights. */
void doctor_token(struct doctor *doctor, struct finding *finding)
{
	char host[DOCTOR_NAME_BYTES] = "", who[320];
	const char *name = doctor->subject.p;
	const struct route *sends = doctor_route_of(doctor, name);
	json_t *claims;
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_STATUS, name);
	(void)doctor_ask(&talk);
	(void)snprintf(who, sizeof(who), "%.*s",
	    SPAN(attr_get(&talk.list, ATTR_IDENTITY)));
	if (sends != NULL)
		(void)doctor_hop(sends->relay, host);
	doctor_begin(&talk, doctor, VERB_TOKEN, name);
	talk_put(&talk, ATTR_SERVER, sends != NULL ? host : NULL);
	talk_put(&talk, ATTR_SERVICE, sends != NULL ? "smtp" : NULL);
	(void)doctor_ask(&talk);
	if (talk.why.text[0] != '\0') {
		finding_wrong(finding, "no token for %s: %s",
		    sends != NULL ? host : "it", talk.why.text);
		doctor_type(finding, name);
		return;
	}
	finding_good(finding, "a token for %s is given out",
	    sends != NULL ? host : "its servers");
	claims = claims_of(attr_get(&talk.list, ATTR_TOKEN));
	if (claims != NULL && claim(claims, "aud")[0] != '\0')
		judge_audience(claims, finding + 1);
	if (claims != NULL && claim(claims, "upn")[0] != '\0')
		(void)snprintf(who, sizeof(who), "%s", claim(claims, "upn"));
	judge_user(doctor, name, who, finding + 2);
	/* Elsewhere the words mean something else. */
	if (claims != NULL && strstr(claim(claims, "aud"), "outlook") != NULL &&
	    (json_object_get(claims, "scp") != NULL ||
		json_object_get(claims, "roles") != NULL))
		judge_rights(claims, sends != NULL, finding + 3);
	json_decref(claims);
}
