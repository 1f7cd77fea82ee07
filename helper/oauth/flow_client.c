/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How the client says who it is: RFC 6749 section 2.3.1.  Its secret goes into
 * the form or, where the server wants that, into an Authorization field.
 *
 * Where nothing tells which, the form is tried first.  A server that answers
 * with 401 that it did not accept the client has looked at nothing else (RFC
 * 6749 sections 3.2.1 and 5.2) and so has spent neither code nor refresh
 * token: what was sent may be sent the other way, once, and the record
 * remembers which way it was.  Without such an answer nothing is sent again.
 */
#include "oauth/flow_impl.h"
#include "oauth/form.h"

void flow_add_extra(const struct flow *flow, struct buf *form)
{
	form_add_form(form, flow->target.provider->extra);
}

void flow_add_client(struct flow *flow, enum flow_client client,
    struct buf *form)
{
	flow->client = client;
	if (client == FLOW_WITH_SECRET &&
	    flow->target.provider->client_secret == NULL)
		flow->client = FLOW_WITHOUT_SECRET;
	flow_add_extra(flow, form);
}

bool flow_is_basic(const struct flow *flow)
{
	return flow->client == FLOW_WITH_SECRET && flow->basic;
}

/* Both parts are form-encoded, so that a colon separates them. */
static void add_basic(const struct provider *provider, struct buf *out)
{
	form_encode(out, span_of(provider->client_id));
	buf_add_lit(out, ":");
	form_encode(out,
	    secret_reveal(provider->client_secret, "client_secret_basic"));
}

static void add_post(const struct flow *flow, struct buf *out)
{
	const struct provider *provider = flow->target.provider;

	form_add(out, "client_id", span_of(provider->client_id));
	if (flow->client == FLOW_WITH_SECRET)
		form_add(out, "client_secret",
		    secret_reveal(provider->client_secret,
			"client_secret_post"));
}

/* It refuses the client with 401, and nothing told how it wants it. */
static bool may_try_other_way(const struct flow *flow,
    const struct http_answer *answer)
{
	struct reply_error error;

	if (flow->client != FLOW_WITH_SECRET || !flow->guessed ||
	    answer->status != 401)
		return false;
	return answer->wants_basic ||
	    (flow_refused(flow, answer, &error) &&
		strcmp(error.error, "invalid_client") == 0);
}

static void sent(void *ctx, const struct http_answer *answer)
{
	struct flow *flow = ctx;

	flow->exchange = NULL;
	if (may_try_other_way(flow, answer)) {
		flow->guessed = false;
		flow->basic = !flow->basic;
		if (flow_send(flow) == FAULT_NONE)
			return;
	}
	flow->grant->answered(flow, answer);
}

enum fault flow_send(struct flow *flow)
{
	const struct provider *provider = flow->target.provider;
	struct buf body = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct buf basic = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct http_request request = {
		.method = HTTP_POST_FORM,
		.url = flow->url,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
		.patient = flow->patient,
	};
	enum fault fault;

	buf_add(&body, buf_span(&flow->form));
	if (flow_is_basic(flow))
		add_basic(provider, &basic);
	else if (flow->client != FLOW_NO_CLIENT)
		add_post(flow, &body);
	fault = buf_fault(&body);
	if (!fault)
		fault = buf_fault(&basic);
	if (!fault) {
		request.body = buf_span(&body);
		request.basic = basic.p;
		fault = http_start(flow->target.http, &request, sent, flow,
		    &flow->exchange);
	}
	buf_drop(&basic);
	buf_drop(&body);
	return fault;
}
