/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The request is small and always the same but for the scope: some servers
 * give a client that names none an empty one.
 */
#include "oauth/registration.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/flow.h"
#include "oauth/reply_impl.h"
#include "wire/attr.h"

#define BODY_MAX_BYTES		16384
#define CLIENT_ID_MAX_BYTES	1024
#define CLIENT_SECRET_MAX_BYTES 4096

struct registration_request {
	struct provider *provider;
	struct http_exchange *exchange;
	registration_done_fn *done;
	void *ctx;
};

static json_t *grant_types(const struct provider *provider)
{
	json_t *list = json_pack("[s, s]", "authorization_code",
	    "refresh_token");

	if (provider->device_authorization_endpoint != NULL &&
	    json_array_append_new(list,
		json_string("urn:ietf:params:oauth:grant-type:device_code")) !=
		0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* RFC 8252 section 7.3: any port of these has to be let through. */
static json_t *request_object(const struct provider *provider)
{
	return json_pack("{s:s, s:s, s:[s, s], s:[s], s:o, s:s, s:s}",
	    "client_name", "mailtoken", "application_type", "native",
	    "redirect_uris", FLOW_CODE_URI, "http://localhost" FLOW_CODE_PATH,
	    "response_types", "code", "grant_types", grant_types(provider),
	    "token_endpoint_auth_method", "none", "scope",
	    provider->scope != NULL ? provider->scope : "");
}

static enum fault dump(const json_t *object, struct buf *out)
{
	size_t n = json_dumpb(object, NULL, 0, JSON_COMPACT), got = 0;
	char *room = n > 0 ? buf_space(out, n, &got) : NULL;

	/* It needs memory of its own, and says less than n without. */
	if (room == NULL || got < n ||
	    json_dumpb(object, room, n, JSON_COMPACT) != n)
		return FAULT_NOMEM;
	buf_used(out, n);
	return buf_fault(out);
}

enum fault registration_body(const struct provider *provider, struct buf *out)
{
	json_t *object = request_object(provider);
	enum fault fault;

	if (object == NULL)
		return FAULT_NOMEM;
	if (provider->scope == NULL || provider->scope[0] == '\0')
		(void)json_object_del(object, "scope");
	fault = dump(object, out);
	json_decref(object);
	return fault;
}

static bool is_text(struct span text, size_t max_bytes)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return text.n <= max_bytes;
}

/* What it says may be another method than was asked for. */
static enum secret_way secret_way(const json_t *object)
{
	struct span method;

	if (reply_string(object, "token_endpoint_auth_method", &method, NULL) !=
	    FAULT_NONE)
		return SECRET_WAY_UNKNOWN;
	if (span_is(method, "client_secret_basic"))
		return SECRET_WAY_BASIC;
	return span_is(method, "client_secret_post") ? SECRET_WAY_POST :
						       SECRET_WAY_UNKNOWN;
}

static enum fault take_client(const json_t *object, struct registration *made,
    struct why *why)
{
	const struct reply_range any = { 1, INT32_MAX * INT64_C(2), 0 };
	struct span id, secret = { NULL, 0 };
	enum fault fault;

	fault = reply_string(object, "client_id", &id, why);
	if (fault)
		return fault;
	if (id.n == 0 || !is_text(id, CLIENT_ID_MAX_BYTES)) {
		why_set(why, 0,
		    "its client_id is missing, too long or has a byte that "
		    "cannot be there");
		return FAULT_GARBLED;
	}
	(void)!reply_string(object, "client_secret", &secret, NULL);
	if (!is_text(secret, CLIENT_SECRET_MAX_BYTES))
		secret.n = 0;
	made->secret_expires_s = secret.n > 0 ?
	    reply_seconds(object, "client_secret_expires_at", any) :
	    0;
	made->secret_way = secret_way(object);
	made->client_id = strdup(id.p);
	if (made->client_id == NULL)
		return FAULT_NOMEM;
	return secret.n > 0 ? secret_new(secret, &made->client_secret) :
			      FAULT_NONE;
}

enum fault registration_parse(struct span body,
    struct registration *registration_out, struct why *why)
{
	struct registration made = { .client_id = NULL };
	json_t *object = NULL;
	enum fault fault;

	fault = reply_answer(body, NULL, &object, why);
	if (!fault)
		fault = take_client(object, &made, why);
	json_decref(object);
	if (fault) {
		registration_drop(&made);
		return fault;
	}
	*registration_out = made;
	return FAULT_NONE;
}

void registration_drop(struct registration *registration)
{
	free(registration->client_id);
	secret_free(registration->client_secret);
	memset(registration, 0, sizeof(*registration));
}

static void tell(struct registration_request *request,
    struct registration *made, const char *text, bool is_final)
{
	const struct registration_end end = {
		.made = made,
		.text = text,
		.is_final = is_final,
	};

	request->done(request->ctx, &end);
}

static void tell_refused(struct registration_request *request,
    const struct http_answer *answer)
{
	const char *issuer = request->provider->issuer != NULL ?
	    request->provider->issuer :
	    request->provider->name;
	bool is_final = answer->trouble == HTTP_ANSWERED &&
	    answer->status >= 400 && answer->status < 500 &&
	    answer->status != 408 && answer->status != 429;
	struct reply_error error;
	char reason[300], text[640];

	if (answer->trouble == HTTP_ANSWERED && !answer->redirect &&
	    reply_error_parse(answer->body, NULL, &error) == FAULT_NONE)
		(void)snprintf(reason, sizeof(reason), "%s%s%.200s",
		    error.error, error.description[0] != '\0' ? ": " : "",
		    error.description);
	else
		(void)snprintf(reason, sizeof(reason), "%s", answer->text);
	if (is_final)
		(void)snprintf(text, sizeof(text),
		    "%.160s does not register this client (%s): register one "
		    "by hand and write a provider block with its client_id",
		    issuer, reason);
	else
		(void)snprintf(text, sizeof(text),
		    "%.160s cannot be asked to register this client: %s",
		    issuer, reason);
	tell(request, NULL, text, is_final);
}

static void request_answered(void *ctx, const struct http_answer *answer)
{
	struct registration_request *request = ctx;
	struct registration made = { .client_id = NULL };
	struct why why = { 0, "" };
	char text[600];

	request->exchange = NULL;
	if (answer->trouble != HTTP_ANSWERED ||
	    (answer->status != 201 && answer->status != 200)) {
		tell_refused(request, answer);
		return;
	}
	if (registration_parse(answer->body, &made, &why) != FAULT_NONE) {
		(void)snprintf(text, sizeof(text),
		    "the answer to registering this client cannot be used: "
		    "%.300s",
		    why.text);
		tell(request, NULL, text, false);
		return;
	}
	tell(request, &made, NULL, false);
	registration_drop(&made);
}

static enum fault ask(struct http *http, struct registration_request *request)
{
	const struct provider *provider = request->provider;
	struct buf body = BUF_INIT(BODY_MAX_BYTES);
	struct http_request post = {
		.method = HTTP_POST_JSON,
		.url = provider->registration_endpoint,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};
	enum fault fault;

	fault = registration_body(provider, &body);
	if (!fault) {
		post.body = buf_span(&body);
		fault = http_start(http, &post, request_answered, request,
		    &request->exchange);
	}
	buf_drop(&body);
	return fault;
}

enum fault registration_start(struct http *http, struct provider *provider,
    registration_done_fn *done, void *ctx,
    struct registration_request **request_out)
{
	struct registration_request *request;
	enum fault fault;

	if (provider->registration_endpoint == NULL)
		return FAULT_CONFIG_ERROR;
	request = calloc(1, sizeof(*request));
	if (request == NULL)
		return FAULT_NOMEM;
	request->provider = provider_share(provider);
	request->done = done;
	request->ctx = ctx;
	fault = ask(http, request);
	if (fault) {
		registration_free(request);
		return fault == FAULT_NOMEM ? fault : FAULT_INTERNAL;
	}
	*request_out = request;
	return FAULT_NONE;
}

void registration_free(struct registration_request *request)
{
	if (request == NULL)
		return;
	http_cancel(request->exchange);
	provider_release(request->provider);
	free(request);
}
