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
#define CLOCK_OFF_MAX_S	 600

static void name_of(struct span subject, char name[DOCTOR_NAME_BYTES])
{
	(void)snprintf(name, DOCTOR_NAME_BYTES, "%.*s", SPAN(subject));
}

/* Fills five: dns, connect, tls, clock, client. */
void doctor_probe(struct doctor *doctor, struct finding *finding)
{
	static const char lacks[] = "not run: ";
	char name[DOCTOR_NAME_BYTES];
	struct finding *at = finding;
	struct span text;
	struct talk talk;

	name_of(doctor->subject, name);
	doctor_begin(&talk, doctor, VERB_PROBE, NULL);
	talk_put(&talk, ATTR_PROVIDER, name);
	while (at < finding + DOCTOR_PROBES && doctor_ask(&talk)) {
		text = attr_get(&talk.list, ATTR_TEXT);
		if (attr_is(&talk.list, ATTR_OUTCOME, "not-run")) {
			finding_none(at, "%.*s", SPAN(text));
			if (strncmp(at->text, "not run: needs", 14) == 0) {
				at->verdict = VERDICT_NOT_RUN;
				memmove(at->text, at->text + sizeof(lacks) - 1,
				    strlen(at->text) - sizeof(lacks) + 2);
			}
		} else if (attr_is(&talk.list, ATTR_OUTCOME, RESULT_OK)) {
			finding_good(at, "%.*s", SPAN(text));
		} else {
			finding_wrong(at, "%.*s", SPAN(text));
		}
		at++;
	}
	/* An imported client, say, has no block to be tried. */
	if (at == finding)
		finding_none(at, "not tried: %s", talk.why.text);
	talk_close(&talk);
}

void doctor_account(struct doctor *doctor, struct finding *finding)
{
	char name[DOCTOR_NAME_BYTES];
	struct talk talk;

	name_of(doctor->subject, name);
	doctor_begin(&talk, doctor, VERB_STATUS, name);
	if (doctor_ask(&talk)) {
		finding_good(finding, "the helper knows it; provider %.*s",
		    SPAN(attr_get(&talk.list, ATTR_PROVIDER)));
	} else {
		finding_wrong(finding, "%snobody has signed it in",
		    strcasecmp(name, doctor->user) == 0 ?
			"Postfix logs in as this account, and " :
			"");
		finding_type(finding, "mailtoken login %s", finding_name(name));
	}
	talk_close(&talk);
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
	char name[DOCTOR_NAME_BYTES];
	struct span state, text;
	int64_t expires_s = 0;
	struct talk talk;

	name_of(doctor->subject, name);
	doctor_begin(&talk, doctor, VERB_STATUS, name);
	if (!doctor_ask(&talk)) {
		finding_wrong(finding, "%s", talk.why.text);
		talk_close(&talk);
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
	talk_close(&talk);
}

/* The claims of a token that is a JWT (RFC 7519), never shown whole; NULL of
 * another one. */
static json_t *claims_of(struct span token)
{
	const char *first = memchr(token.p, '.', token.n), *second;
	struct buf bytes = BUF_INIT(CLAIMS_MAX_BYTES);
	json_t *claims = NULL;
	size_t left;

	if (first == NULL)
		return NULL;
	left = (size_t)(token.p + token.n - ++first);
	second = memchr(first, '.', left);
	if (second == NULL ||
	    form_unbase64url((struct span){ first, (size_t)(second - first) },
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
static void judge_user(const struct doctor *doctor, const char *name,
    const char *who, struct finding *finding)
{
	size_t i;

	for (i = 0; i < doctor->n_accounts; i++)
		if (strcasecmp(doctor->accounts[i].name, who) == 0)
			break;
	if (who[0] == '\0' || i < doctor->n_accounts) {
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
	char name[DOCTOR_NAME_BYTES], host[DOCTOR_NAME_BYTES], who[320];
	json_t *claims;
	struct talk talk;
	bool sends;

	name_of(doctor->subject, name);
	sends = doctor->relay[0] != '\0' && strcasecmp(name, doctor->user) == 0;
	doctor_begin(&talk, doctor, VERB_STATUS, name);
	(void)doctor_ask(&talk);
	(void)snprintf(who, sizeof(who), "%.*s",
	    SPAN(attr_get(&talk.list, ATTR_IDENTITY)));
	talk_close(&talk);
	(void)snprintf(host, sizeof(host), "%s",
	    doctor->relay + (doctor->relay[0] == '['));
	host[strcspn(host, "]:")] = '\0';
	doctor_begin(&talk, doctor, VERB_TOKEN, name);
	talk_put(&talk, ATTR_SERVER, sends ? host : NULL);
	talk_put(&talk, ATTR_SERVICE, sends ? "smtp" : NULL);
	(void)doctor_ask(&talk);
	if (talk.why.text[0] != '\0') {
		finding_wrong(finding, "no token for %s: %s",
		    sends ? host : "it", talk.why.text);
		doctor_type(finding, name);
		talk_close(&talk);
		return;
	}
	finding_good(finding, "a token for %s is given out",
	    sends ? host : "its servers");
	claims = claims_of(attr_get(&talk.list, ATTR_TOKEN));
	talk_close(&talk);
	if (claims != NULL && claim(claims, "aud")[0] != '\0')
		judge_audience(claims, finding + 1);
	if (claims != NULL && claim(claims, "upn")[0] != '\0')
		(void)snprintf(who, sizeof(who), "%s", claim(claims, "upn"));
	judge_user(doctor, name, who, finding + 2);
	/* Elsewhere the words mean something else. */
	if (claims != NULL && strstr(claim(claims, "aud"), "outlook") != NULL &&
	    (json_object_get(claims, "scp") != NULL ||
		json_object_get(claims, "roles") != NULL))
		judge_rights(claims, sends, finding + 3);
	json_decref(claims);
}
