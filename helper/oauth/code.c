/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fields in the order of the RFCs, then what the provider wants besides.
 */
#include "oauth/code.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "oauth/flow.h"
#include "oauth/form.h"
#include "wire/attr.h"

#define CODE_MIN_BYTES 6 /* "no" and "yes" are none */

enum fault code_random(struct secret **text_out)
{
	unsigned char bytes[32];
	struct buf text = BUF_INIT(CODE_RANDOM_BYTES);
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

/*
 * RFC 8252 section 7.3 wants the literal address; Microsoft matches any port
 * with the name localhost only, and has no path registered.
 */
static bool is_by_name(const struct provider *provider)
{
	return provider->family == PROVIDER_MICROSOFT;
}

const char *code_path(const struct provider *provider)
{
	return is_by_name(provider) ? "/" : FLOW_CODE_PATH;
}

void code_redirect(const struct provider *provider, uint16_t port,
    struct buf *out)
{
	buf_add_str(out,
	    is_by_name(provider) ? "http://localhost:" : "http://127.0.0.1:");
	buf_add_int(out, port);
	buf_add_str(out, code_path(provider));
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

enum fault code_url(const struct provider *provider,
    const struct code_wish *wish, struct buf *out)
{
	const char *endpoint = provider->authorization_endpoint;
	const char *scope = provider->scope;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	/* RFC 7636 section 4.2:
	 * code_challenge = BASE64URL(SHA256(code_verifier)) */
	if (EVP_Digest(wish->verifier.p, wish->verifier.n, digest, &n,
		EVP_sha256(), NULL) != 1)
		return FAULT_INTERNAL;
	buf_add_str(out, endpoint);
	buf_add_str(out, strchr(endpoint, '?') != NULL ? "&" : "?");
	buf_add_lit(out, "response_type=code");
	form_add(out, "client_id", span_of(provider->client_id));
	form_add(out, "redirect_uri", wish->redirect_uri);
	if (scope != NULL && scope[0] != '\0')
		form_add(out, "scope", span_of(scope));
	form_add(out, "state", wish->state);
	buf_add_lit(out, "&code_challenge=");
	form_base64url(out, digest, n);
	form_add(out, "code_challenge_method", span_of("S256"));
	if (wish->account != NULL)
		form_add(out, "login_hint", span_of(wish->account));
	add_extra(provider, out);
	return buf_fault(out);
}

/*
 * None of what is left out stands in an address or a code: quotes, those of
 * typesetters, too (U+00AB, 00BB, 2018..201F, 2039, 203A), and the end of a
 * sentence.
 */
static void add_clean(struct buf *out, struct span text)
{
	unsigned code;
	size_t i, n;

	for (i = 0; i < text.n; i += n) {
		n = attr_utf8(text.p + i, text.n - i, &code);
		if (n == 0) {
			code = 0xfffd;
			n = 1;
		}
		if (code > 0x20 && code != 0x7f && code != 0xab &&
		    code != 0xbb && !(code >= 0x2018 && code <= 0x201f) &&
		    code != 0x2039 && code != 0x203a &&
		    strchr("\"'<>`", text.p[i]) == NULL)
			buf_add(out, (struct span){ text.p + i, n });
	}
	while (out->n > 0 && strchr(".,;", out->p[out->n - 1]) != NULL)
		out->n--;
	buf_add_lit(out, "");
}

static bool is_address(const char *text)
{
	return strstr(text, "://") != NULL || strchr(text, '?') != NULL ||
	    strstr(text, "code=") != NULL || strstr(text, "error=") != NULL ||
	    strstr(text, "state=") != NULL;
}

/* From an address bar a code comes encoded, from a page it does not: what
 * cannot be decoded is taken as it is. */
static enum fault add_code(struct span text, struct buf *out)
{
	if (memchr(text.p, '+', text.n) != NULL ||
	    form_decode(out, text) == FAULT_GRAMMAR) {
		buf_drop(out);
		buf_add(out, text);
	}
	if (buf_fault(out))
		return buf_fault(out);
	return out->n >= CODE_MIN_BYTES &&
		attr_is_token(buf_span(out), CODE_MAX_BYTES) ?
	    FAULT_NONE :
	    FAULT_GRAMMAR;
}

enum fault code_read_pasted(struct span text, enum code_pasted *pasted_out,
    struct buf *out, struct why *why)
{
	struct buf clean = BUF_INIT(CODE_PASTED_MAX_BYTES);
	const char *what = "that is neither an address nor a code", *query;
	enum fault fault;

	add_clean(&clean, text);
	fault = buf_fault(&clean);
	if (fault == FAULT_TOO_BIG) {
		what = "that is too long for an address";
		fault = FAULT_GRAMMAR;
	} else if (!fault && clean.n == 0) {
		what = "that was empty";
		fault = FAULT_GRAMMAR;
	} else if (!fault && !is_address(clean.p)) {
		*pasted_out = CODE_ALONE;
		fault = add_code(buf_span(&clean), out);
	} else if (!fault) {
		*pasted_out = CODE_ADDRESS;
		query = strchr(clean.p, '?');
		query = query != NULL ? query + 1 : clean.p;
		buf_add(out, (struct span){ query, strcspn(query, "#") });
		fault = buf_fault(out);
	}
	if (fault)
		why_set(why, 0, "%s",
		    fault == FAULT_GRAMMAR ? what : fault_text(fault));
	buf_drop(&clean);
	return fault;
}
