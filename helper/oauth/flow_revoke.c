/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ending a grant at the provider: RFC 7009.  The refresh token first, since
 * most servers end all that came of it; then the access token, whose fate
 * does not change the result.
 */
#include "oauth/flow.h"

#include "oauth/flow_impl.h"
#include "oauth/form.h"

struct flow_revoke {
	struct flow flow;
	struct secret *refresh_token;
	struct secret *access_token;
	bool told_first; /* the result is known, the rest is manners */
	struct flow_failure failure;
	bool failed;
};

static struct flow_revoke *revoke_of(struct flow *flow)
{
	return (struct flow_revoke *)(void *)flow;
}

static void tell_end(struct flow_revoke *revoke)
{
	struct flow_event event = { .kind = FLOW_REVOKED };

	if (revoke->failed)
		flow_tell_failed(&revoke->flow, &revoke->failure);
	else
		flow_tell(&revoke->flow, &event);
}

/* Google knows the client by the token. */
static enum fault ask(struct flow_revoke *revoke, const struct secret *token,
    const char *hint)
{
	struct flow *flow = &revoke->flow;
	const struct provider *provider = flow->target.provider;
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);

	form_add(&form, "token", secret_reveal(token, "revoke a token"));
	if (provider->family != PROVIDER_GOOGLE) {
		form_add(&form, "token_type_hint", span_of(hint));
		flow_add_client(flow, FLOW_WITH_SECRET, &form);
	}
	return flow_post(flow, "revocation endpoint",
	    provider->revocation_endpoint, &form);
}

/* The token was no good any more: what was wanted. */
static bool is_gone(const struct http_answer *answer,
    const struct reply_error *error)
{
	return answer->status == 400 &&
	    (strcmp(error->error, "invalid_token") == 0 ||
		strcmp(error->error, "invalid_grant") == 0);
}

static void take_result(struct flow_revoke *revoke,
    const struct http_answer *answer)
{
	struct reply_error error;

	if (answer->trouble == HTTP_ANSWERED && answer->status == 200)
		return;
	if (flow_refused(&revoke->flow, answer, &error) &&
	    is_gone(answer, &error))
		return;
	revoke->failed = true;
	flow_failure_from(&revoke->flow, answer, &error, &revoke->failure);
}

static void revoke_answered(struct flow *flow, const struct http_answer *answer)
{
	struct flow_revoke *revoke = revoke_of(flow);

	if (revoke->told_first) {
		tell_end(revoke);
		return;
	}
	take_result(revoke, answer);
	revoke->told_first = true;
	if (revoke->failed || revoke->refresh_token == NULL ||
	    revoke->access_token == NULL ||
	    ask(revoke, revoke->access_token, "access_token") != FAULT_NONE)
		tell_end(revoke);
}

static void revoke_drop(struct flow *flow)
{
	struct flow_revoke *revoke = revoke_of(flow);

	secret_free(revoke->refresh_token);
	secret_free(revoke->access_token);
}

static const struct flow_grant revoke_grant = {
	.answered = revoke_answered,
	.drop = revoke_drop,
};

static enum fault begin(struct flow_revoke *revoke,
    const struct secret *refresh_token, const struct secret *access_token)
{
	enum fault fault = FAULT_NONE;

	if (refresh_token != NULL)
		fault = secret_copy(refresh_token, &revoke->refresh_token);
	if (!fault && access_token != NULL)
		fault = secret_copy(access_token, &revoke->access_token);
	if (fault)
		return fault;
	if (revoke->refresh_token != NULL)
		return ask(revoke, revoke->refresh_token, "refresh_token");
	return ask(revoke, revoke->access_token, "access_token");
}

enum fault flow_revoke_start(const struct flow_target *target,
    const struct secret *refresh_token, const struct secret *access_token,
    struct flow **flow_out)
{
	struct flow *flow;

	if (target->provider->revocation_endpoint == NULL)
		return FAULT_CONFIG_ERROR;
	if (refresh_token == NULL && access_token == NULL)
		return FAULT_NOT_FOUND;
	flow = flow_new(sizeof(struct flow_revoke), &revoke_grant, target);
	if (flow == NULL)
		return FAULT_NOMEM;
	return flow_started(flow,
	    begin(revoke_of(flow), refresh_token, access_token), flow_out);
}

bool flow_revoke_is_done(const struct flow *flow)
{
	const struct flow_revoke *revoke = (const void *)flow;

	return revoke->told_first && !revoke->failed;
}
