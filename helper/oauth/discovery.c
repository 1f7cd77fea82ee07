/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The two places where a document may be, one after the other: OpenID's is
 * the one that the large providers keep, RFC 8414's the newer.
 */
#include "oauth/discovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/reply_impl.h"
#include "wire/attr.h"

#define SCOPES_MAX_BYTES 4096

struct discovery_search {
	struct http *http;
	struct http_exchange *exchange;
	struct provider *provider;
	enum discovery_form form;
	bool had_document; /* which text is about */
	char text[400];
	discovery_done_fn *done;
	void *ctx;
};

/* The clouds of Microsoft answer for many tenants at once. */
static bool is_microsoft(const char *issuer)
{
	static const char *const hosts[] = {
		"https://login.microsoftonline.com/",
		"https://login.microsoftonline.us/",
		"https://login.partner.microsoftonline.cn/",
	};
	size_t i;

	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strncmp(issuer, hosts[i], strlen(hosts[i])) == 0)
			return true;
	return false;
}

/* "https://host/{tenantid}/v2.0" is the issuer of any tenant there. */
static bool is_template_of(struct span found, const char *issuer)
{
	static const char mark[] = "{tenantid}";
	size_t head, tenant, n = strlen(issuer);
	const char *rest;

	if (!is_microsoft(issuer))
		return false;
	head = (size_t)(strchr(issuer + strlen("https://"), '/') - issuer) + 1;
	tenant = strcspn(issuer + head, "/");
	rest = issuer + head + tenant;
	return tenant > 0 && found.n == n - tenant + sizeof(mark) - 1 &&
	    memcmp(found.p, issuer, head) == 0 &&
	    memcmp(found.p + head, mark, sizeof(mark) - 1) == 0 &&
	    memcmp(found.p + head + sizeof(mark) - 1, rest, strlen(rest)) == 0;
}

static enum fault check_issuer(const json_t *object, const char *issuer,
    struct why *why)
{
	struct span found;
	enum fault fault;
	char plain[160];

	fault = reply_string(object, "issuer", &found, why);
	if (fault)
		return fault;
	if (span_is(found, issuer) || is_template_of(found, issuer))
		return FAULT_NONE;
	attr_plain(found, plain, sizeof(plain));
	why_set(why, 0,
	    found.n == 0 ? "it names no issuer%s" :
			   "it is that of another issuer, %s",
	    plain);
	return FAULT_GARBLED;
}

static enum fault copy(const char *text, char **slot)
{
	*slot = strdup(text);
	return *slot != NULL ? FAULT_NONE : FAULT_NOMEM;
}

/* One that cannot be used is as none. */
static enum fault take_endpoint(const json_t *object, const char *name,
    char **slot)
{
	struct span url;

	if (reply_string(object, name, &url, NULL) == FAULT_NONE && url.n > 0 &&
	    provider_is_url(url.p))
		return copy(url.p, slot);
	return FAULT_NONE;
}

/* A list of words; what is no word in it is nobody's loss. */
static enum fault take_scopes(const json_t *object, char **slot)
{
	const json_t *list = json_object_get(object, "scopes_supported");
	struct buf words = BUF_INIT(SCOPES_MAX_BYTES);
	size_t i, n = json_array_size(list);
	enum fault fault;

	for (i = 0; i < n; i++) {
		const json_t *word = json_array_get(list, i);
		struct span text = { json_string_value(word),
			json_string_length(word) };

		if (!json_is_string(word) || !attr_is_token(text, 256) ||
		    words.n + text.n + 1 > SCOPES_MAX_BYTES)
			continue;
		if (words.n > 0)
			buf_add_lit(&words, " ");
		buf_add(&words, text);
	}
	fault = buf_fault(&words);
	if (!fault && words.n > 0)
		fault = copy(words.p, slot);
	buf_drop(&words);
	return fault;
}

/*
 * Where the form will do it is used.  A document without the list stands for
 * Basic (RFC 8414 section 2), though many mean nothing by that: then both are
 * tried.
 */
static enum secret_way take_secret_way(const json_t *object)
{
	const json_t *list = json_object_get(object,
	    "token_endpoint_auth_methods_supported");
	enum secret_way way = SECRET_WAY_UNKNOWN;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (word != NULL && strcmp(word, "client_secret_post") == 0)
			return SECRET_WAY_POST;
		if (word != NULL && strcmp(word, "client_secret_basic") == 0)
			way = SECRET_WAY_BASIC;
	}
	return way;
}

static enum fault take_all(const json_t *object, const char *issuer,
    struct discovery *found, struct why *why)
{
	const struct {
		const char *name;
		char **slot;
	} endpoints[] = {
		{ "authorization_endpoint", &found->authorization_endpoint },
		{ "token_endpoint", &found->token_endpoint },
		{ "device_authorization_endpoint",
		    &found->device_authorization_endpoint },
		{ "revocation_endpoint", &found->revocation_endpoint },
		{ "registration_endpoint", &found->registration_endpoint },
		{ "userinfo_endpoint", &found->userinfo_endpoint },
	};
	enum fault fault;
	size_t i;

	fault = check_issuer(object, issuer, why);
	for (i = 0; !fault && i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
		fault = take_endpoint(object, endpoints[i].name,
		    endpoints[i].slot);
	if (fault)
		return fault;
	if (found->token_endpoint == NULL) {
		why_set(why, 0, "%s",
		    json_object_get(object, "token_endpoint") != NULL ?
			"its token_endpoint is no URL with https" :
			"it has no token_endpoint");
		return FAULT_GARBLED;
	}
	found->returns_iss = json_is_true(json_object_get(object,
	    "authorization_response_iss_parameter_supported"));
	found->secret_way = take_secret_way(object);
	fault = copy(issuer, &found->issuer);
	return fault ? fault : take_scopes(object, &found->scopes_supported);
}

enum fault discovery_parse(struct span body, const char *issuer,
    struct discovery *discovery_out, struct why *why)
{
	struct discovery found = { 0 };
	json_t *object = NULL;
	enum fault fault;

	fault = reply_answer(body, NULL, &object, why);
	if (!fault)
		fault = take_all(object, issuer, &found, why);
	json_decref(object);
	if (fault) {
		discovery_drop(&found);
		return fault;
	}
	*discovery_out = found;
	return FAULT_NONE;
}

void discovery_drop(struct discovery *discovery)
{
	if (discovery == NULL)
		return;
	free(discovery->issuer);
	free(discovery->authorization_endpoint);
	free(discovery->token_endpoint);
	free(discovery->device_authorization_endpoint);
	free(discovery->revocation_endpoint);
	free(discovery->registration_endpoint);
	free(discovery->userinfo_endpoint);
	free(discovery->scopes_supported);
	memset(discovery, 0, sizeof(*discovery));
}

enum fault discovery_url(const char *issuer, enum discovery_form form,
    char **url_out)
{
	static const char openid[] = "/.well-known/openid-configuration";
	static const char rfc8414[] = "/.well-known/oauth-authorization-server";
	struct buf url = BUF_INIT(PROVIDER_URL_MAX_BYTES);
	size_t n = strlen(issuer), host = n;
	enum fault fault;
	const char *path;

	if (strncmp(issuer, "https://", 8) != 0 || strchr(issuer, '?') != NULL)
		return FAULT_GRAMMAR;
	path = strchr(issuer + 8, '/');
	if (path != NULL)
		host = (size_t)(path - issuer);
	if (issuer[n - 1] == '/')
		n--;
	if (form == DISCOVERY_OPENID) {
		buf_add(&url, (struct span){ issuer, n });
		buf_add_str(&url, openid);
	} else {
		buf_add(&url, (struct span){ issuer, host });
		buf_add_str(&url, rfc8414);
		if (n > host)
			buf_add(&url, (struct span){ issuer + host, n - host });
	}
	fault = buf_fault(&url);
	*url_out = NULL;
	if (!fault)
		fault = copy(url.p, url_out);
	buf_drop(&url);
	return fault == FAULT_TOO_BIG ? FAULT_GRAMMAR : fault;
}

static enum fault search_ask(struct discovery_search *search);

static void search_end(struct discovery_search *search, struct discovery *found)
{
	search->done(search->ctx, found, search->text);
}

/* The first place is spoken of, unless the second alone had a document. */
static void keep_text(struct discovery_search *search, bool is_document,
    const char *reason)
{
	if (search->text[0] != '\0' && (search->had_document || !is_document))
		return;
	search->had_document = is_document;
	(void)snprintf(search->text, sizeof(search->text),
	    is_document ?
		"what the issuer %.120s says of itself cannot be used: %.200s" :
		"the endpoints of the issuer %.120s cannot be learned: %.200s",
	    search->provider->issuer, reason);
}

static void search_answered(void *ctx, const struct http_answer *answer)
{
	struct discovery_search *search = ctx;
	struct discovery found;
	struct why why = { 0, "" };
	enum fault fault = FAULT_GARBLED;

	search->exchange = NULL;
	if (answer->trouble == HTTP_ANSWERED && answer->status == 200) {
		fault = discovery_parse(answer->body, search->provider->issuer,
		    &found, &why);
		if (fault == FAULT_NONE) {
			search_end(search, &found);
			discovery_drop(&found);
			return;
		}
		keep_text(search, true,
		    fault == FAULT_GARBLED ? why.text : fault_text(fault));
	} else {
		keep_text(search, false, answer->text);
	}
	/* Who cannot be reached here cannot be reached there. */
	if (search->form == DISCOVERY_OPENID && fault != FAULT_NOMEM &&
	    (answer->trouble == HTTP_ANSWERED ||
		answer->trouble == HTTP_TOO_BIG)) {
		search->form = DISCOVERY_RFC8414;
		if (search_ask(search) == FAULT_NONE)
			return;
	}
	search_end(search, NULL);
}

static enum fault search_ask(struct discovery_search *search)
{
	const struct provider *provider = search->provider;
	struct http_request request = {
		.method = HTTP_GET,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};
	char *url = NULL;
	enum fault fault;

	fault = discovery_url(provider->issuer, search->form, &url);
	if (fault)
		return fault;
	request.url = url;
	fault = http_start(search->http, &request, search_answered, search,
	    &search->exchange);
	free(url);
	return fault;
}

enum fault discovery_start(struct http *http, struct provider *provider,
    discovery_done_fn *done, void *ctx, struct discovery_search **search_out)
{
	struct discovery_search *search;
	enum fault fault;

	search = calloc(1, sizeof(*search));
	if (search == NULL)
		return FAULT_NOMEM;
	search->http = http;
	search->provider = provider_share(provider);
	search->done = done;
	search->ctx = ctx;
	fault = search_ask(search);
	if (fault) {
		discovery_free(search);
		return fault;
	}
	*search_out = search;
	return FAULT_NONE;
}

void discovery_free(struct discovery_search *search)
{
	if (search == NULL)
		return;
	http_cancel(search->exchange);
	provider_release(search->provider);
	free(search);
}
