/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grants in which nobody takes part: a new access token for a refresh
 * token, RFC 6749 section 6; an application for itself; and the end of a
 * grant, RFC 7009.
 */
#include "oauth/flow.h"

#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/flow_impl.h"
#include "oauth/form.h"

/*
 * A server that does not know its own words for the scope has spent nothing;
 * without any it means what was granted (RFC 6749 section 6).
 */
static void refresh_answered(struct flow *flow,
    const struct http_answer *answer)
{
	char *scope = flow->scope;

	flow->scope = NULL;
	if (scope == NULL || answer->status != 400 ||
	    strcmp(flow->error.error, "invalid_scope") != 0 ||
	    flow_send(flow) != FAULT_NONE)
		flow_end(flow, answer);
	free(scope);
}

static const struct flow_grant refresh_grant = { .answered = refresh_answered };

enum fault flow_refresh_start(const struct flow_target *target,
    const struct secret *refresh_token, const char *scope,
    struct flow **flow_out)
{
	const struct provider *provider = target->provider;
	struct flow *flow = flow_new(sizeof(*flow), &refresh_grant, target);
	enum fault fault = FAULT_NONE;
	struct buf *form;

	if (flow == NULL)
		return FAULT_NOMEM;
	flow->patient = true;
	form = flow_token_form(flow, FLOW_WITH_SECRET);
	form_add(form, "grant_type", span_of("refresh_token"));
	form_add(form, "refresh_token",
	    secret_reveal(refresh_token, "grant refresh_token"));
	/* Microsoft's "consumers" refuses a refresh without scope. */
	if (provider->family == PROVIDER_MICROSOFT) {
		if (scope == NULL)
			scope = provider->scope;
		if (scope != NULL && scope[0] != '\0')
			form_add(form, "scope", span_of(scope));
	} else if (scope != NULL && scope[0] != '\0') {
		flow->scope = strdup(scope);
		fault = flow->scope != NULL ? FAULT_NONE : FAULT_NOMEM;
	}
	if (!fault)
		fault = flow_send(flow);
	return flow_started(flow, fault, flow_out);
}

/*
 * The client credentials grant of RFC 6749 section 4.4 with a secret, a signed
 * assertion or one of somebody else's (RFC 7523 section 2.2), and the grant of
 * a service account (RFC 7523 section 2.1).  One request, one answer; nobody
 * can sign in again here, so what asks for that is a matter of the
 * configuration.
 */
#define OAUTH		 "urn:ietf:params:oauth:"
#define JWT_BEARER	 OAUTH "grant-type:jwt-bearer"
#define CLIENT_JWT	 OAUTH "client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE_S 300

static void app_answered(struct flow *flow, const struct http_answer *answer)
{
	enum advice_class *class = &flow->failure.class;

	if (flow->error.error[0] == '\0') {
		flow_end(flow, answer);
		return;
	}
	flow_judge(flow, answer);
	if (*class == ADVICE_LOGIN_NEEDED ||
	    (strcmp(flow->error.error, "access_denied") == 0 &&
		!advice_is_passing(answer->status)))
		*class = ADVICE_CONFIG;
	flow_fail(flow);
}

static const struct flow_grant app_grant = { .answered = app_answered };

enum fault flow_app_start(const struct flow_target *target,
    const struct flow_app_wish *wish, struct flow **flow_out, struct why *why)
{
	const struct provider *provider = target->provider;
	bool for_user = provider->flow == FLOW_SERVICE_ACCOUNT;
	struct buf assertion = BUF_INIT(ASSERTION_MAX_BYTES);
	struct assertion_claims claims = {
		.issuer = provider->client_id,
		.subject = for_user ? wish->subject : provider->client_id,
		.audience = provider->token_endpoint,
		.scope = for_user ? provider->scope : NULL,
		.now_s = wish->now_s,
		.life_s = ASSERTION_LIFE_S,
	};
	struct flow *flow = flow_new(sizeof(*flow), &app_grant, target);
	enum fault fault = FAULT_NONE;
	struct span proof;
	struct buf *form;

	if (flow == NULL)
		return FAULT_NOMEM;
	if (for_user)
		claims.issuer = assertion_key_issuer(provider->key);
	if (provider->key != NULL)
		fault = assertion_sign(provider->key, &claims, &assertion, why);
	proof = buf_span(&assertion);
	if (provider->key == NULL && wish->assertion != NULL)
		proof = secret_reveal(wish->assertion, "client assertion");
	form = flow_token_form(flow,
	    for_user	    ? FLOW_NO_CLIENT :
		proof.n > 0 ? FLOW_WITHOUT_SECRET :
			      FLOW_WITH_SECRET);
	if (for_user) {
		form_add(form, "grant_type", span_of(JWT_BEARER));
		form_add(form, "assertion", proof);
		form_add_form(form, provider->extra);
	} else {
		form_add(form, "grant_type", span_of("client_credentials"));
		if (provider->scope != NULL && provider->scope[0] != '\0')
			form_add(form, "scope", span_of(provider->scope));
	}
	if (!for_user && proof.n > 0) {
		form_add(form, "client_assertion_type", span_of(CLIENT_JWT));
		form_add(form, "client_assertion", proof);
	}
	if (!fault)
		fault = flow_send(flow);
	buf_drop(&assertion);
	return flow_started(flow, fault, flow_out);
}

/*
 * The refresh token first, since most servers end all that came of it; then
 * the access token, whose fate does not change the result.
 */
struct flow_revoke {
	struct flow flow;
	struct secret *access_token; /* to be revoked yet, or NULL */
	bool answered;		     /* the result is known, the rest manners */
	bool failed;
};

static struct flow_revoke *revoke_of(struct flow *flow)
{
	return (struct flow_revoke *)(void *)flow;
}

/* Google knows the client by the token. */
static enum fault revoke(struct flow *flow, const struct secret *token,
    const char *hint)
{
	const struct provider *provider = flow->target.provider;
	bool is_google = provider->family == PROVIDER_GOOGLE;
	struct buf *form = flow_form(flow,
	    is_google ? FLOW_NO_CLIENT : FLOW_WITH_SECRET,
	    "revocation endpoint", provider->revocation_endpoint);

	form_add(form, "token", secret_reveal(token, "revoke a token"));
	if (!is_google)
		form_add(form, "token_type_hint", span_of(hint));
	return flow_send(flow);
}

static void revoke_answered(struct flow *flow, const struct http_answer *answer)
{
	const struct flow_event event = { .kind = FLOW_REVOKED };
	struct flow_revoke *self = revoke_of(flow);
	struct secret *next = self->access_token;
	const char *word = flow->error.error;
	enum fault fault;

	if (!self->answered) {
		self->answered = true;
		/* A token that was no good any more is what was wanted. */
		self->failed = (answer->trouble != HTTP_ANSWERED ||
				   answer->status != 200) &&
		    (answer->status != 400 ||
			!span_listed(span_of(word),
			    "invalid_token invalid_grant"));
		if (self->failed)
			flow_judge(flow, answer);
	}
	if (!self->failed && next != NULL) {
		self->access_token = NULL;
		fault = revoke(flow, next, "access_token");
		secret_free(next);
		if (!fault)
			return;
	}
	if (self->failed)
		flow_fail(flow);
	else
		flow_tell(flow, &event);
}

static void revoke_drop(struct flow *flow)
{
	secret_free(revoke_of(flow)->access_token);
}

static const struct flow_grant revoke_grant = {
	.answered = revoke_answered,
	.drop = revoke_drop,
};

enum fault flow_revoke_start(const struct flow_target *target,
    const struct secret *refresh_token, const struct secret *access_token,
    struct flow **flow_out)
{
	enum fault fault = FAULT_NONE;
	struct flow *flow;

	if (refresh_token == NULL && access_token == NULL)
		return FAULT_NOT_FOUND;
	flow = flow_new(sizeof(struct flow_revoke), &revoke_grant, target);
	if (flow == NULL)
		return FAULT_NOMEM;
	if (refresh_token == NULL)
		fault = revoke(flow, access_token, "access_token");
	else if (access_token != NULL)
		fault = secret_copy(access_token,
		    &revoke_of(flow)->access_token);
	if (!fault && refresh_token != NULL)
		fault = revoke(flow, refresh_token, "refresh_token");
	return flow_started(flow, fault, flow_out);
}

bool flow_revoke_is_done(const struct flow *flow)
{
	const struct flow_revoke *self = (const void *)flow;

	return self->answered && !self->failed;
}
