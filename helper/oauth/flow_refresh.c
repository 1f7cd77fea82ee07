/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A new access token for a refresh token: RFC 6749 section 6.
 */
#include "oauth/flow.h"

#include "oauth/flow_impl.h"
#include "oauth/form.h"

static const struct flow_grant refresh_grant = {
	.answered = flow_tell_tokens,
};

/*
 * Microsoft's "consumers" refuses a refresh without scope; elsewhere a scope
 * that nobody recorded might be wider than what was granted.
 */
static const char *refresh_scope(const struct provider *provider,
    const char *scope)
{
	if (scope == NULL && provider->family == PROVIDER_MICROSOFT)
		scope = provider->scope;
	return scope != NULL ? scope : "";
}

enum fault flow_refresh_start(const struct flow_target *target,
    const struct secret *refresh_token, const char *scope,
    struct flow **flow_out)
{
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct flow *flow = flow_new(sizeof(*flow), &refresh_grant, target);

	if (flow == NULL)
		return FAULT_NOMEM;
	scope = refresh_scope(target->provider, scope);
	form_add(&form, "grant_type", span_of("refresh_token"));
	form_add(&form, "refresh_token",
	    secret_reveal(refresh_token, "grant refresh_token"));
	if (scope[0] != '\0')
		form_add(&form, "scope", span_of(scope));
	flow_add_client(flow, FLOW_WITH_SECRET, &form);
	return flow_started(flow, flow_post_token(flow, &form), flow_out);
}
