/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The authorization code grant with PKCE: RFC 6749 section 4.1, RFC 7636, RFC
 * 8252, RFC 9207.  An answer counts if it has our state, once; it comes from
 * the loopback listener or is pasted.  A bare code needs no state: nobody but
 * the person at the terminal can have brought it.
 */
#include "oauth/flow.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "oauth/code.h"
#include "oauth/flow_impl.h"
#include "oauth/form.h"
#include "oauth/redirect.h"
#include "oauth/url.h"
#include "wire/attr.h"
#include "wire/echo.h"

#define LINK_MAX_BYTES	 8192
#define RANDOM_MAX_BYTES 43 /* 32 bytes in base64url, without padding */

struct flow_code {
	struct flow flow;
	struct redirect *redirect; /* NULL: what the browser ends at is
				      pasted */
	struct secret *verifier;
	struct secret *state;
	struct buf uri; /* where the browser comes back to */
	struct buf url; /* what it opens */
	bool shown;
	bool used; /* the state has come back */
};

static struct flow_code *code_of(struct flow *flow)
{
	return (struct flow_code *)(void *)flow;
}

/* Tells the URL first, and after that failure. */
static void code_woken(struct flow *flow)
{
	struct flow_code *code = code_of(flow);
	struct flow_event event = {
		.kind = FLOW_SHOW_URL,
		.url = code->url.p,
		.redirect_uri = code->uri.p,
		.left_s = FLOW_CODE_MAX_S,
	};

	if (code->shown) {
		flow_fail(flow);
		return;
	}
	code->shown = true;
	flow_tell(flow, &event);
}

/* An answer is never told from inside the function that brought it. */
static void fail_soon(struct flow *flow)
{
	code_of(flow)->shown = true;
	(void)!flow_timer(flow, &flow->wake, 0);
}

static void code_late(struct flow *flow)
{
	flow_say(flow, ADVICE_LOGIN_NEEDED,
	    "nobody signed in within %d minutes: start again",
	    FLOW_CODE_MAX_S / 60);
	flow_fail(flow);
}

/* The browser hears of the end before the receiver, who frees the flow. */
static void code_ended(struct flow *flow, const char *failure)
{
	if (code_of(flow)->redirect != NULL)
		redirect_finish(code_of(flow)->redirect, failure);
}

/*
 * From code to tokens.  Where it is not told the scope again, Microsoft gives
 * a token for the first resource that was ever consented to.
 */
static void redeem(struct flow_code *code, struct span text)
{
	struct flow *flow = &code->flow;
	const struct provider *provider = flow->target.provider;
	struct buf *form = flow_token_form(flow, FLOW_WITH_SECRET);
	enum fault fault;

	form_add(form, "grant_type", span_of("authorization_code"));
	form_add(form, "code", text);
	form_add(form, "redirect_uri", buf_span(&code->uri));
	if (provider->family == PROVIDER_MICROSOFT && provider->scope != NULL)
		form_add(form, "scope", span_of(provider->scope));
	form_add(form, "code_verifier",
	    secret_reveal(code->verifier, "grant authorization_code"));
	flow->patient = true;
	fault = flow_send(flow);
	if (fault) {
		flow_say_fault(flow, fault);
		fail_soon(flow);
	}
}

/* RFC 6749 section 4.1.2.1 */
static void refuse(struct flow *flow, struct span word, struct span query)
{
	struct http_answer answer = {
		.trouble = HTTP_ANSWERED,
		.status = 400,
		.retry_after_s = -1,
		.sent = query,
	};
	struct buf text = BUF_INIT(LINK_MAX_BYTES);
	char *host = NULL;

	(void)!url_host(flow->target.provider->authorization_endpoint, &host);
	answer.host = host != NULL ? host : "";
	(void)!form_get(query, "error_description", &text);
	reply_error_of(word, buf_span(&text), &flow->asked, &flow->error);
	flow_judge(flow, &answer);
	if (strcmp(flow->failure.error, "access_denied") == 0)
		flow->failure.class = ADVICE_LOGIN_NEEDED;
	buf_drop(&text);
	free(host);
	fail_soon(flow);
}

static enum fault check_state(const struct flow_code *code, struct span query,
    struct why *why)
{
	struct span state = secret_reveal(code->state, "to compare it");
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	enum fault fault = form_get(query, "state", &text);
	bool same = fault == FAULT_NONE && text.n == state.n &&
	    CRYPTO_memcmp(text.p, state.p, state.n) == 0;

	buf_drop(&text);
	if (same)
		return FAULT_NONE;
	why_set(why, 0, "%s",
	    fault == FAULT_NOT_FOUND ?
		"the address has no \"state\", so it is not known to be from "
		"this sign-in" :
		"the address is from another sign-in: its \"state\" is not "
		"this one's");
	return FAULT_DENIED;
}

/*
 * RFC 9207 section 2.4; true when the answer may be used.  Microsoft's issuer
 * has a tenant's number where ours may have its name; a server that says
 * nothing of iss may still send it, but must not be another.
 */
static bool check_issuer(struct flow *flow, struct span query)
{
	const struct provider *provider = flow->target.provider;
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	char plain[120];
	enum fault fault = form_get(query, "iss", &text);
	bool is_told = provider->issuer != NULL &&
	    (provider->returns_iss ||
		(fault != FAULT_NOT_FOUND &&
		    provider->family != PROVIDER_MICROSOFT));
	bool same = !is_told ||
	    (fault == FAULT_NONE && span_is(buf_span(&text), provider->issuer));

	attr_plain(reply_repeats(&flow->asked, buf_span(&text)) ?
		span_of(ECHO_HIDDEN) :
		buf_span(&text),
	    plain, sizeof(plain));
	buf_drop(&text);
	if (same)
		return true;
	flow_say(flow, ADVICE_CONFIG,
	    "the answer came from %s%s%s, not from the issuer '%.120s': it "
	    "was not used; start again, and check issuer if this stays",
	    fault == FAULT_NONE ? "'" : "nobody that says who it is",
	    fault == FAULT_NONE ? plain : "", fault == FAULT_NONE ? "'" : "",
	    provider->issuer);
	fail_soon(flow);
	return false;
}

/* What a browser, or a person, brings. */
static enum fault take_query(void *ctx, struct span query, struct why *why)
{
	struct flow_code *code = ctx;
	struct buf text = BUF_INIT(CODE_MAX_BYTES);
	struct buf word = BUF_INIT(CODE_MAX_BYTES);
	enum fault fault, found;
	bool refused;

	if (code->used) {
		why_set(why, 0, "this sign-in is being finished already");
		return FAULT_DENIED;
	}
	fault = check_state(code, query, why);
	if (fault)
		return fault;
	found = form_get(query, "code", &text);
	refused = form_get(query, "error", &word) == FAULT_NONE && word.n > 0;
	if (refused || (found == FAULT_NONE && text.n > 0)) {
		/* What has the right state is used up now. */
		code->used = true;
		code->flow.asked = (struct reply_asked){ query,
			code->flow.target.provider->client_secret };
		if (check_issuer(&code->flow, query)) {
			if (refused)
				refuse(&code->flow, buf_span(&word), query);
			else
				redeem(code, buf_span(&text));
		}
	} else {
		why_set(why, 0, "%s",
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

static void code_drop(struct flow *flow)
{
	struct flow_code *code = code_of(flow);

	redirect_free(code->redirect);
	secret_free(code->verifier);
	secret_free(code->state);
	buf_drop(&code->url);
	buf_drop(&code->uri);
}

static const struct flow_grant code_grant = {
	.answered = flow_end,
	.woken = code_woken,
	.late = code_late,
	.ended = code_ended,
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
	if (!fault && pasted == CODE_ADDRESS) {
		fault = take_query(code, buf_span(&plain), why);
	} else if (!fault) {
		code->used = true;
		redeem(code, buf_span(&plain));
	}
	buf_drop(&plain);
	return fault;
}

/* 256 random bits as [A-Za-z0-9_-]: a verifier (RFC 7636 section 4.1) or a
 * state (RFC 6749 section 10.12). */
static enum fault make_random(struct secret **text_out)
{
	struct buf text = BUF_INIT(RANDOM_MAX_BYTES);
	unsigned char bytes[32];
	enum fault fault;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return FAULT_INTERNAL;
	form_base64url(&text, bytes, sizeof(bytes));
	fault = buf_fault(&text);
	if (!fault)
		fault = secret_new(buf_span(&text), text_out);
	secret_wipe(bytes, sizeof(bytes));
	buf_drop(&text);
	return fault;
}

/* A name may stand there once (RFC 6749 section 3.1): the block's wins. */
static void add_extra(const struct provider *provider, struct buf *form)
{
	const char *p = preset_value(provider->row, "authorize_extra");
	size_t n;

	form_add_form(form, provider->extra);
	for (; p != NULL && *p != '\0'; p += n + (p[n] == '&' ? 1 : 0)) {
		n = strcspn(p, "&");
		if (form_has(provider->extra,
			(struct span){ p, strcspn(p, "=&") }))
			continue;
		buf_add_lit(form, "&");
		buf_add(form, (struct span){ p, n });
	}
}

/* The fields in the order of RFC 6749 section 4.1.1, then what the provider
 * wants besides. */
static enum fault make_link(struct flow_code *code, const char *account)
{
	const struct provider *provider = code->flow.target.provider;
	struct span verifier = secret_reveal(code->verifier,
	    "the challenge of it");
	const char *endpoint = provider->authorization_endpoint;
	const char *scope = provider->scope;
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf *link = &code->url;
	unsigned n = 0;

	/* RFC 7636 section 4.2:
	 * code_challenge = BASE64URL(SHA256(code_verifier)) */
	if (EVP_Digest(verifier.p, verifier.n, digest, &n, EVP_sha256(),
		NULL) != 1)
		return FAULT_INTERNAL;
	buf_add_str(link, endpoint);
	buf_add_str(link, strchr(endpoint, '?') != NULL ? "&" : "?");
	buf_add_lit(link, "response_type=code");
	form_add(link, "client_id", span_of(provider->client_id));
	form_add(link, "redirect_uri", buf_span(&code->uri));
	if (scope != NULL && scope[0] != '\0')
		form_add(link, "scope", span_of(scope));
	form_add(link, "state",
	    secret_reveal(code->state, "goes through the browser"));
	buf_add_lit(link, "&code_challenge=");
	form_base64url(link, digest, n);
	form_add(link, "code_challenge_method", span_of("S256"));
	if (account != NULL)
		form_add(link, "login_hint", span_of(account));
	add_extra(provider, link);
	return buf_fault(link);
}

enum fault flow_code_start(const struct flow_target *target,
    const char *account, struct flow **flow_out, struct why *why)
{
	const struct provider *provider = target->provider;
	struct flow *flow = flow_new(sizeof(struct flow_code), &code_grant,
	    target);
	struct flow_code *code = code_of(flow);
	/* RFC 8252 section 7.3 wants the literal address; Microsoft matches any
	 * port with the name localhost only, and has no path registered. */
	bool by_name = provider->family == PROVIDER_MICROSOFT;
	const struct redirect_wish visit = {
		.base = target->base,
		.path = by_name ? "/" : FLOW_CODE_PATH,
		.port = provider->redirect_port,
		.came = take_query,
		.ctx = code,
	};
	enum fault fault;

	if (flow == NULL)
		return FAULT_NOMEM;
	why->text[0] = '\0';
	buf_init(&code->uri, LINK_MAX_BYTES);
	buf_init(&code->url, LINK_MAX_BYTES);
	flow->endpoint = "authorization endpoint";
	fault = make_random(&code->verifier);
	if (!fault)
		fault = make_random(&code->state);
	/* We listen there unless it is elsewhere. */
	if (provider->redirect_uri != NULL)
		buf_add_str(&code->uri, provider->redirect_uri);
	else if (!fault)
		fault = redirect_new(&visit, &code->redirect, why);
	if (code->redirect != NULL) {
		buf_add_str(&code->uri,
		    by_name ? "http://localhost:" : "http://127.0.0.1:");
		buf_add_int(&code->uri, redirect_port(code->redirect));
		buf_add_str(&code->uri, visit.path);
	}
	if (!fault)
		fault = buf_fault(&code->uri);
	if (!fault)
		fault = make_link(code, account);
	if (!fault)
		fault = flow_timer(flow, &flow->limit, FLOW_CODE_MAX_S);
	if (!fault)
		fault = flow_timer(flow, &flow->wake, 0);
	if (fault && why->text[0] == '\0')
		why_set(why, 0, "%s", fault_text(fault));
	return flow_started(flow, fault, flow_out);
}
