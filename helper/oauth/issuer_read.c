/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The bytes: where a document is, what is taken from it, what a registration
 * says and is answered.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oauth/flow.h"
#include "oauth/issuer.h"
#include "oauth/reply_impl.h"
#include "oauth/url.h"
#include "wire/attr.h"

#define SCOPES_MAX_BYTES 4096

enum fault issuer_place(const char *issuer, enum issuer_place place,
    struct buf *url)
{
	size_t n = strlen(issuer), host;

	if (issuer[n - 1] == '/')
		n--;
	host = strlen("https://");
	host += strcspn(issuer + host, "/");
	if (place == ISSUER_OPENID) {
		buf_add(url, (struct span){ issuer, n });
		buf_add_lit(url, "/.well-known/openid-configuration");
	} else {
		buf_add(url, (struct span){ issuer, host });
		buf_add_lit(url, "/.well-known/oauth-authorization-server");
		buf_add(url, (struct span){ issuer + host, n - host });
	}
	return buf_fault(url);
}

/* "https://host/{tenantid}/v2.0" is the issuer of any tenant there: the clouds
 * of Microsoft answer for many tenants at once. */
static bool is_template_of(struct span found, const char *issuer)
{
	size_t head = strlen("https://"), tenant;
	const char *preset = NULL;
	char text[URL_MAX_BYTES + 16], *host = NULL;

	if (!url_host(issuer, &host))
		preset = preset_of_host(host);
	free(host);
	head += strcspn(issuer + head, "/");
	if (issuer[head] == '\0' ||
	    !preset_is(preset_find(preset), "family", "microsoft"))
		return false;
	tenant = strcspn(issuer + ++head, "/");
	(void)snprintf(text, sizeof(text), "%.*s{tenantid}%s", (int)head,
	    issuer, issuer + head + tenant);
	return tenant > 0 && span_is(found, text);
}

static enum fault check_issuer(const json_t *object, const char *issuer,
    struct why *why)
{
	struct span found;
	enum fault fault = reply_string(object, "issuer", &found, why);
	char plain[160];

	if (fault || span_is(found, issuer) || is_template_of(found, issuer))
		return fault;
	attr_plain(found, plain, sizeof(plain));
	why_set(why, 0,
	    found.n == 0 ? "it names no issuer%s" :
			   "it is that of another issuer, %s",
	    plain);
	return FAULT_GARBLED;
}

/* A list of words; what is no word in it is nobody's loss. */
static enum fault take_scopes(const json_t *object, struct provider *found)
{
	const json_t *word, *list = json_object_get(object, "scopes_supported");
	struct buf words = BUF_INIT(SCOPES_MAX_BYTES);
	enum fault fault;
	struct span text;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		word = json_array_get(list, i);
		text = span_of(json_string_value(word));
		if (!attr_is_token(text, 256) ||
		    words.n + text.n + 1 > SCOPES_MAX_BYTES)
			continue;
		if (words.n > 0)
			buf_add_lit(&words, " ");
		buf_add(&words, text);
	}
	fault = buf_fault(&words);
	if (!fault && words.n > 0)
		fault = provider_set(found, "scopes_supported", words.p, NULL);
	buf_drop(&words);
	return fault;
}

/*
 * Where the form will do it is used.  A document without the list stands for
 * Basic (RFC 8414 section 2), though many mean nothing by that: then both are
 * tried.
 */
static enum secret_way secret_way(const json_t *object)
{
	const json_t *list = json_object_get(object,
	    "token_endpoint_auth_methods_supported");
	enum secret_way way = SECRET_WAY_UNKNOWN;
	struct span word;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		word = span_of(json_string_value(json_array_get(list, i)));
		if (span_is(word, "client_secret_post"))
			return SECRET_WAY_POST;
		if (span_is(word, "client_secret_basic"))
			way = SECRET_WAY_BASIC;
	}
	return way;
}

static enum fault take_all(const json_t *object, struct provider *found,
    struct why *why)
{
	static const char *const endpoints[] = { "authorization_endpoint",
		"token_endpoint", "device_authorization_endpoint",
		"revocation_endpoint", "registration_endpoint",
		"userinfo_endpoint" };
	enum fault fault = check_issuer(object, found->name, why);
	struct span url;
	size_t i;

	if (fault)
		return fault;
	for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		url = reply_text(object, endpoints[i]);
		if (url.n > 0 &&
		    provider_set(found, endpoints[i], url.p, NULL) ==
			FAULT_NOMEM)
			return FAULT_NOMEM;
	}
	if (found->token_endpoint == NULL) {
		why_set(why, 0, "%s",
		    json_object_get(object, "token_endpoint") != NULL ?
			"its token_endpoint is no URL with https" :
			"it has no token_endpoint");
		return FAULT_GARBLED;
	}
	found->returns_iss = json_is_true(json_object_get(object,
	    "authorization_response_iss_parameter_supported"));
	found->secret_way = secret_way(object);
	return take_scopes(object, found);
}

typedef enum fault take_fn(const json_t *object, struct provider *into,
    struct why *why);

/* What take makes of an answer, as values of a profile of that name. */
static enum fault read_answer(struct span body, take_fn *take, const char *name,
    struct provider **out, struct why *why)
{
	struct provider *into = NULL;
	json_t *object = NULL;
	enum fault fault;

	fault = reply_answer(body, NULL, &object, why);
	if (!fault)
		fault = provider_new(name, NULL, &into);
	if (!fault)
		fault = take(object, into, why);
	json_decref(object);
	if (fault)
		provider_release(into);
	else
		*out = into;
	return fault;
}

enum fault issuer_read_metadata(struct span body, const char *issuer,
    struct provider **found_out, struct why *why)
{
	return read_answer(body, take_all, issuer, found_out, why);
}

/* RFC 8252 section 7.3: any port of these has to be let through. */
enum fault issuer_client_body(const struct provider *provider, struct buf *out)
{
	const char *scope = provider->scope != NULL ? provider->scope : "";
	json_t *object = json_pack("{s:s, s:s, s:[s, s], s:[s], s:[s, s], s:s}",
	    "client_name", "mailtoken", "application_type", "native",
	    "redirect_uris", FLOW_CODE_URI, "http://localhost" FLOW_CODE_PATH,
	    "response_types", "code", "grant_types", "authorization_code",
	    "refresh_token", "token_endpoint_auth_method", "none");
	enum fault fault = FAULT_NOMEM;

	if ((provider->device_authorization_endpoint == NULL ||
		json_array_append_new(json_object_get(object, "grant_types"),
		    json_string(FLOW_DEVICE_GRANT)) == 0) &&
	    (scope[0] == '\0' ||
		json_object_set_new(object, "scope", json_string(scope)) == 0))
		fault = reply_dump(object, out);
	json_decref(object);
	return fault;
}

/* A secret that could not be sent, or kept, is as none. */
static enum fault take_client(const json_t *object, struct provider *made,
    struct why *why)
{
	const struct reply_range any = { 1, INT32_MAX * INT64_C(2), 0 };
	struct span text = reply_text(object, "client_secret");
	/* It may be another than was asked for. */
	struct span method = reply_text(object, "token_endpoint_auth_method");
	const char *id = reply_text(object, "client_id").p;
	struct secret *secret = NULL;
	enum fault fault;

	fault = provider_set(made, "client_id", id != NULL ? id : "", NULL);
	if (fault == FAULT_GRAMMAR) {
		why_set(why, 0,
		    "its client_id is missing, too long or has a byte that "
		    "cannot be there");
		return FAULT_GARBLED;
	}
	if (span_is(method, "client_secret_basic"))
		made->secret_way = SECRET_WAY_BASIC;
	else if (span_is(method, "client_secret_post"))
		made->secret_way = SECRET_WAY_POST;
	if (fault || !attr_is_client_secret(text))
		return fault;
	made->client_secret_expires_s = reply_seconds(object,
	    "client_secret_expires_at", any);
	fault = secret_new(text, &secret);
	if (!fault)
		fault = provider_set_secret(made, secret);
	secret_free(secret);
	return fault;
}

enum fault issuer_read_client(struct span body, struct provider **made_out,
    struct why *why)
{
	return read_answer(body, take_client, "", made_out, why);
}
