/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An application signs in for itself: the client credentials grant of
 * RFC 6749 section 4.4 with a secret, a signed assertion or one of somebody
 * else's (RFC 7523 section 2.2), and the grant of a service account
 * (RFC 7523 section 2.1).  One request, one answer; nobody can sign in again
 * here, so what asks for that is a matter of the configuration.
 */
#include "oauth/flow.h"

#include "oauth/assertion.h"
#include "oauth/flow_impl.h"
#include "oauth/form.h"

#define OAUTH		 "urn:ietf:params:oauth:"
#define JWT_BEARER	 OAUTH "grant-type:jwt-bearer"
#define CLIENT_JWT	 OAUTH "client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE_S 300

/* Words of RFC 6749 that mean another thing where nobody signs in. */
static const struct {
	enum flow_kind kind;
	const char *error;
	const char *said; /* in the description; NULL: anything */
	const char *text;
} meanings[] = {
	{ FLOW_SERVICE_ACCOUNT, "invalid_grant", "short-lived",
	    "the time in the assertion is wrong: set the clock of this machine" },
	{ FLOW_SERVICE_ACCOUNT, "invalid_grant", "ignature",
	    "the key of the service account was deleted or replaced: make a "
	    "new one and put it into service_account_file" },
	{ FLOW_SERVICE_ACCOUNT, "invalid_grant", NULL,
	    "the account is not a user of the organisation, or the clock of "
	    "this machine is wrong" },
	{ FLOW_SERVICE_ACCOUNT, "unauthorized_client", NULL,
	    "domain-wide delegation is missing: an administrator must allow "
	    "the service account's numeric client id exactly this scope; that "
	    "can take a day" },
	{ FLOW_SERVICE_ACCOUNT, "access_denied", NULL,
	    "the scope is not allowed to the service account: an administrator "
	    "must add it under domain-wide delegation" },
	{ FLOW_CLIENT_CREDENTIALS, "invalid_grant", NULL,
	    "the application is not accepted: check its secret or certificate, "
	    "and the clock of this machine" },
};

static const char *meaning(enum flow_kind kind, const struct reply_error *error)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].kind == kind &&
		    strcmp(meanings[i].error, error->error) == 0 &&
		    (meanings[i].said == NULL ||
			strstr(error->description, meanings[i].said) != NULL))
			return meanings[i].text;
	return NULL;
}

/* Without a number of Microsoft's: those have sentences of their own. */
static const char *client_meaning(const struct provider *provider,
    const struct reply_error *error)
{
	if (error->n_codes > 0 || strcmp(error->error, "invalid_client") != 0)
		return NULL;
	if (provider->key != NULL)
		return "the certificate is not accepted: check client_id, "
		       "that it is uploaded at the provider, and the clock of "
		       "this machine";
	if (provider->assertion_file != NULL)
		return "the assertion in assertion_file is not accepted: "
		       "check client_id, whom the provider trusts, and that "
		       "the file is kept fresh";
	return NULL;
}

static void tell_refused(struct flow *flow, const struct http_answer *answer,
    const struct reply_error *error)
{
	const struct provider *provider = flow->target.provider;
	struct flow_failure failure;
	const char *text = meaning(provider->flow, error);

	if (text == NULL)
		text = client_meaning(provider, error);
	flow_failure_from(flow, answer, error, &failure);
	/* A server in trouble may say anything. */
	if (advice_class(answer->status, "invalid_client") != ADVICE_CONFIG)
		text = NULL;
	else if (failure.class == ADVICE_LOGIN_NEEDED || text != NULL)
		failure.class = ADVICE_CONFIG;
	if (text != NULL)
		flow_failure_advise(flow, error, text, &failure);
	flow_tell_failed(flow, &failure);
}

static void app_answered(struct flow *flow, const struct http_answer *answer)
{
	struct reply_error error;

	if (!flow_has_tokens(answer) && flow_refused(flow, answer, &error))
		tell_refused(flow, answer, &error);
	else
		flow_tell_tokens(flow, answer);
}

static const struct flow_grant app_grant = {
	.answered = app_answered,
};

static enum fault sign(const struct provider *provider,
    const struct flow_app_wish *wish, struct buf *out, struct why *why)
{
	bool for_user = provider->flow == FLOW_SERVICE_ACCOUNT;
	struct assertion_claims claims = {
		.issuer = for_user ? assertion_key_issuer(provider->key) :
				     provider->client_id,
		.subject = for_user ? wish->subject : provider->client_id,
		.audience = provider->token_endpoint,
		.scope = for_user ? provider->scope : NULL,
		.now_s = wish->now_s,
		.life_s = ASSERTION_LIFE_S,
	};

	return assertion_sign(provider->key, &claims, out, why);
}

static enum fault fill(struct flow *flow, const struct flow_app_wish *wish,
    struct buf *form, struct why *why)
{
	const struct provider *provider = flow->target.provider;
	struct buf signed_here = BUF_INIT(ASSERTION_MAX_BYTES);
	struct span assertion = { NULL, 0 };
	enum fault fault;

	if (provider->key != NULL) {
		fault = sign(provider, wish, &signed_here, why);
		if (fault != FAULT_NONE)
			return fault;
		assertion = buf_span(&signed_here);
	} else if (wish->assertion != NULL) {
		assertion = secret_reveal(wish->assertion, "client assertion");
	}
	if (provider->flow == FLOW_SERVICE_ACCOUNT) {
		form_add(form, "grant_type", span_of(JWT_BEARER));
		form_add(form, "assertion", assertion);
		flow_add_extra(flow, form);
	} else {
		form_add(form, "grant_type", span_of("client_credentials"));
		if (provider->scope != NULL && provider->scope[0] != '\0')
			form_add(form, "scope", span_of(provider->scope));
		flow_add_client(flow,
		    assertion.n == 0 ? FLOW_WITH_SECRET : FLOW_WITHOUT_SECRET,
		    form);
	}
	if (provider->flow != FLOW_SERVICE_ACCOUNT && assertion.n > 0) {
		form_add(form, "client_assertion_type", span_of(CLIENT_JWT));
		form_add(form, "client_assertion", assertion);
	}
	buf_drop(&signed_here);
	return FAULT_NONE;
}

enum fault flow_app_start(const struct flow_target *target,
    const struct flow_app_wish *wish, struct flow **flow_out, struct why *why)
{
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct flow *flow = flow_new(sizeof(*flow), &app_grant, target);
	enum fault fault;

	if (flow == NULL)
		return FAULT_NOMEM;
	fault = fill(flow, wish, &form, why);
	if (fault == FAULT_NONE)
		fault = flow_post_token(flow, &form);
	buf_drop(&form);
	return flow_started(flow, fault, flow_out);
}
