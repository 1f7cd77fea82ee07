/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fields in the order of the RFCs, then what the provider wants besides.
 */
#include "oauth/authorize.h"

#include "oauth/flow.h"
#include "oauth/form.h"

/*
 * RFC 8252 section 7.3 wants the literal address; Microsoft matches any port
 * with the name localhost only, and has no path registered.
 */
static bool is_by_name(const struct provider *provider)
{
	return provider->family == PROVIDER_MICROSOFT;
}

const char *authorize_path(const struct provider *provider)
{
	return is_by_name(provider) ? "/" : FLOW_CODE_PATH;
}

enum fault authorize_redirect(const struct provider *provider, uint16_t port,
    struct buf *out)
{
	buf_add_str(out,
	    is_by_name(provider) ? "http://localhost:" : "http://127.0.0.1:");
	buf_add_int(out, port);
	buf_add_str(out, authorize_path(provider));
	return buf_fault(out);
}

/* A name may stand there once (RFC 6749 section 3.1): the block's wins. */
static void add_extra(const struct provider *provider, struct buf *form)
{
	const char *p = provider->authorize_extra;
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

enum fault authorize_url(const struct provider *provider,
    const struct authorize_wish *wish, struct buf *out)
{
	const char *endpoint = provider->authorization_endpoint;
	struct buf form = BUF_INIT(AUTHORIZE_MAX_BYTES);
	enum fault fault;

	form_add(&form, "response_type", span_of("code"));
	form_add(&form, "client_id", span_of(provider->client_id));
	form_add(&form, "redirect_uri", wish->redirect_uri);
	if (wish->scope != NULL && wish->scope[0] != '\0')
		form_add(&form, "scope", span_of(wish->scope));
	form_add(&form, "state", wish->state);
	form_add(&form, "code_challenge", wish->challenge);
	form_add(&form, "code_challenge_method", span_of("S256"));
	if (wish->account != NULL)
		form_add(&form, "login_hint", span_of(wish->account));
	add_extra(provider, &form);
	fault = buf_fault(&form);
	if (fault == FAULT_NONE) {
		buf_add_str(out, endpoint);
		buf_add_str(out, strchr(endpoint, '?') != NULL ? "&" : "?");
		buf_add(out, buf_span(&form));
		fault = buf_fault(out);
	}
	buf_drop(&form);
	return fault;
}
