/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all grants do alike: the client's fields, the exchange, and telling
 * what came of it in one sentence.
 */
#include "oauth/flow.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/flow_impl.h"
#include "oauth/form.h"

void flow_init(struct flow *flow, const struct flow_grant *grant,
    const struct flow_target *target)
{
	flow->grant = grant;
	flow->target = *target;
	flow->target.provider = provider_share(target->provider);
	flow->exchange = NULL;
	flow->endpoint = "";
	flow->host = NULL;
}

void flow_free(struct flow *flow)
{
	if (flow == NULL)
		return;
	http_cancel(flow->exchange);
	flow->grant->drop(flow);
	provider_release(flow->target.provider);
	free(flow->host);
	free(flow);
}

void flow_add_client(const struct flow *flow, enum flow_secret with,
    struct buf *form)
{
	const struct provider *provider = flow->target.provider;
	size_t i;

	form_add(form, "client_id", span_of(provider->client_id));
	if (with == FLOW_WITH_SECRET && provider->client_secret != NULL)
		form_add(form, "client_secret",
		    secret_reveal(provider->client_secret,
			"client_secret_post"));
	for (i = 0; i < provider->n_extra; i++)
		form_add(form, provider->extra[i].name,
		    span_of(provider->extra[i].value));
}

static void flow_done(void *ctx, const struct http_answer *answer)
{
	struct flow *flow = ctx;

	flow->exchange = NULL;
	flow->grant->answered(flow, answer);
}

enum fault flow_post(struct flow *flow, const char *endpoint, const char *url,
    const struct buf *form)
{
	const struct provider *provider = flow->target.provider;
	struct http_request request = {
		.method = HTTP_POST_FORM,
		.url = url,
		.body = buf_span(form),
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};
	char *host = NULL;
	enum fault fault;

	fault = buf_fault(form);
	if (!fault)
		fault = provider_url_host(url, &host);
	if (fault)
		return fault;
	free(flow->host);
	flow->host = host;
	flow->endpoint = endpoint;
	return http_start(flow->target.http, &request, flow_done, flow,
	    &flow->exchange);
}

void flow_tell(struct flow *flow, const struct flow_event *event)
{
	flow->target.event(flow->target.ctx, event);
}

void flow_tell_failed(struct flow *flow, const struct flow_failure *failure)
{
	struct flow_event event = {
		.kind = FLOW_FAILED,
		.failure = failure,
	};

	flow_tell(flow, &event);
}

void flow_tell_fault(struct flow *flow, enum fault fault)
{
	struct flow_failure failure = {
		.class = ADVICE_TRANSIENT,
		.trouble = HTTP_LOCAL,
		.retry_after_s = -1,
	};

	(void)snprintf(failure.text, sizeof(failure.text),
	    "the exchange with the provider cannot go on: %s",
	    fault_text(fault));
	flow_tell_failed(flow, &failure);
}

static void set_trace(const struct reply_error *error, char *out,
    size_t out_bytes)
{
	size_t n = 0;

	out[0] = '\0';
	if (error->correlation_id[0] != '\0')
		(void)snprintf(out, out_bytes, "correlation-id %s",
		    error->correlation_id);
	n = strlen(out);
	if (error->trace_id[0] != '\0')
		(void)snprintf(out + n, out_bytes - n, "%strace-id %s",
		    n > 0 ? " " : "", error->trace_id);
}

void flow_failure_from(const struct flow *flow,
    const struct http_answer *answer, const struct reply_error *error,
    struct flow_failure *failure_out)
{
	static const struct reply_error none = { .n_codes = 0 };
	char advice[256];

	memset(failure_out, 0, sizeof(*failure_out));
	failure_out->trouble = answer->trouble;
	failure_out->status = answer->status;
	failure_out->retry_after_s = answer->retry_after_s;
	if (error == NULL)
		error = &none;
	failure_out->class = advice_class(answer->status, error->error);
	if (answer->trouble != HTTP_ANSWERED || answer->redirect) {
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s cannot be used: %s", flow->endpoint, answer->text);
		return;
	}
	memcpy(failure_out->error, error->error, sizeof(failure_out->error));
	failure_out->code = error->n_codes > 0 ? error->codes[0] : 0;
	set_trace(error, failure_out->trace, sizeof(failure_out->trace));
	advice_text(flow->target.provider, answer->status, error, advice,
	    sizeof(advice));
	if (error->error[0] != '\0')
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s %.100s refused: %s", flow->endpoint, flow->host,
		    advice);
	else
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s %.100s answered with status %ld: %s",
		    flow->endpoint, flow->host, answer->status, advice);
}

void flow_tell_unusable(struct flow *flow, const struct http_answer *answer,
    enum fault fault, const struct why *why)
{
	struct flow_failure failure = {
		.class = ADVICE_TRANSIENT,
		.status = answer->status,
		.retry_after_s = answer->retry_after_s,
	};

	if (fault != FAULT_GARBLED) {
		flow_tell_fault(flow, fault);
		return;
	}
	(void)snprintf(failure.text, sizeof(failure.text),
	    "the answer of the %s %.100s cannot be used: %.160s",
	    flow->endpoint, flow->host, why->text);
	flow_tell_failed(flow, &failure);
}

static void tell_refused(struct flow *flow, const struct http_answer *answer)
{
	struct flow_failure failure;
	struct reply_error error;

	if (answer->trouble == HTTP_ANSWERED &&
	    reply_error_parse(answer->body, &error) == FAULT_NONE)
		flow_failure_from(flow, answer, &error, &failure);
	else
		flow_failure_from(flow, answer, NULL, &failure);
	flow_tell_failed(flow, &failure);
}

void flow_tell_tokens(struct flow *flow, const struct http_answer *answer)
{
	struct why why = { 0, "" };
	struct reply_token token;
	struct reply_error error;
	struct flow_event event = {
		.kind = FLOW_TOKENS,
		.token = &token,
	};
	enum fault fault;

	/* Some say "error" with status 200. */
	if (answer->status != 200 ||
	    reply_error_parse(answer->body, &error) == FAULT_NONE) {
		tell_refused(flow, answer);
		return;
	}
	fault = reply_token_parse(answer->body, &token, &why);
	if (fault) {
		flow_tell_unusable(flow, answer, fault, &why);
		return;
	}
	flow_tell(flow, &event);
	reply_token_drop(&token);
}
