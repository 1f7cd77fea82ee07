/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all grants do alike: the client's fields, the exchange, and telling
 * what came of it in one sentence.
 */
#include "oauth/flow.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "oauth/flow_impl.h"
#include "oauth/url.h"
#include "wire/echo.h"

struct flow *flow_new(size_t bytes, const struct flow_grant *grant,
    const struct flow_target *target)
{
	struct flow *flow = calloc(1, bytes);

	if (flow == NULL)
		return NULL;
	flow->grant = grant;
	flow->target = *target;
	flow->target.provider = provider_share(target->provider);
	flow->endpoint = "";
	buf_init(&flow->form, FLOW_FORM_MAX_BYTES);
	flow->guessed = target->provider->family == PROVIDER_STANDARD &&
	    target->provider->secret_way == SECRET_WAY_UNKNOWN;
	flow->basic = target->provider->secret_way == SECRET_WAY_BASIC ||
	    (flow->guessed && target->basic);
	return flow;
}

enum fault flow_started(struct flow *flow, enum fault fault,
    struct flow **flow_out)
{
	switch ((int)fault) {
	case FAULT_NONE: *flow_out = flow; return FAULT_NONE;
	case FAULT_NOMEM:
	case FAULT_CONFIG_ERROR:
	case FAULT_BUSY:
	case FAULT_IO: break;
	default: fault = FAULT_INTERNAL;
	}
	flow_free(flow);
	return fault;
}

void flow_free(struct flow *flow)
{
	if (flow == NULL)
		return;
	http_cancel(flow->exchange);
	if (flow->grant->drop != NULL)
		flow->grant->drop(flow);
	provider_release(flow->target.provider);
	if (flow->end != NULL)
		event_free(flow->end);
	buf_drop(&flow->form);
	reply_token_drop(flow->signed_in);
	free(flow->signed_in);
	free(flow->host);
	free(flow);
}

enum fault flow_post(struct flow *flow, const char *endpoint, const char *url,
    struct buf *form)
{
	char *host = NULL;
	enum fault fault;

	buf_drop(&flow->form);
	flow->form = *form;
	buf_init(form, FLOW_FORM_MAX_BYTES);
	fault = buf_fault(&flow->form);
	if (!fault)
		fault = url_host(url, &host);
	if (fault)
		return fault;
	free(flow->host);
	flow->host = host;
	flow->endpoint = endpoint;
	flow->url = url;
	return flow_send(flow);
}

enum fault flow_post_token(struct flow *flow, struct buf *form)
{
	return flow_post(flow, "token endpoint",
	    flow->target.provider->token_endpoint, form);
}

void flow_tell(struct flow *flow, const struct flow_event *event)
{
	/* The receiver may keep the flow for a while. */
	if (flow->end != NULL &&
	    (event->kind == FLOW_TOKENS || event->kind == FLOW_FAILED))
		(void)evtimer_del(flow->end);
	flow->target.event(flow->target.ctx, event);
}

void flow_tell_failed(struct flow *flow, const struct flow_failure *failure)
{
	struct flow_event event = {
		.kind = FLOW_FAILED,
		.failure = failure,
		.token = flow->kept,
	};

	flow_tell(flow, &event);
}

void flow_failure_say(struct flow_failure *failure_out, enum advice_class class,
    const char *format, ...)
{
	va_list words;

	memset(failure_out, 0, sizeof(*failure_out));
	failure_out->class = class;
	failure_out->retry_after_s = -1;
	va_start(words, format);
	(void)vsnprintf(failure_out->text, sizeof(failure_out->text), format,
	    words);
	va_end(words);
}

void flow_failure_of(enum fault fault, struct flow_failure *failure_out)
{
	flow_failure_say(failure_out, ADVICE_TRANSIENT,
	    "the exchange with the provider cannot go on: %s",
	    fault_text(fault));
	failure_out->trouble = HTTP_LOCAL;
}

void flow_tell_fault(struct flow *flow, enum fault fault)
{
	struct flow_failure failure;

	flow_failure_of(fault, &failure);
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

void flow_failure_advise(const struct flow *flow,
    const struct reply_error *error, const char *advice,
    struct flow_failure *failure)
{
	char words[320];

	advice_quote(error, words, sizeof(words));
	(void)snprintf(failure->text, sizeof(failure->text),
	    "the %s %.100s refused: %s %s", flow->endpoint, flow->host, advice,
	    words);
}

/*
 * Whether the provider may have acted on the request though its answer did
 * not come: a gateway that waited in vain (RFC 9110 sections 15.6.3 and
 * 15.6.5) has passed it on.
 */
static bool is_lost(const struct http_answer *answer,
    const struct reply_error *error)
{
	if (answer->trouble != HTTP_ANSWERED)
		return answer->reached;
	return error->error[0] == '\0' &&
	    (flow_succeeded(answer) || answer->status == 502 ||
		answer->status == 504);
}

void flow_failure_from(const struct flow *flow,
    const struct http_answer *answer, const struct reply_error *error,
    struct flow_failure *failure_out)
{
	const struct reply_asked asked = flow_asked(flow, answer);
	char advice[256], title[REPLY_TITLE_BYTES];

	memset(failure_out, 0, sizeof(*failure_out));
	failure_out->trouble = answer->trouble;
	failure_out->status = answer->status;
	failure_out->retry_after_s = answer->retry_after_s;
	failure_out->lost = is_lost(answer, error);
	failure_out->class = advice_class(answer->status, error->error);
	if (answer->trouble != HTTP_ANSWERED || answer->redirect) {
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s cannot be used: %s", flow->endpoint,
		    reply_repeats(&asked, span_of(answer->text)) ?
			ECHO_HIDDEN :
			answer->text);
		return;
	}
	memcpy(failure_out->error, error->error, sizeof(failure_out->error));
	failure_out->code = error->n_codes > 0 ? error->codes[0] : 0;
	set_trace(error, failure_out->trace, sizeof(failure_out->trace));
	advice_text(flow->target.provider, answer->status, error, advice,
	    sizeof(advice));
	if (error->error[0] != '\0')
		flow_failure_advise(flow, error, advice, failure_out);
	else if (reply_page(answer->body, &asked, title))
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s %.100s answered with status %ld and an HTML "
		    "page%s, as of a proxy or filter: it must let this machine "
		    "through to the provider",
		    flow->endpoint, flow->host, answer->status, title);
	else
		(void)snprintf(failure_out->text, sizeof(failure_out->text),
		    "the %s %.100s answered with status %ld: %s",
		    flow->endpoint, flow->host, answer->status, advice);
}

void flow_tell_unusable(struct flow *flow, const struct http_answer *answer,
    enum fault fault, const struct why *why)
{
	const struct reply_error none = { .n_codes = 0 };
	struct flow_failure failure;

	if (fault != FAULT_GARBLED) {
		flow_failure_of(fault, &failure);
		failure.lost = true;
		flow_tell_failed(flow, &failure);
		return;
	}
	if (flow_is_page(answer)) {
		flow_tell_refused(flow, answer, &none);
		return;
	}
	flow_failure_say(&failure, ADVICE_TRANSIENT,
	    "the answer of the %s %.100s cannot be used: %.160s",
	    flow->endpoint, flow->host, why->text);
	failure.status = answer->status;
	failure.retry_after_s = answer->retry_after_s;
	failure.lost = true;
	flow_tell_failed(flow, &failure);
}

struct reply_asked flow_asked(const struct flow *flow,
    const struct http_answer *answer)
{
	return (struct reply_asked){ answer->sent,
		flow->target.provider->client_secret };
}

bool flow_refused(const struct flow *flow, const struct http_answer *answer,
    struct reply_error *error_out)
{
	const struct reply_asked asked = flow_asked(flow, answer);

	memset(error_out, 0, sizeof(*error_out));
	return !answer->redirect &&
	    reply_error_parse(answer->body, &asked, error_out) == FAULT_NONE;
}

void flow_tell_refused(struct flow *flow, const struct http_answer *answer,
    const struct reply_error *error)
{
	struct flow_failure failure;

	flow_failure_from(flow, answer, error, &failure);
	flow_tell_failed(flow, &failure);
}

bool flow_succeeded(const struct http_answer *answer)
{
	return answer->trouble == HTTP_ANSWERED && answer->status >= 200 &&
	    answer->status <= 299;
}

bool flow_is_page(const struct http_answer *answer)
{
	char title[REPLY_TITLE_BYTES];

	return !answer->redirect && reply_page(answer->body, NULL, title);
}

bool flow_has_tokens(const struct http_answer *answer)
{
	struct reply_token token = { 0 };
	bool has = flow_succeeded(answer) &&
	    reply_token_parse(answer->body, NULL, &token, NULL) == FAULT_NONE;

	reply_token_drop(&token);
	return has;
}

void flow_tell_tokens(struct flow *flow, const struct http_answer *answer)
{
	const struct reply_asked asked = flow_asked(flow, answer);
	struct why why = { 0, "" };
	struct reply_token token = { 0 };
	struct reply_error error;
	struct flow_event event = {
		.kind = FLOW_TOKENS,
		.token = &token,
	};
	enum fault fault = FAULT_GARBLED;

	if (flow_succeeded(answer))
		fault = reply_token_parse(answer->body, &asked, &token, &why);
	token.by_basic = flow_is_basic(flow);
	flow->kept = token.refresh_token != NULL ? &token : NULL;
	/* Some say "error" with status 200, and a few beside good tokens. */
	if (fault == FAULT_NONE && flow_ask_who(flow, &token))
		return;
	if (fault == FAULT_NONE)
		flow_tell(flow, &event);
	else if (flow_refused(flow, answer, &error) || !flow_succeeded(answer))
		flow_tell_refused(flow, answer, &error);
	else
		flow_tell_unusable(flow, answer, fault, &why);
	reply_token_drop(&token);
}
