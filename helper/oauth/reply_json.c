/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON bodies by jansson, whose memory is wiped before it is freed: each block
 * has its size in front.  No secret comes back in a text: what an answer says
 * is compared with what was sent for it and with the tokens it brings.
 * jansson's own limit of depth is JSON_PARSER_MAX_DEPTH.
 */
#include "oauth/reply_impl.h"

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>

#include "oauth/form.h"
#include "wire/attr.h"
#include "wire/echo.h"

#define COUNT(list)    (sizeof(list) / sizeof((list)[0]))
#define SENT_MAX_BYTES 131072

struct block {
	alignas(max_align_t) size_t n; /* bytes that follow */
};

/*
 * Without memory jansson reports bad syntax, or even drops bytes of a string
 * and reports nothing; only the allocator knows.  When it drops the quote at
 * the end of one it reads and writes on behind it: after one failure all of
 * the same parse fail.
 */
static bool memory_failed, parsing;

static void *block_new(size_t n)
{
	struct block *block = NULL;

	if (n <= SIZE_MAX - sizeof(*block) && !(parsing && memory_failed))
		block = malloc(sizeof(*block) + n);
	if (block == NULL) {
		memory_failed = true;
		return NULL;
	}
	block->n = n;
	return block + 1;
}

static void block_free(void *p)
{
	struct block *block = p;

	if (block == NULL)
		return;
	block--;
	secret_wipe(block, sizeof(*block) + block->n);
	free(block);
}

void reply_setup(void)
{
	json_set_alloc_funcs(block_new, block_free);
}

static json_t *load(struct span text, size_t flags)
{
	json_error_t error;
	json_t *read;

	parsing = true;
	read = json_loadb(text.p, text.n, flags, &error);
	parsing = false;
	secret_wipe(&error, sizeof(error)); /* its text quotes the body */
	return read;
}

enum fault reply_object(struct span body, json_t **object_out, struct why *why)
{
	json_t *object = NULL;

	memory_failed = false;
	object = load(body, JSON_REJECT_DUPLICATES);
	if (!memory_failed && json_is_object(object)) {
		*object_out = object;
		return FAULT_NONE;
	}
	json_decref(object);
	why_set(why, 0, "%s",
	    body.n == 0 ? "it is empty" :
			  "it is no JSON object, or has a member twice");
	return memory_failed ? FAULT_NOMEM : FAULT_GARBLED;
}

bool reply_is_whole(struct span body)
{
	json_t *object = NULL;
	bool whole = reply_object(body, &object, NULL) == FAULT_NONE;

	json_decref(object);
	return whole;
}

/* What stands before the comma or bracket at the end of a member. */
static struct span take_member(struct span *rest)
{
	struct span member = { rest->p, 0 };
	bool in_string = false;
	size_t i, depth = 0;

	for (i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if (depth == 0 && (c == ',' || c == '}'))
			break;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	member.n = i < rest->n ? i : rest->n;
	rest->p += member.n;
	rest->n -= member.n;
	return member;
}

static void skip(struct span *rest, const char *what)
{
	for (; rest->n > 0 && rest->p[0] != '\0'; rest->p++, rest->n--)
		if (strchr(what, rest->p[0]) == NULL)
			break;
}

static bool is_token(const json_t *value)
{
	const struct span text = { json_string_value(value),
		json_string_length(value) };

	return text.p != NULL && attr_is_token(text, ACCESS_TOKEN_MAX_BYTES);
}

/* "name": value; a whole object of one is what jansson reads best.  Of one
 * that stands twice the last counts, but a token is not lost to what is none.
 */
static void add_member(json_t *object, struct span text)
{
	struct buf one = BUF_INIT(REPLY_BODY_MAX_BYTES + 2);
	json_t *read = NULL, *value;
	const char *name;
	void *member;

	buf_add_lit(&one, "{");
	buf_add(&one, text);
	buf_add_lit(&one, "}");
	if (buf_fault(&one))
		memory_failed = true;
	else
		read = load(buf_span(&one), 0);
	member = json_object_iter(read);
	name = json_object_iter_key(member);
	value = json_object_iter_value(member);
	if (name != NULL &&
	    (is_token(value) || !is_token(json_object_get(object, name))))
		(void)json_object_set(object, name, value);
	json_decref(read);
	buf_drop(&one);
}

enum fault reply_answer(struct span body, const struct reply_asked *asked,
    json_t **object_out, struct why *why)
{
	enum fault fault = FAULT_NOMEM;
	const char *text = NULL;
	json_t *object;

	if (body.n >= 3 && memcmp(body.p, "\357\273\277", 3) == 0)
		body = (struct span){ body.p + 3, body.n - 3 };
	skip(&body, " \t\r\n");
	if (body.n == 0)
		text = "it is empty";
	else if (body.n > REPLY_BODY_MAX_BYTES)
		text = "it is too long";
	else if (body.p[0] == '<')
		text = "it is an HTML page, as of a proxy or filter";
	else if (body.p[0] == '[')
		text = "it is no JSON object";
	else if (body.p[0] != '{')
		text = "it is not JSON";
	if (text != NULL) {
		why_set(why, 0, "%s", text);
		return FAULT_GARBLED;
	}
	memory_failed = false;
	object = json_object();
	body = (struct span){ body.p + 1, body.n - 1 };
	for (skip(&body, " \t\r\n,");
	     object != NULL && body.n > 0 && body.p[0] != '}';
	     skip(&body, " \t\r\n,"))
		add_member(object, take_member(&body));
	if (object != NULL && !memory_failed)
		fault = reply_hush(object, asked, object);
	if (fault)
		json_decref(object);
	else
		*object_out = object;
	return fault;
}

static int dump(const char *p, size_t n, void *out)
{
	buf_add(out, (struct span){ p, n });
	return 0;
}

enum fault reply_dump(const json_t *object, struct buf *out)
{
	return object == NULL ||
		json_dump_callback(object, dump, out,
		    JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) != 0 ?
	    FAULT_NOMEM :
	    buf_fault(out);
}

struct span reply_text(const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	return (struct span){ json_string_value(member),
		json_string_length(member) };
}

enum fault reply_string(const json_t *object, const char *name,
    struct span *text_out, struct why *why)
{
	const json_t *member = json_object_get(object, name);

	*text_out = reply_text(object, name);
	if (member == NULL || json_is_null(member) || json_is_string(member))
		return FAULT_NONE;
	why_set(why, 0, "its %s is no string", name);
	return FAULT_GARBLED;
}

static bool to_number(const json_t *member, int64_t *number_out)
{
	const char *text = json_string_value(member);
	double real = json_number_value(member);
	char *end = NULL;

	if (json_is_integer(member)) {
		*number_out = json_integer_value(member);
		return true;
	}
	if (text != NULL)
		real = strtod(text, &end);
	if (isnan(real) ||
	    (text != NULL ? end == text || *end != '\0' :
			    !json_is_real(member)))
		return false;
	*number_out = real < -1e15 ? INT64_MIN :
	    real > 1e15		   ? INT64_MAX :
				     (int64_t)real;
	return true;
}

int64_t reply_seconds(const json_t *object, const char *name,
    struct reply_range range)
{
	int64_t number;

	if (!to_number(json_object_get(object, name), &number) ||
	    number < range.min)
		return range.other;
	return number > range.max ? range.max : number;
}

bool reply_repeats(const struct reply_asked *asked, struct span text)
{
	/* RFC 6749, 7009, 7521, 7636, 8628 */
	static const char *const sent[] = { "refresh_token", "token", "code",
		"code_verifier", "device_code", "client_secret",
		"client_assertion", "assertion" };
	struct buf value = BUF_INIT(SENT_MAX_BYTES);
	bool repeats = false;
	enum fault fault;
	size_t i;

	/* What cannot be compared does. */
	for (i = 0; asked != NULL && !repeats && i < COUNT(sent); i++) {
		fault = form_get(asked->form, sent[i], &value);
		repeats = fault != FAULT_NOT_FOUND &&
		    (fault || echo_holds(text, buf_span(&value)));
		buf_drop(&value);
	}
	return repeats ||
	    (asked != NULL && asked->client_secret != NULL &&
		echo_holds(text,
		    secret_reveal(asked->client_secret,
			"to find a copy of it")));
}

static bool repeats_member(const json_t *answer, struct span text)
{
	/* RFC 6749, 7591, 8628; OpenID Connect Core */
	static const char *const received[] = { "access_token", "refresh_token",
		"id_token", "device_code", "client_secret",
		"registration_access_token" };
	size_t i;

	for (i = 0; i < COUNT(received); i++)
		if (echo_holds(text, reply_text(answer, received[i])))
			return true;
	return false;
}

enum fault reply_hush(json_t *object, const struct reply_asked *asked,
    const json_t *answer)
{
	/* Members that reach people.  Of the first a note stands for what they
	 * said; of the others, which have a form or are sent again, their
	 * absence says more. */
	static const char *const names[] = { "error", "error_description",
		"suberror", "error_subtype", "correlation_id", "trace_id",
		"scope", "user_code", "verification_uri", "verification_url",
		"verification_uri_complete", "client_id", "email",
		"preferred_username", "upn", "unique_name" };
	const size_t n_noted = 6;
	struct span text;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		text = reply_text(object, names[i]);
		/* What is longer is cut or refused. */
		if (text.n > REPLY_SCOPE_MAX_BYTES)
			text.n = REPLY_SCOPE_MAX_BYTES;
		if (text.n == 0 ||
		    (!reply_repeats(asked, text) &&
			!repeats_member(answer, text)))
			continue;
		if (i >= n_noted)
			(void)json_object_del(object, names[i]);
		else if (json_object_set_new(object, names[i],
			     json_string(ECHO_HIDDEN)) != 0)
			return FAULT_NOMEM;
	}
	return FAULT_NONE;
}
