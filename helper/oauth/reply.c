/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The three answers.  Reasons name members, never their values.
 */
#include "oauth/reply.h"

#include <stdlib.h>
#include <strings.h>

#include "oauth/reply_impl.h"
#include "wire/attr.h"
#include "wire/echo.h"

/* A member that must be a token: printable ASCII without blanks. */
static enum fault take_secret(const json_t *object, const char *name,
    size_t max_bytes, struct secret **secret_out, struct why *why)
{
	struct span text;
	enum fault fault;

	fault = reply_string(object, name, &text, why);
	if (fault || text.n == 0)
		return fault;
	if (!attr_is_token(text, max_bytes)) {
		why_set(why, 0,
		    "its %s is too long or has a byte that cannot be there",
		    name);
		return FAULT_GARBLED;
	}
	return secret_new(text, secret_out);
}

static bool is_printable(struct span text)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

/* A member that is shown to people; absent leaves *text_out alone. */
static enum fault take_text(const json_t *object, const char *name,
    size_t max_bytes, char **text_out, struct why *why)
{
	struct span text;
	enum fault fault;

	fault = reply_string(object, name, &text, why);
	if (fault || text.n == 0)
		return fault;
	if (text.n > max_bytes || !is_printable(text)) {
		why_set(why, 0,
		    "its %s is too long or has a byte that cannot be there",
		    name);
		return FAULT_GARBLED;
	}
	*text_out = strdup(text.p);
	return *text_out != NULL ? FAULT_NONE : FAULT_NOMEM;
}

static enum fault optional(enum fault fault)
{
	return fault == FAULT_NOMEM ? fault : FAULT_NONE;
}

static enum fault check_type(const json_t *object, struct why *why)
{
	struct span type;
	enum fault fault;

	fault = reply_string(object, "token_type", &type, why);
	if (fault || type.n == 0)
		return fault;
	if (type.n == 6 && strncasecmp(type.p, "bearer", 6) == 0)
		return FAULT_NONE;
	why_set(why, 0, "its token_type is not bearer");
	return FAULT_GARBLED;
}

/* 0: nothing was said, or nothing that makes sense. */
static int64_t hint_s(const json_t *object, const char *name)
{
	const struct reply_range range = { 1, INT64_MAX, 0 };
	int64_t seconds = reply_seconds(object, name, range);

	return seconds <= REPLY_EXPIRES_IN_MAX_S ? seconds : 0;
}

static void token_times(const json_t *object, struct reply_token *token)
{
	const struct reply_range life = { 1, REPLY_EXPIRES_IN_MAX_S,
		REPLY_EXPIRES_IN_DEFAULT_S };

	token->refresh_in_s = hint_s(object, "refresh_in");
	token->refresh_expires_in_s = hint_s(object, "refresh_expires_in");
	if (token->refresh_expires_in_s == 0)
		token->refresh_expires_in_s = hint_s(object,
		    "refresh_token_expires_in");
	token->expires_in_s = reply_seconds(object, "expires_in", life);
}

/*
 * The old refresh token may be spent: whatever else is odd, a new one is
 * taken, and taken first.
 */
static enum fault token_from(const json_t *object,
    const struct reply_asked *asked, struct reply_token *token, struct why *why)
{
	enum fault fault;

	fault = optional(take_secret(object, "refresh_token",
	    REFRESH_TOKEN_MAX_BYTES, &token->refresh_token, NULL));
	if (!fault)
		fault = optional(take_text(object, "scope",
		    REPLY_SCOPE_MAX_BYTES, &token->scope, NULL));
	if (!fault)
		fault = reply_identity(object, asked, token);
	if (!fault)
		fault = check_type(object, why);
	token_times(object, token);
	if (!fault)
		fault = take_secret(object, "access_token",
		    ACCESS_TOKEN_MAX_BYTES, &token->access_token, why);
	if (!fault && token->access_token == NULL) {
		why_set(why, 0, "it has no access_token");
		fault = FAULT_GARBLED;
	}
	return fault;
}

enum fault reply_token_parse(struct span body, const struct reply_asked *asked,
    struct reply_token *token_out, struct why *why)
{
	json_t *object = NULL;
	enum fault fault;

	memset(token_out, 0, sizeof(*token_out));
	fault = reply_answer(body, asked, &object, why);
	if (!fault)
		fault = token_from(object, asked, token_out, why);
	json_decref(object);
	return fault;
}

void reply_token_drop(struct reply_token *token)
{
	if (token == NULL)
		return;
	secret_free(token->access_token);
	secret_free(token->refresh_token);
	free(token->scope);
	free(token->identity);
	free(token->misnamed);
	free(token->subject);
	memset(token, 0, sizeof(*token));
}

/* "https://microsoft.com@evil.example/" looks like another's; so it does with
 * more slashes in front, which browsers pass over. */
static bool is_shown(const char *uri)
{
	size_t n = strcspn(uri, "?#");

	return strncasecmp(uri, "https://", 8) == 0 &&
	    strcspn(uri + 8, "/?#%") > 0 &&
	    attr_is_token(span_of(uri), REPLY_URI_MAX_BYTES) &&
	    memchr(uri, '@', strcspn(uri + 8, "/?#") + 8) == NULL &&
	    memchr(uri, '\\', n) == NULL;
}

/* Of the names that providers have for it, the first with a good one. */
static enum fault take_uri(const json_t *object, const char *name,
    char **uri_out)
{
	char *uri = NULL;
	enum fault fault;

	if (*uri_out != NULL)
		return FAULT_NONE;
	fault = optional(
	    take_text(object, name, REPLY_URI_MAX_BYTES, &uri, NULL));
	if (uri != NULL && is_shown(uri))
		*uri_out = uri;
	else
		free(uri);
	return fault;
}

static void device_times(const json_t *object, struct reply_device *device)
{
	const struct reply_range life = { 1, REPLY_EXPIRES_IN_MAX_S,
		REPLY_DEVICE_EXPIRES_IN_DEFAULT_S };
	const struct reply_range interval = { 0, REPLY_DEVICE_INTERVAL_MAX_S,
		REPLY_DEVICE_INTERVAL_DEFAULT_S };

	device->expires_in_s = reply_seconds(object, "expires_in", life);
	device->interval_s = reply_seconds(object, "interval", interval);
	if (device->interval_s == 0)
		device->interval_s = 1;
}

static enum fault device_from(const json_t *object, struct reply_device *device,
    struct why *why)
{
	enum fault fault;

	fault = take_secret(object, "device_code", REFRESH_TOKEN_MAX_BYTES,
	    &device->device_code, why);
	if (!fault)
		fault = take_text(object, "user_code",
		    REPLY_USER_CODE_MAX_BYTES, &device->user_code, why);
	if (!fault &&
	    (device->device_code == NULL || device->user_code == NULL)) {
		why_set(why, 0, "it has no %s",
		    device->device_code == NULL ?
			"device_code" :
			"user_code that may be shown");
		fault = FAULT_GARBLED;
	}
	if (!fault)
		fault = take_uri(object, "verification_uri",
		    &device->verification_uri);
	if (!fault)
		fault = take_uri(object, "verification_url",
		    &device->verification_uri);
	if (!fault)
		fault = take_uri(object, "verification_uri_complete",
		    &device->verification_uri_complete);
	if (!fault && device->verification_uri == NULL) {
		why_set(why, 0,
		    "it has no verification_uri with https and without a user "
		    "name");
		fault = FAULT_GARBLED;
	}
	device_times(object, device);
	return fault;
}

enum fault reply_device_parse(struct span body, const struct reply_asked *asked,
    struct reply_device *device_out, struct why *why)
{
	struct reply_device device = { 0 };
	json_t *object = NULL;
	enum fault fault;

	fault = reply_answer(body, asked, &object, why);
	if (!fault)
		fault = device_from(object, &device, why);
	json_decref(object);
	if (fault) {
		reply_device_drop(&device);
		return fault;
	}
	*device_out = device;
	return FAULT_NONE;
}

void reply_device_drop(struct reply_device *device)
{
	if (device == NULL)
		return;
	secret_free(device->device_code);
	free(device->user_code);
	free(device->verification_uri);
	free(device->verification_uri_complete);
	memset(device, 0, sizeof(*device));
}

static void plain_member(const json_t *object, const char *name, char *out,
    size_t out_bytes)
{
	const json_t *member = json_object_get(object, name);

	if (json_is_string(member))
		attr_plain((struct span){ json_string_value(member),
			       json_string_length(member) },
		    out, out_bytes);
}

/* A number is short, or no number of an error: it may be a secret. */
static void add_code(struct reply_error *error, int64_t code)
{
	if (code > 0 && code <= INT32_MAX && error->n_codes < REPLY_ERRORS_MAX)
		error->codes[error->n_codes++] = code;
}

/* "AADSTS700082: The refresh token has expired due to inactivity." */
static void code_of_text(struct reply_error *error)
{
	static const char mark[] = "AADSTS";
	const char *at = strstr(error->description, mark);
	size_t n;
	int64_t code;

	if (at == NULL)
		return;
	at += sizeof(mark) - 1;
	n = strspn(at, "0123456789");
	if (attr_number((struct span){ at, n }, 1, INT32_MAX, &code) ==
	    FAULT_NONE)
		add_code(error, code);
}

static void error_codes(const json_t *object, struct reply_error *error)
{
	const json_t *list = json_object_get(object, "error_codes");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		add_code(error, json_integer_value(json_array_get(list, i)));
	if (error->n_codes == 0)
		code_of_text(error);
}

enum fault reply_error_parse(struct span body, const struct reply_asked *asked,
    struct reply_error *error_out)
{
	json_t *object = NULL;
	struct span said;
	enum fault fault;

	memset(error_out, 0, sizeof(*error_out));
	fault = reply_answer(body, asked, &object, NULL);
	if (fault)
		return FAULT_GARBLED;
	plain_member(object, "error", error_out->error,
	    sizeof(error_out->error));
	if (error_out->error[0] == '\0') {
		json_decref(object);
		return FAULT_GARBLED;
	}
	if (reply_string(object, "error_description", &said, NULL) ==
	    FAULT_NONE)
		reply_words(said, error_out->description,
		    sizeof(error_out->description));
	plain_member(object, "suberror", error_out->suberror,
	    sizeof(error_out->suberror));
	if (error_out->suberror[0] == '\0')
		plain_member(object, "error_subtype", error_out->suberror,
		    sizeof(error_out->suberror));
	plain_member(object, "correlation_id", error_out->correlation_id,
	    sizeof(error_out->correlation_id));
	plain_member(object, "trace_id", error_out->trace_id,
	    sizeof(error_out->trace_id));
	error_codes(object, error_out);
	json_decref(object);
	return FAULT_NONE;
}

void reply_error_of(struct span word, struct span description,
    const struct reply_asked *asked, struct reply_error *error_out)
{
	memset(error_out, 0, sizeof(*error_out));
	if (reply_repeats(asked, word))
		word = span_of(ECHO_HIDDEN);
	if (reply_repeats(asked, description))
		description = span_of(ECHO_HIDDEN);
	attr_plain(word, error_out->error, sizeof(error_out->error));
	reply_words(description, error_out->description,
	    sizeof(error_out->description));
	code_of_text(error_out);
}
