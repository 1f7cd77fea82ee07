/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A new access token for a refresh token: RFC 6749 section 6.
 */
#include "oauth/flow.h"

#include "oauth/flow_impl.h"
#include "oauth/form.h"

struct flow_refresh {
	struct flow flow;
	struct secret *refresh_token; /* for one more try, or NULL */
};

static struct flow_refresh *refresh_of(struct flow *flow)
{
	return (struct flow_refresh *)(void *)flow;
}

static enum fault ask(struct flow *flow, const struct secret *refresh_token,
    const char *scope)
{
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);

	form_add(&form, "grant_type", span_of("refresh_token"));
	form_add(&form, "refresh_token",
	    secret_reveal(refresh_token, "grant refresh_token"));
	if (scope[0] != '\0')
		form_add(&form, "scope", span_of(scope));
	flow_add_client(flow, FLOW_WITH_SECRET, &form);
	return flow_post_token(flow, &form);
}

/*
 * A server that does not know its own words for the scope has spent nothing;
 * without any it means what was granted (RFC 6749 section 6).
 */
static bool ask_without_scope(struct flow *flow,
    const struct http_answer *answer)
{
	struct flow_refresh *refresh = refresh_of(flow);
	struct secret *refresh_token = refresh->refresh_token;
	struct reply_error error;
	bool asked;

	refresh->refresh_token = NULL;
	asked = refresh_token != NULL && answer->status == 400 &&
	    flow_refused(flow, answer, &error) &&
	    strcmp(error.error, "invalid_scope") == 0 &&
	    ask(flow, refresh_token, "") == FAULT_NONE;
	secret_free(refresh_token);
	return asked;
}

static void refresh_answered(struct flow *flow,
    const struct http_answer *answer)
{
	if (!ask_without_scope(flow, answer))
		flow_tell_tokens(flow, answer);
}

static void refresh_drop(struct flow *flow)
{
	secret_free(refresh_of(flow)->refresh_token);
}

static const struct flow_grant refresh_grant = {
	.answered = refresh_answered,
	.drop = refresh_drop,
};

/* Microsoft's "consumers" refuses a refresh without scope. */
static bool needs_scope(const struct provider *provider)
{
	return provider->family == PROVIDER_MICROSOFT;
}

enum fault flow_refresh_start(const struct flow_target *target,
    const struct secret *refresh_token, const char *scope,
    struct flow **flow_out)
{
	struct flow *flow = flow_new(sizeof(struct flow_refresh),
	    &refresh_grant, target);
	enum fault fault = FAULT_NONE;

	if (flow == NULL)
		return FAULT_NOMEM;
	flow->patient = true;
	if (scope == NULL && needs_scope(target->provider))
		scope = target->provider->scope;
	if (scope != NULL && !needs_scope(target->provider))
		fault = secret_copy(refresh_token,
		    &refresh_of(flow)->refresh_token);
	if (fault == FAULT_NONE)
		fault = ask(flow, refresh_token, scope != NULL ? scope : "");
	return flow_started(flow, fault, flow_out);
}
