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

/* RFC 7636 section 4.2: code_challenge = BASE64URL(SHA256(code_verifier)) */
static enum fault add_challenge(struct span verifier, struct buf *form)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(verifier.p, verifier.n, digest, &n, EVP_sha256(),
		NULL) != 1)
		return FAULT_INTERNAL;
	buf_add_lit(form, "&code_challenge=");
	form_base64url(form, digest, n);
	return buf_fault(form);
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

enum fault code_redirect(const struct provider *provider, uint16_t port,
    struct buf *out)
{
	buf_add_str(out,
	    is_by_name(provider) ? "http://localhost:" : "http://127.0.0.1:");
	buf_add_int(out, port);
	buf_add_str(out, code_path(provider));
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

enum fault code_url(const struct provider *provider,
    const struct code_wish *wish, struct buf *out)
{
	const char *endpoint = provider->authorization_endpoint;
	struct buf form = BUF_INIT(CODE_URL_MAX_BYTES);
	enum fault fault;

	form_add(&form, "response_type", span_of("code"));
	form_add(&form, "client_id", span_of(provider->client_id));
	form_add(&form, "redirect_uri", wish->redirect_uri);
	if (wish->scope != NULL && wish->scope[0] != '\0')
		form_add(&form, "scope", span_of(wish->scope));
	form_add(&form, "state", wish->state);
	fault = add_challenge(wish->verifier, &form);
	form_add(&form, "code_challenge_method", span_of("S256"));
	if (wish->account != NULL)
		form_add(&form, "login_hint", span_of(wish->account));
	add_extra(provider, &form);
	if (!fault)
		fault = buf_fault(&form);
	if (!fault) {
		buf_add_str(out, endpoint);
		buf_add_str(out, strchr(endpoint, '?') != NULL ? "&" : "?");
		buf_add(out, buf_span(&form));
		fault = buf_fault(out);
	}
	buf_drop(&form);
	return fault;
}

/* Of a typesetter's quote at the start of text: U+2018..201F, 2039, 203A, and
 * the angled ones of Latin 1; 0 for anything else. */
static size_t quote_bytes(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;

	if (text.n >= 2 && p[0] == 0xc2 && (p[1] == 0xab || p[1] == 0xbb))
		return 2;
	if (text.n >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
	    ((p[2] >= 0x98 && p[2] <= 0x9f) || p[2] == 0xb9 || p[2] == 0xba))
		return 3;
	return 0;
}

/*
 * None of what is left out stands in an address or a code: quotes, those of
 * typesetters, too, and the end of a sentence.
 */
static void add_clean(struct buf *out, struct span text)
{
	size_t i, n;

	for (i = 0; i < text.n; i += n != 0 ? n : 1) {
		n = quote_bytes((struct span){ text.p + i, text.n - i });
		if (n == 0 && (unsigned char)text.p[i] > 0x20 &&
		    text.p[i] != 0x7f && strchr("\"'<>`", text.p[i]) == NULL)
			buf_add(out, (struct span){ text.p + i, 1 });
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

/* text is clean. */
static enum fault add_pasted(const char *text, enum code_pasted *pasted_out,
    struct buf *out)
{
	const char *query = strchr(text, '?');

	*pasted_out = is_address(text) ? CODE_ADDRESS : CODE_ALONE;
	if (*pasted_out == CODE_ALONE)
		return add_code(span_of(text), out);
	query = query != NULL ? query + 1 : text;
	buf_add(out, (struct span){ query, strcspn(query, "#") });
	return buf_fault(out);
}

enum fault code_read_pasted(struct span text, enum code_pasted *pasted_out,
    struct buf *out, struct why *why)
{
	struct buf clean = BUF_INIT(CODE_PASTED_MAX_BYTES);
	const char *what = "that is neither an address nor a code";
	enum fault fault;

	add_clean(&clean, text);
	fault = buf_fault(&clean);
	if (fault == FAULT_TOO_BIG) {
		what = "that is too long for an address";
		fault = FAULT_GRAMMAR;
	} else if (!fault && clean.n == 0) {
		what = "that was empty";
		fault = FAULT_GRAMMAR;
	} else if (!fault) {
		fault = add_pasted(clean.p, pasted_out, out);
	}
	if (fault)
		why_set(why, 0, "%s",
		    fault == FAULT_GRAMMAR ? what : fault_text(fault));
	buf_drop(&clean);
	return fault;
}
