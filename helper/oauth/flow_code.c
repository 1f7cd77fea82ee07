/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The authorization code grant with PKCE: RFC 6749 section 4.1, RFC 7636, RFC
 * 8252, RFC 9207.  An answer counts if it has our state, once; it comes from
 * the loopback listener or is pasted.  A bare code needs no state: nobody but
 * the person at the terminal can have brought it.
 */
#include "oauth/flow.h"

#include <event2/event.h>

#include "oauth/code.h"
#include "oauth/flow_impl.h"
#include "oauth/form.h"
#include "oauth/redirect.h"
#include "oauth/url.h"
#include "wire/attr.h"
#include "wire/echo.h"

struct flow_code {
	struct flow flow;
	flow_event_fn *event; /* the receiver's own */
	void *ctx;
	struct redirect *redirect;
	struct secret *verifier;
	struct secret *state;
	struct buf uri;	    /* where the browser comes back to */
	struct buf url;	    /* what it opens */
	struct event *soon; /* show the URL, or tell failure */
	struct flow_failure failure;
	bool shown;
	bool used; /* the state has come back */
};

static struct flow_code *code_of(struct flow *flow)
{
	return (struct flow_code *)(void *)flow;
}

/* The browser hears of the end before the receiver, who frees the flow. */
static void code_event(void *ctx, const struct flow_event *event)
{
	struct flow_code *code = ctx;

	if (event->kind == FLOW_TOKENS && code->redirect != NULL)
		redirect_finish(code->redirect, NULL);
	if (event->kind == FLOW_FAILED && code->redirect != NULL)
		redirect_finish(code->redirect, event->failure->text);
	code->event(code->ctx, event);
}

static void code_soon(evutil_socket_t fd, short what, void *ctx)
{
	struct flow_code *code = ctx;
	struct flow_event event = {
		.kind = FLOW_SHOW_URL,
		.url = code->url.p,
		.redirect_uri = code->uri.p,
		.left_s = FLOW_CODE_MAX_S,
	};

	(void)fd;
	(void)what;
	if (code->shown) {
		flow_tell_failed(&code->flow, &code->failure);
		return;
	}
	code->shown = true;
	flow_tell(&code->flow, &event);
}

static void code_end(evutil_socket_t fd, short what, void *ctx)
{
	struct flow_code *code = ctx;
	struct flow_failure failure;

	(void)fd;
	(void)what;
	if (code->flow.exchange != NULL)
		return; /* its answer decides */
	flow_failure_say(&failure, ADVICE_LOGIN_NEEDED,
	    "nobody signed in within %d minutes: start again",
	    FLOW_CODE_MAX_S / 60);
	flow_tell_failed(&code->flow, &failure);
}

static void fail_soon(struct flow_code *code)
{
	code->shown = true;
	event_active(code->soon, EV_TIMEOUT, 0);
}

/*
 * From code to tokens; a failure is told by the event loop.  Where it is not
 * told the scope again, Microsoft gives a token for the first resource that
 * was ever consented to.
 */
static void redeem(struct flow_code *code, struct span text)
{
	const struct provider *provider = code->flow.target.provider;
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);
	enum fault fault;

	form_add(&form, "grant_type", span_of("authorization_code"));
	form_add(&form, "code", text);
	form_add(&form, "redirect_uri", buf_span(&code->uri));
	if (provider->family == PROVIDER_MICROSOFT && provider->scope != NULL)
		form_add(&form, "scope", span_of(provider->scope));
	form_add(&form, "code_verifier",
	    secret_reveal(code->verifier, "grant authorization_code"));
	flow_add_client(&code->flow, FLOW_WITH_SECRET, &form);
	code->flow.patient = true;
	fault = flow_post_token(&code->flow, &form);
	if (fault == FAULT_NONE)
		return;
	flow_failure_of(fault, &code->failure);
	fail_soon(code);
}

/* RFC 6749 section 4.1.2.1 */
static void refuse(struct flow_code *code, struct span word, struct span query)
{
	struct http_answer answer = {
		.trouble = HTTP_ANSWERED,
		.status = 400,
		.retry_after_s = -1,
		.sent = query,
	};
	const struct reply_asked asked = flow_asked(&code->flow, &answer);
	struct buf text = BUF_INIT(CODE_URL_MAX_BYTES);
	struct reply_error error;

	(void)!form_get(query, "error_description", &text);
	reply_error_of(word, buf_span(&text), &asked, &error);
	flow_failure_from(&code->flow, &answer, &error, &code->failure);
	if (strcmp(code->failure.error, "access_denied") == 0)
		code->failure.class = ADVICE_LOGIN_NEEDED;
	buf_drop(&text);
	fail_soon(code);
}

static enum fault check_state(const struct flow_code *code, struct span query,
    struct why *why)
{
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	struct secret *state = NULL;
	enum fault fault;
	bool same;

	fault = form_get(query, "state", &text);
	if (fault == FAULT_NONE)
		fault = secret_new(buf_span(&text), &state);
	same = fault == FAULT_NONE && secret_equal(state, code->state);
	secret_free(state);
	buf_drop(&text);
	if (same)
		return FAULT_NONE;
	if (fault == FAULT_NOMEM)
		why_set(why, 0, "%s", fault_text(fault));
	else
		why_set(why, 0,
		    fault == FAULT_NOT_FOUND ?
			"the address has no \"state\", so it is not known to "
			"be from this sign-in" :
			"the address is from another sign-in: its \"state\" is "
			"not this one's");
	return FAULT_DENIED;
}

/*
 * Microsoft's issuer has a tenant's number where ours may have its name; a
 * server that says nothing of iss may still send it, but must not be another.
 */
static bool is_issuer_told(const struct provider *provider, enum fault found)
{
	return provider->issuer != NULL &&
	    (provider->returns_iss ||
		(found != FAULT_NOT_FOUND &&
		    provider->family != PROVIDER_MICROSOFT));
}

/* RFC 9207 section 2.4; true when the answer may be used. */
static bool check_issuer(struct flow_code *code, struct span query)
{
	const struct provider *provider = code->flow.target.provider;
	const struct reply_asked asked = { query, provider->client_secret };
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	char plain[120];
	enum fault fault;
	bool same;

	fault = form_get(query, "iss", &text);
	same = !is_issuer_told(provider, fault) ||
	    (fault == FAULT_NONE && span_is(buf_span(&text), provider->issuer));
	attr_plain(reply_repeats(&asked, buf_span(&text)) ?
		span_of(ECHO_HIDDEN) :
		buf_span(&text),
	    plain, sizeof(plain));
	buf_drop(&text);
	if (same)
		return true;
	flow_failure_say(&code->failure, ADVICE_CONFIG,
	    "the answer came from %s%.120s%s, not from the issuer '%.120s': it "
	    "was not used; start again, and check issuer if this stays",
	    fault == FAULT_NONE ? "'" : "nobody that says who it is",
	    fault == FAULT_NONE ? plain : "", fault == FAULT_NONE ? "'" : "",
	    provider->issuer);
	fail_soon(code);
	return false;
}

/* What has the right state, and is used up now. */
static void accept_answer(struct flow_code *code, struct span query,
    struct span word, struct span text)
{
	code->used = true;
	if (!check_issuer(code, query))
		return;
	if (word.n > 0)
		refuse(code, word, query);
	else
		redeem(code, text);
}

static enum fault take_query(struct flow_code *code, struct span query,
    struct why *why)
{
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	struct buf word = BUF_INIT(CODE_MAX_BYTES);
	enum fault fault, found, failed;

	if (code->used) {
		why_set(why, 0, "this sign-in is being finished already");
		return FAULT_DENIED;
	}
	fault = check_state(code, query, why);
	if (fault != FAULT_NONE)
		return fault;
	found = form_get(query, "code", &text);
	failed = form_get(query, "error", &word);
	if (failed == FAULT_NONE && word.n > 0) {
		accept_answer(code, query, buf_span(&word), buf_span(&text));
	} else if (found == FAULT_NONE && text.n > 0) {
		accept_answer(code, query, (struct span){ NULL, 0 },
		    buf_span(&text));
	} else {
		why_set(why, 0,
		    found == FAULT_NOT_FOUND ?
			"that address has no \"code\": open the link, sign in, "
			"and take the address you end at" :
			"the \"code\" of that address cannot be read");
		fault = FAULT_GRAMMAR;
	}
	buf_drop(&word);
	buf_drop(&text);
	return fault;
}

static bool code_came(void *ctx, struct span query, struct why *why)
{
	return take_query(ctx, query, why) == FAULT_NONE;
}

static void code_drop(struct flow *flow)
{
	struct flow_code *code = code_of(flow);

	redirect_free(code->redirect);
	if (code->soon != NULL)
		event_free(code->soon);
	secret_free(code->verifier);
	secret_free(code->state);
	buf_drop(&code->url);
	buf_drop(&code->uri);
}

static const struct flow_grant code_grant = {
	.answered = flow_tell_tokens,
	.drop = code_drop,
	.signs_in = true,
};

enum fault flow_code_paste(struct flow *flow, struct span text, struct why *why)
{
	struct flow_code *code = code_of(flow);
	struct buf plain = BUF_INIT(CODE_PASTED_MAX_BYTES);
	enum code_pasted pasted;
	enum fault fault;

	if (flow->grant != &code_grant || code->used) {
		why_set(why, 0, "this sign-in is being finished already");
		return FAULT_DENIED;
	}
	fault = code_read_pasted(text, &pasted, &plain, why);
	if (fault == FAULT_NONE && pasted == CODE_ADDRESS) {
		fault = take_query(code, buf_span(&plain), why);
	} else if (fault == FAULT_NONE) {
		code->used = true;
		redeem(code, buf_span(&plain));
	}
	buf_drop(&plain);
	return fault;
}

static enum fault make_url(struct flow_code *code,
    const struct flow_code_wish *wish)
{
	struct buf challenge = BUF_INIT(CODE_RANDOM_BYTES);
	struct code_wish fields = {
		.scope = wish->scope,
		.account = wish->account,
		.redirect_uri = buf_span(&code->uri),
		.state = secret_reveal(code->state, "goes through the browser"),
	};
	enum fault fault;

	fault = code_challenge(
	    secret_reveal(code->verifier, "the challenge of it"), &challenge);
	if (fault == FAULT_NONE) {
		fields.challenge = buf_span(&challenge);
		fault = code_url(code->flow.target.provider, &fields,
		    &code->url);
	}
	buf_drop(&challenge);
	return fault;
}

static enum fault prepare(struct flow_code *code)
{
	const struct flow_target *target = &code->flow.target;
	static const struct timeval limit = { FLOW_CODE_MAX_S, 0 };
	enum fault fault;

	code->soon = evtimer_new(target->base, code_soon, code);
	code->flow.end = evtimer_new(target->base, code_end, code);
	if (code->soon == NULL || code->flow.end == NULL ||
	    evtimer_add(code->flow.end, &limit) != 0)
		return FAULT_NOMEM;
	code->flow.endpoint = "authorization endpoint";
	fault = url_host(target->provider->authorization_endpoint,
	    &code->flow.host);
	if (fault == FAULT_NONE)
		fault = code_random(&code->verifier);
	if (fault == FAULT_NONE)
		fault = code_random(&code->state);
	return fault;
}

/* Where the browser comes back to: we listen there unless it is elsewhere. */
static enum fault set_uri(struct flow_code *code,
    const struct flow_code_wish *wish, struct why *why)
{
	const struct provider *provider = code->flow.target.provider;
	const struct redirect_wish visit = {
		.base = code->flow.target.base,
		.path = code_path(provider),
		.port = wish->port,
		.came = code_came,
		.ctx = code,
	};
	enum fault fault;

	if (provider->redirect_uri != NULL) {
		buf_add_str(&code->uri, provider->redirect_uri);
		return buf_fault(&code->uri);
	}
	fault = redirect_new(&visit, &code->redirect, why);
	return fault != FAULT_NONE ?
	    fault :
	    code_redirect(provider, redirect_port(code->redirect), &code->uri);
}

static enum fault begin(struct flow_code *code,
    const struct flow_code_wish *wish, struct why *why)
{
	enum fault fault;

	why->text[0] = '\0';
	fault = prepare(code);
	if (fault == FAULT_NONE) {
		fault = set_uri(code, wish, why);
		if (fault != FAULT_NONE && why->text[0] != '\0')
			return fault;
	}
	if (fault == FAULT_NONE)
		fault = make_url(code, wish);
	if (fault == FAULT_NONE)
		event_active(code->soon, EV_TIMEOUT, 0);
	else
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

enum fault flow_code_start(const struct flow_target *target,
    const struct flow_code_wish *wish, struct flow **flow_out, struct why *why)
{
	struct flow_code *code;
	struct flow *flow;

	if (target->provider->authorization_endpoint == NULL) {
		why_set(why, 0,
		    "provider '%s' has no authorization_endpoint: add it, or "
		    "choose another flow, such as 'device'",
		    target->provider->name);
		return FAULT_CONFIG_ERROR;
	}
	flow = flow_new(sizeof(*code), &code_grant, target);
	if (flow == NULL) {
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	code = code_of(flow);
	code->event = target->event;
	code->ctx = target->ctx;
	flow->target.event = code_event;
	flow->target.ctx = code;
	buf_init(&code->uri, CODE_URL_MAX_BYTES);
	buf_init(&code->url, CODE_URL_MAX_BYTES);
	return flow_started(flow, begin(code, wish, why), flow_out);
}
