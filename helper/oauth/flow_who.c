/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who signed in, asked after the tokens have come.  They are good whatever
 * the answer is: a failure is as if there had been nobody to ask.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "oauth/flow_impl.h"

static void who_answered(void *ctx, const struct http_answer *answer)
{
	struct flow *flow = ctx;
	struct flow_event event = {
		.kind = FLOW_TOKENS,
		.token = flow->signed_in,
	};

	flow->exchange = NULL;
	if (flow_succeeded(answer))
		reply_userinfo(answer->body, flow->signed_in);
	flow_tell(flow, &event);
}

bool flow_ask_who(struct flow *flow, struct reply_token *token)
{
	const struct provider *provider = flow->target.provider;
	struct http_request request = {
		.method = HTTP_GET_BEARER,
		.url = provider->userinfo_endpoint,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};

	if (!flow->grant->signs_in || token->identity != NULL ||
	    request.url == NULL)
		return false;
	flow->signed_in = calloc(1, sizeof(*token));
	if (flow->signed_in == NULL)
		return false;
	request.body = secret_reveal(token->access_token, "userinfo endpoint");
	if (http_start(flow->target.http, &request, who_answered, flow,
		&flow->exchange) != FAULT_NONE)
		return false;
	/* Nobody is waited for any more. */
	if (flow->end != NULL)
		(void)evtimer_del(flow->end);
	*flow->signed_in = *token;
	memset(token, 0, sizeof(*token));
	flow->kept = NULL;
	return true;
}
