/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The answers: tokens and who signed in, device codes, refusals, pages that
 * came in their place.  Reasons name members, never their values.
 */
#include "oauth/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "oauth/form.h"
#include "oauth/reply_impl.h"
#include "wire/attr.h"
#include "wire/echo.h"

#define URI_MAX_BYTES	    2048
#define USER_CODE_MAX_BYTES 64
#define WORDS_MAX_BYTES	    200 /* of a description */
#define IDENTITY_MAX_BYTES  1100
#define MISNAMED_MAX_BYTES  100

static enum fault odd(struct why *why, const char *name)
{
	why_set(why, 0, "its %s is too long or has a byte that cannot be there",
	    name);
	return FAULT_GARBLED;
}

static enum fault missing(struct why *why, const char *what)
{
	why_set(why, 0, "it has no %s", what);
	return FAULT_GARBLED;
}

/* A member that must be a token: printable ASCII without blanks. */
static enum fault take_secret(const json_t *object, const char *name,
    size_t max_bytes, struct secret **secret_out, struct why *why)
{
	struct span text;
	enum fault fault = reply_string(object, name, &text, why);

	if (fault || text.n == 0)
		return fault;
	return attr_is_token(text, max_bytes) ? secret_new(text, secret_out) :
						odd(why, name);
}

/* A member that is shown to people; absent leaves *text_out alone. */
static enum fault take_text(const json_t *object, const char *name,
    size_t max_bytes, char **text_out, struct why *why)
{
	struct span text;
	enum fault fault = reply_string(object, name, &text, why);
	size_t i;

	if (fault || text.n == 0)
		return fault;
	for (i = 0; i < text.n; i++)
		if (text.n > max_bytes || text.p[i] < 0x20 || text.p[i] > 0x7e)
			return odd(why, name);
	return string_set(text_out, text);
}

/* The names in claims; one that is no account's is for a person to look at. */
static enum fault take_names(const json_t *claims, struct reply_token *token)
{
	static const char *const members[] = { "email", "preferred_username",
		"upn", "unique_name" };
	struct buf names = BUF_INIT(IDENTITY_MAX_BYTES);
	struct buf misnamed = BUF_INIT(8 * REPLY_BODY_MAX_BYTES);
	enum fault fault = FAULT_NONE;
	const json_t *member;
	struct span name;
	size_t i;

	for (i = 0; !fault && i < sizeof(members) / sizeof(members[0]); i++) {
		member = json_object_get(claims, members[i]);
		name = reply_text(claims, members[i]);
		if (member == NULL || json_is_null(member) ||
		    (name.p != NULL && name.n == 0) ||
		    span_listed(name, names.p))
			continue;
		if (attr_is_account(name) && !memchr(name.p, ' ', name.n)) {
			if (names.n > 0)
				buf_add_lit(&names, " ");
			buf_add(&names, name);
			fault = buf_fault(&names);
		} else if (misnamed.n == 0) {
			fault = reply_dump(member, &misnamed);
		}
	}
	if (!fault && names.n > 0)
		fault = string_set(&token->identity, buf_span(&names));
	else if (!fault && misnamed.n > 0)
		fault = string_set(&token->misnamed, buf_span(&misnamed));
	if (misnamed.n > MISNAMED_MAX_BYTES && token->misnamed != NULL)
		token->misnamed[MISNAMED_MAX_BYTES] = '\0';
	buf_drop(&misnamed);
	buf_drop(&names);
	return fault;
}

/*
 * Who an id_token is about; nobody when it cannot be read.  Its signature is
 * not checked: it came straight from the token endpoint over TLS (OpenID
 * Connect Core 1.0, section 3.1.3.7), and it is only compared with the
 * account's name.
 */
static enum fault take_identity(const json_t *answer,
    const struct reply_asked *asked, struct reply_token *token)
{
	struct buf json = BUF_INIT(REPLY_BODY_MAX_BYTES);
	struct span part = reply_text(answer, "id_token");
	json_t *claims = NULL;
	struct span subject;
	enum fault fault;

	/* JWT = header "." payload "." signature (RFC 7519 section 3) */
	if (part.n == 0 || strchr(part.p, '.') == NULL)
		return FAULT_NONE;
	part.p = strchr(part.p, '.') + 1;
	part.n = strcspn(part.p, ".");
	fault = form_unbase64url(part, &json);
	if (!fault)
		fault = reply_answer(buf_span(&json), asked, &claims, NULL);
	if (!fault)
		fault = reply_hush(claims, NULL, answer);
	if (!fault)
		fault = take_names(claims, token);
	subject = reply_text(claims, "sub");
	if (!fault && subject.n > 0)
		fault = string_set(&token->subject, subject);
	json_decref(claims);
	buf_drop(&json);
	return fault;
}

void reply_userinfo(struct span body, struct reply_token *token)
{
	const struct reply_asked asked = { { NULL, 0 }, token->access_token };
	struct reply_token found = { 0 };
	json_t *claims = NULL;

	if (reply_answer(body, &asked, &claims, NULL) == FAULT_NONE &&
	    (token->subject == NULL ||
		span_is(reply_text(claims, "sub"), token->subject)) &&
	    take_names(claims, &found) == FAULT_NONE &&
	    (found.identity != NULL || found.misnamed != NULL)) {
		free(token->misnamed);
		token->identity = found.identity;
		token->misnamed = found.misnamed;
	}
	json_decref(claims);
}

/* 0: nothing was said, or nothing that makes sense. */
static int64_t hint_s(const json_t *object, const char *name)
{
	const struct reply_range range = { 1, INT64_MAX, 0 };
	int64_t seconds = reply_seconds(object, name, range);

	return seconds <= REPLY_EXPIRES_IN_MAX_S ? seconds : 0;
}

/*
 * The old refresh token may be spent: whatever else is odd, a new one is
 * taken, and taken first.
 */
enum fault reply_token_parse(struct span body, const struct reply_asked *asked,
    struct reply_token *token_out, struct why *why)
{
	const struct reply_range life = { 1, REPLY_EXPIRES_IN_MAX_S,
		REPLY_EXPIRES_IN_DEFAULT_S };
	struct reply_token *token = token_out;
	json_t *object = NULL;
	enum fault fault;
	struct span type;

	memset(token, 0, sizeof(*token));
	fault = reply_answer(body, asked, &object, why);
	if (fault)
		return fault;
	fault = reply_string(object, "token_type", &type, why);
	if (!fault && type.n > 0 && strcasecmp(type.p, "bearer") != 0) {
		why_set(why, 0, "its token_type is not bearer");
		fault = FAULT_GARBLED;
	}
	if (take_secret(object, "refresh_token", REFRESH_TOKEN_MAX_BYTES,
		&token->refresh_token, NULL) == FAULT_NOMEM ||
	    take_text(object, "scope", REPLY_SCOPE_MAX_BYTES, &token->scope,
		NULL) == FAULT_NOMEM ||
	    take_identity(object, asked, token) == FAULT_NOMEM)
		fault = FAULT_NOMEM;
	token->expires_in_s = reply_seconds(object, "expires_in", life);
	token->refresh_in_s = hint_s(object, "refresh_in");
	token->refresh_expires_in_s = hint_s(object, "refresh_expires_in");
	if (token->refresh_expires_in_s == 0)
		token->refresh_expires_in_s = hint_s(object,
		    "refresh_token_expires_in");
	if (!fault)
		fault = take_secret(object, "access_token",
		    ACCESS_TOKEN_MAX_BYTES, &token->access_token, why);
	if (!fault && token->access_token == NULL)
		fault = missing(why, "access_token");
	json_decref(object);
	return fault;
}

void reply_token_drop(struct reply_token *token)
{
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
	    attr_is_token(span_of(uri), URI_MAX_BYTES) &&
	    memchr(uri, '@', strcspn(uri + 8, "/?#") + 8) == NULL &&
	    memchr(uri, '\\', n) == NULL;
}

enum fault reply_device_parse(struct span body, const struct reply_asked *asked,
    struct reply_device *device_out, struct why *why)
{
	struct reply_device *device = device_out;
	/* Providers have two names for it: the first with a good one counts. */
	static const char *const names[] = { "verification_uri",
		"verification_url", "verification_uri_complete" };
	char **const uris[] = { &device->verification_uri,
		&device->verification_uri, &device->verification_uri_complete };
	const struct reply_range life = { 1, REPLY_EXPIRES_IN_MAX_S,
		REPLY_DEVICE_EXPIRES_IN_DEFAULT_S };
	const struct reply_range interval = { 0, REPLY_DEVICE_INTERVAL_MAX_S,
		REPLY_DEVICE_INTERVAL_DEFAULT_S };
	json_t *object = NULL;
	struct span uri;
	enum fault fault;
	size_t i;

	memset(device, 0, sizeof(*device));
	fault = reply_answer(body, asked, &object, why);
	if (fault)
		return fault;
	device->expires_in_s = reply_seconds(object, "expires_in", life);
	device->interval_s = reply_seconds(object, "interval", interval);
	if (device->interval_s == 0)
		device->interval_s = 1;
	fault = take_secret(object, "device_code", REFRESH_TOKEN_MAX_BYTES,
	    &device->device_code, why);
	if (!fault)
		fault = take_text(object, "user_code", USER_CODE_MAX_BYTES,
		    &device->user_code, why);
	for (i = 0; !fault && i < sizeof(names) / sizeof(names[0]); i++) {
		uri = reply_text(object, names[i]);
		if (uri.n > 0 && *uris[i] == NULL && is_shown(uri.p))
			fault = string_set(uris[i], uri);
	}
	if (!fault && device->device_code == NULL)
		fault = missing(why, "device_code");
	if (!fault && device->user_code == NULL)
		fault = missing(why, "user_code that may be shown");
	if (!fault && device->verification_uri == NULL)
		fault = missing(why,
		    "verification_uri with https and without a user name");
	json_decref(object);
	if (fault)
		reply_device_drop(device);
	return fault;
}

void reply_device_drop(struct reply_device *device)
{
	secret_free(device->device_code);
	free(device->user_code);
	free(device->verification_uri);
	free(device->verification_uri_complete);
	memset(device, 0, sizeof(*device));
}

static bool is_blank(char byte)
{
	return (unsigned char)byte <= ' ' || byte == 0x7f;
}

/* The next word of text, which begins behind it then; empty at the end. */
static struct span take_word(struct span *text)
{
	struct span word;

	for (; text->n > 0 && is_blank(*text->p); text->n--)
		text->p++;
	word = (struct span){ text->p, 0 };
	for (; text->n > 0 && !is_blank(*text->p); text->n--, word.n++)
		text->p++;
	return word;
}

/*
 * A description may quote what was sent: a long word is left out unless it is
 * one of small letters, as "client_assertion".
 */
static bool may_be_shown(struct span word)
{
	static const char small[] = "abcdefghijklmnopqrstuvwxyz_'\".,:;()";
	size_t i;

	for (i = 1; word.n > 15 && i < word.n; i++)
		if (strchr(small, word.p[i]) == NULL)
			return false;
	return true;
}

/*
 * The first words of a text, plain ASCII: any blanks and line ends are one
 * blank, "..." is what may be a secret or is too much.  Without Microsoft's
 * other lines, which are members, too.
 */
static void say_words(struct span text, char *out, size_t out_bytes)
{
	char words[WORDS_MAX_BYTES + 8];
	struct span word;
	size_t n = 0;

	while ((word = take_word(&text)).n > 0) {
		if (span_is(word, "Trace") && text.n > 4 &&
		    memcmp(text.p, " ID:", 4) == 0)
			break;
		if (n > 0)
			words[n++] = ' ';
		if (n + word.n > WORDS_MAX_BYTES)
			text.n = 0;
		if (n + word.n > WORDS_MAX_BYTES || !may_be_shown(word))
			word = span_of("...");
		memcpy(words + n, word.p, word.n);
		n += word.n;
	}
	attr_plain((struct span){ words, n }, out, out_bytes);
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
	const char *at = strstr(error->description, "AADSTS");

	if (at != NULL)
		add_code(error, strtoll(at + strlen("AADSTS"), NULL, 10));
}

enum fault reply_error_parse(struct span body, const struct reply_asked *asked,
    struct reply_error *error_out)
{
	struct reply_error error = { .n_codes = 0 };
	const json_t *codes;
	json_t *object = NULL;
	struct span suberror;
	enum fault fault;
	size_t i;

	memset(error_out, 0, sizeof(*error_out));
	fault = reply_answer(body, asked, &object, NULL);
	suberror = reply_text(object, "suberror");
	if (!fault && reply_text(object, "error").n > 0) {
		attr_plain(reply_text(object, "error"), error.error,
		    sizeof(error.error));
		say_words(reply_text(object, "error_description"),
		    error.description, sizeof(error.description));
		attr_plain(suberror.n > 0 ? suberror :
					    reply_text(object, "error_subtype"),
		    error.suberror, sizeof(error.suberror));
		attr_plain(reply_text(object, "correlation_id"),
		    error.correlation_id, sizeof(error.correlation_id));
		attr_plain(reply_text(object, "trace_id"), error.trace_id,
		    sizeof(error.trace_id));
		codes = json_object_get(object, "error_codes");
		for (i = 0; i < json_array_size(codes); i++)
			add_code(&error,
			    json_integer_value(json_array_get(codes, i)));
		if (error.n_codes == 0)
			code_of_text(&error);
		*error_out = error;
	}
	json_decref(object);
	return error_out->error[0] != '\0' ? FAULT_NONE : FAULT_GARBLED;
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
	say_words(description, error_out->description,
	    sizeof(error_out->description));
	code_of_text(error_out);
}

bool reply_page(struct span body, const struct reply_asked *asked,
    char title_out[REPLY_TITLE_BYTES])
{
	char title[REPLY_TITLE_BYTES - sizeof(" (\"\")")];
	struct span said, rest = body;
	const char *p, *end;

	title_out[0] = '\0';
	said = take_word(&rest);
	if (said.n == 0 || said.p[0] != '<')
		return false;
	p = strcasestr(body.p, "<title");
	p = p != NULL ? strchr(p, '>') : NULL;
	end = p != NULL ? strcasestr(p, "</title") : NULL;
	said = end != NULL ? (struct span){ p + 1, (size_t)(end - p - 1) } :
			     (struct span){ NULL, 0 };
	if (reply_repeats(asked, said))
		said = span_of(ECHO_HIDDEN);
	say_words(said, title, sizeof(title));
	if (title[0] != '\0')
		(void)snprintf(title_out, REPLY_TITLE_BYTES, " (\"%s\")",
		    title);
	return true;
}
