/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all grants do alike: the client's fields, the exchange, and telling
 * what came of it in one sentence.
 *
 * How the client says who it is: RFC 6749 section 2.3.1.  Its secret goes into
 * the form or, where the server wants that, into an Authorization field.
 * Where nothing tells which, the form is tried first.  A server that answers
 * with 401 that it did not accept the client has looked at nothing else (RFC
 * 6749 sections 3.2.1 and 5.2) and so has spent neither code nor refresh
 * token: what was sent may be sent the other way, once, and the record
 * remembers which way it was.  Without such an answer nothing is sent again,
 * but a refresh whose scope is refused (flow_grants.c).
 */
#include "oauth/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "oauth/flow_impl.h"
#include "oauth/form.h"
#include "wire/echo.h"

#define LATE_US 100000

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	struct flow *flow = ctx;

	(void)fd;
	(void)what;
	flow->grant->woken(flow);
}

/* With an exchange under way its answer decides. */
static void on_limit(evutil_socket_t fd, short what, void *ctx)
{
	struct flow *flow = ctx;

	(void)fd;
	(void)what;
	if (flow->exchange == NULL)
		flow->grant->late(flow);
}

struct flow *flow_new(size_t bytes, const struct flow_grant *grant,
    const struct flow_target *target)
{
	const struct provider *provider = target->provider;
	struct flow *flow = calloc(1, bytes);

	if (flow == NULL)
		return NULL;
	flow->grant = grant;
	flow->target = *target;
	flow->target.provider = provider_share(target->provider);
	flow->endpoint = "";
	buf_init(&flow->form, FLOW_FORM_MAX_BYTES);
	flow->guessed = provider->family == PROVIDER_STANDARD &&
	    provider->secret_way == SECRET_WAY_UNKNOWN;
	flow->basic = provider->secret_way == SECRET_WAY_BASIC ||
	    (flow->guessed && target->basic);
	(void)evtimer_assign(&flow->wake, target->base, on_wake, flow);
	(void)evtimer_assign(&flow->limit, target->base, on_limit, flow);
	return flow;
}

enum fault flow_started(struct flow *flow, enum fault fault,
    struct flow **flow_out)
{
	if (fault == FAULT_NONE)
		*flow_out = flow;
	else
		flow_free(flow);
	return fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG ?
	    FAULT_INTERNAL :
	    fault;
}

void flow_free(struct flow *flow)
{
	if (flow == NULL)
		return;
	http_cancel(flow->exchange);
	if (flow->grant->drop != NULL)
		flow->grant->drop(flow);
	provider_release(flow->target.provider);
	(void)evtimer_del(&flow->wake);
	(void)evtimer_del(&flow->limit);
	buf_drop(&flow->form);
	reply_token_drop(&flow->token);
	free(flow->scope);
	free(flow);
}

/*
 * The loop's clock is coarse and was read before its last events; a server
 * calls a poll that comes a moment early too fast.
 */
enum fault flow_timer(const struct flow *flow, struct event *timer,
    int64_t after_s)
{
	struct timeval wait = { (time_t)after_s, LATE_US };

	if (after_s == 0) {
		event_active(timer, EV_TIMEOUT, 0);
		return FAULT_NONE;
	}
	(void)event_base_update_cache_time(flow->target.base);
	return evtimer_add(timer, &wait) == 0 ? FAULT_NONE : FAULT_NOMEM;
}

void flow_tell(struct flow *flow, const struct flow_event *event)
{
	flow->target.event(flow->target.ctx, event);
}

/* The receiver may keep the flow for a while. */
static void tell_end(struct flow *flow, enum flow_event_kind kind)
{
	bool failed = kind == FLOW_FAILED;
	const struct flow_event event = {
		.kind = kind,
		.failure = failed ? &flow->failure : NULL,
		.token = failed && flow->token.refresh_token == NULL ?
		    NULL :
		    &flow->token,
	};

	(void)evtimer_del(&flow->wake);
	(void)evtimer_del(&flow->limit);
	if (flow->grant->ended != NULL)
		flow->grant->ended(flow, failed ? flow->failure.text : NULL);
	flow_tell(flow, &event);
}

void flow_fail(struct flow *flow)
{
	tell_end(flow, FLOW_FAILED);
}

/* The tokens are good whatever this answer is: a failure is as if there had
 * been nobody to ask. */
static void who_answered(void *ctx, const struct http_answer *answer)
{
	struct flow *flow = ctx;

	flow->exchange = NULL;
	if (flow_succeeded(answer))
		reply_userinfo(answer->body, &flow->token);
	tell_end(flow, FLOW_TOKENS);
}

void flow_end(struct flow *flow, const struct http_answer *answer)
{
	const struct provider *provider = flow->target.provider;
	struct http_request request = {
		.method = HTTP_GET_BEARER,
		.url = provider->userinfo_endpoint,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};

	if (flow->fault) {
		flow_judge(flow, answer);
		flow_fail(flow);
		return;
	}
	/* Where the tokens of a sign-in do not say who it was, and the issuer's
	 * metadata has a userinfo endpoint (OpenID Connect Core 1.0 section
	 * 5.3). */
	if (flow->grant->signs_in && flow->token.identity == NULL &&
	    request.url != NULL) {
		request.body = secret_reveal(flow->token.access_token,
		    "userinfo endpoint");
		if (http_start(flow->target.http, &request, who_answered, flow,
			&flow->exchange) == FAULT_NONE)
			return;
	}
	tell_end(flow, FLOW_TOKENS);
}

void flow_say(struct flow *flow, enum advice_class class, const char *format,
    ...)
{
	struct flow_failure *failure = &flow->failure;
	va_list words;

	memset(failure, 0, sizeof(*failure));
	failure->class = class;
	failure->retry_after_s = -1;
	va_start(words, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, words);
	va_end(words);
}

void flow_say_fault(struct flow *flow, enum fault fault)
{
	flow_say(flow, ADVICE_TRANSIENT,
	    "the exchange with the provider cannot go on: %s",
	    fault_text(fault));
	flow->failure.trouble = HTTP_LOCAL;
}

/*
 * Whether the provider may have acted on the request though its answer did
 * not come: a gateway that waited in vain (RFC 9110 sections 15.6.3 and
 * 15.6.5) has passed it on.
 */
static bool is_lost(const struct flow *flow, const struct http_answer *answer)
{
	if (answer->trouble != HTTP_ANSWERED)
		return answer->reached;
	return flow->error.error[0] == '\0' &&
	    (flow_succeeded(answer) || answer->status == 502 ||
		answer->status == 504);
}

void flow_judge(struct flow *flow, const struct http_answer *answer)
{
	const struct reply_error *error = &flow->error;
	struct flow_failure *failure = &flow->failure;
	char advice[256], words[320];
	bool is_no_answer = answer->trouble != HTTP_ANSWERED ||
	    answer->redirect;
	bool has_id = error->correlation_id[0] != '\0';
	bool has_trace = error->trace_id[0] != '\0';

	advice_text(flow->target.provider, answer->status, error, advice,
	    sizeof(advice));
	advice_quote(error, words, sizeof(words));
	if (is_no_answer)
		flow_say(flow, ADVICE_TRANSIENT, "the %s cannot be used: %s",
		    flow->endpoint,
		    reply_repeats(&flow->asked, span_of(answer->text)) ?
			ECHO_HIDDEN :
			answer->text);
	else if (error->error[0] != '\0')
		flow_say(flow, ADVICE_TRANSIENT, "the %s %.100s refused: %s %s",
		    flow->endpoint, answer->host, advice, words);
	else if (flow->is_page)
		flow_say(flow, ADVICE_TRANSIENT,
		    "the %s %.100s answered with status %ld and an HTML "
		    "page%s, as of a proxy or filter: it must let this machine "
		    "through to the provider",
		    flow->endpoint, answer->host, answer->status, flow->title);
	else if (flow_succeeded(answer) && flow->fault == FAULT_GARBLED)
		flow_say(flow, ADVICE_TRANSIENT,
		    "the answer of the %s %.100s cannot be used: %.160s",
		    flow->endpoint, answer->host, flow->why.text);
	else if (flow_succeeded(answer))
		flow_say_fault(flow, flow->fault);
	else
		flow_say(flow, ADVICE_TRANSIENT,
		    "the %s %.100s answered with status %ld: %s",
		    flow->endpoint, answer->host, answer->status, advice);
	failure->class = advice_class(answer->status, error->error);
	failure->status = answer->status;
	failure->retry_after_s = answer->retry_after_s;
	failure->lost = is_lost(flow, answer);
	failure->code = error->codes[0];
	if (answer->trouble != HTTP_ANSWERED)
		failure->trouble = answer->trouble;
	memcpy(failure->error, error->error, sizeof(failure->error));
	(void)snprintf(failure->trace, sizeof(failure->trace), "%s%s%s%s%s",
	    has_id ? "correlation-id " : "", error->correlation_id,
	    has_id && has_trace ? " " : "", has_trace ? "trace-id " : "",
	    error->trace_id);
}

bool flow_succeeded(const struct http_answer *answer)
{
	return answer->trouble == HTTP_ANSWERED && answer->status >= 200 &&
	    answer->status <= 299;
}

struct buf *flow_form(struct flow *flow, enum flow_client client,
    const char *endpoint, const char *url)
{
	const struct provider *provider = flow->target.provider;

	buf_drop(&flow->form);
	flow->endpoint = endpoint;
	flow->url = url;
	flow->client = client;
	if (client == FLOW_WITH_SECRET && provider->client_secret == NULL)
		flow->client = FLOW_WITHOUT_SECRET;
	return &flow->form;
}

struct buf *flow_token_form(struct flow *flow, enum flow_client client)
{
	return flow_form(flow, client, "token endpoint",
	    flow->target.provider->token_endpoint);
}

static bool is_basic(const struct flow *flow)
{
	return flow->client == FLOW_WITH_SECRET && flow->basic;
}

/* Some say "error" with status 200, and a few beside good tokens. */
static void sent(void *ctx, const struct http_answer *answer)
{
	struct flow *flow = ctx;
	bool is_cut = answer->trouble != HTTP_ANSWERED;

	flow->asked = (struct reply_asked){ answer->sent,
		flow->target.provider->client_secret };
	flow->exchange = NULL;
	reply_token_drop(&flow->token);
	memset(&flow->error, 0, sizeof(flow->error));
	flow->why.text[0] = '\0';
	flow->fault = FAULT_GARBLED;
	if (flow_succeeded(answer) || is_cut)
		flow->fault = reply_token_parse(answer->body, &flow->asked,
		    &flow->token, &flow->why);
	/* Of one that is not whole a new refresh token counts, no more. */
	if (is_cut)
		flow->fault = FAULT_GARBLED;
	else if (flow->fault && !answer->redirect)
		(void)!reply_error_parse(answer->body, &flow->asked,
		    &flow->error);
	flow->is_page = !answer->redirect &&
	    reply_page(answer->body, &flow->asked, flow->title);
	flow->token.by_basic = is_basic(flow);
	/* It refuses the client, and nothing told how it wants it. */
	if (flow->client == FLOW_WITH_SECRET && flow->guessed &&
	    answer->status == 401 &&
	    (answer->wants_basic ||
		strcmp(flow->error.error, "invalid_client") == 0)) {
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
	struct span id = span_of(provider->client_id), secret = { NULL, 0 };
	struct buf body = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct buf basic = BUF_INIT(FLOW_FORM_MAX_BYTES);
	struct http_request request = {
		.method = HTTP_POST_FORM,
		.url = flow->url,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
		.max_ms = flow->patient ? HTTP_PATIENT_MAX_MS : 0,
		.may_send = flow->target.may_send,
		.may_send_ctx = flow->target.may_send_ctx,
	};
	enum fault fault = buf_fault(&flow->form);

	buf_add(&body, buf_span(&flow->form));
	if (flow->scope != NULL)
		form_add(&body, "scope", span_of(flow->scope));
	if (flow->client == FLOW_WITH_SECRET)
		secret = secret_reveal(provider->client_secret,
		    "the client says who it is");
	if (flow->client != FLOW_NO_CLIENT)
		form_add_form(&body, provider->extra);
	if (is_basic(flow)) {
		/* Form-encoded, so that the colon separates them. */
		form_encode(&basic, id);
		buf_add_lit(&basic, ":");
		form_encode(&basic, secret);
	} else if (flow->client != FLOW_NO_CLIENT) {
		form_add(&body, "client_id", id);
		if (flow->client == FLOW_WITH_SECRET)
			form_add(&body, "client_secret", secret);
	}
	if (!fault)
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
