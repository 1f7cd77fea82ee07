/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON bodies (RFC 8259) by jansson, whose memory is wiped before it is
 * freed: each block has its size in front.
 */
#include "oauth/reply_impl.h"

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>

#include "wire/attr.h"

#define BLOCK_HEAD_BYTES \
	(sizeof(size_t) > alignof(max_align_t) ? sizeof(size_t) : \
						 alignof(max_align_t))

/*
 * Without memory jansson reports bad syntax, or even drops bytes of a string
 * and reports nothing; only the allocator knows.  When it drops the quote at
 * the end of one it reads and writes on behind it: after one failure all of
 * the same parse fail.
 */
static bool memory_failed, parsing;

static void *block_new(size_t n)
{
	char *block = NULL;

	if (n <= SIZE_MAX - BLOCK_HEAD_BYTES && !(parsing && memory_failed))
		block = malloc(n + BLOCK_HEAD_BYTES);
	if (block == NULL) {
		memory_failed = true;
		return NULL;
	}
	memcpy(block, &n, sizeof(n));
	return block + BLOCK_HEAD_BYTES;
}

static void block_free(void *p)
{
	char *block;
	size_t n;

	if (p == NULL)
		return;
	block = (char *)p - BLOCK_HEAD_BYTES;
	memcpy(&n, block, sizeof(n));
	secret_wipe(block, n + BLOCK_HEAD_BYTES);
	free(block);
}

void reply_setup(void)
{
	json_set_alloc_funcs(block_new, block_free);
}

static json_t *load(struct span text, size_t flags, json_error_t *error)
{
	json_t *read;

	parsing = true;
	read = json_loadb(text.p, text.n, flags, error);
	parsing = false;
	return read;
}

/* jansson recurses; real answers are two levels deep. */
static bool is_shallow(struct span body)
{
	bool in_string = false;
	size_t i, depth = 0;

	for (i = 0; i < body.n; i++) {
		char c = body.p[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > REPLY_DEPTH_MAX)
			return false;
	}
	return true;
}

static const char *why_no_json(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_duplicate_key: return "a member stands twice";
	case json_error_premature_end_of_input:
		return "the JSON ends too early";
	default: return "it is not JSON";
	}
}

enum fault reply_object(struct span body, json_t **object_out, struct why *why)
{
	json_error_t error;
	json_t *object;

	if (body.n == 0) {
		why_set(why, 0, "it is empty");
		return FAULT_GARBLED;
	}
	if (body.n > REPLY_BODY_MAX_BYTES || !is_shallow(body)) {
		why_set(why, 0, "it is too long or too deep");
		return FAULT_GARBLED;
	}
	memory_failed = false;
	object = load(body, JSON_REJECT_DUPLICATES, &error);
	if (memory_failed) {
		json_decref(object);
		return FAULT_NOMEM;
	}
	if (object == NULL) {
		/* Not error.text: it quotes the body, tokens included. */
		why_set(why, 0, "%s", why_no_json(&error));
		secret_wipe(&error, sizeof(error));
		return FAULT_GARBLED;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		why_set(why, 0, "it is no JSON object");
		return FAULT_GARBLED;
	}
	*object_out = object;
	return FAULT_NONE;
}

bool reply_is_whole(struct span body)
{
	json_t *object = NULL;
	bool whole = reply_object(body, &object, NULL) == FAULT_NONE;

	json_decref(object);
	return whole;
}

/* The bytes before the first of stops that is in no string or bracket. */
static struct span take_until(struct span *rest, const char *stops)
{
	struct span part = { rest->p, 0 };
	bool in_string = false;
	size_t i, depth = 0;

	for (i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (in_string || c == '\0')
			continue;
		else if (depth == 0 && strchr(stops, c) != NULL)
			break;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	part.n = i < rest->n ? i : rest->n;
	rest->p += part.n;
	rest->n -= part.n;
	return part;
}

static void skip(struct span *rest, const char *what)
{
	while (rest->n > 0 && rest->p[0] != '\0' &&
	    strchr(what, rest->p[0]) != NULL) {
		rest->p++;
		rest->n--;
	}
}

static bool is_token(const json_t *value)
{
	return json_is_string(value) &&
	    attr_is_token((struct span){ json_string_value(value),
			      json_string_length(value) },
		ACCESS_TOKEN_MAX_BYTES);
}

/* "name": value; a whole object of one is what jansson reads best.  Of one
 * that stands twice the last counts, but a token is not lost to what is none.
 */
static void add_member(json_t *object, struct span text)
{
	struct buf one = BUF_INIT(REPLY_BODY_MAX_BYTES + 2);
	json_error_t error;
	json_t *read = NULL, *value;
	const char *name;
	void *member;

	buf_add_lit(&one, "{");
	buf_add(&one, text);
	buf_add_lit(&one, "}");
	if (buf_fault(&one) == FAULT_NOMEM)
		memory_failed = true;
	else if (is_shallow(buf_span(&one)))
		read = load(buf_span(&one), 0, &error);
	secret_wipe(&error, sizeof(error));
	member = json_object_iter(read);
	name = json_object_iter_key(member);
	value = json_object_iter_value(member);
	if (name != NULL &&
	    (is_token(value) || !is_token(json_object_get(object, name))))
		(void)json_object_set(object, name, value);
	json_decref(read);
	buf_drop(&one);
}

static enum fault begin_answer(struct span *rest, struct why *why)
{
	const char *text = NULL;

	if (rest->n >= 3 && memcmp(rest->p, "\357\273\277", 3) == 0) {
		rest->p += 3;
		rest->n -= 3;
	}
	skip(rest, " \t\r\n");
	if (rest->n == 0)
		text = "it is empty";
	else if (rest->n > REPLY_BODY_MAX_BYTES)
		text = "it is too long";
	else if (rest->p[0] == '<')
		text = "it is an HTML page, as of a proxy or filter";
	else if (rest->p[0] != '{')
		text = rest->p[0] == '[' ? "it is no JSON object" :
					   "it is not JSON";
	why_set(why, 0, "%s", text != NULL ? text : "");
	return text != NULL ? FAULT_GARBLED : FAULT_NONE;
}

enum fault reply_answer(struct span body, const struct reply_asked *asked,
    json_t **object_out, struct why *why)
{
	struct span name, value;
	json_t *object;
	enum fault fault = begin_answer(&body, why);

	if (fault)
		return fault;
	memory_failed = false;
	object = json_object();
	body.p++;
	body.n--;
	for (;;) {
		skip(&body, " \t\r\n,");
		if (object == NULL || body.n == 0 || body.p[0] == '}')
			break;
		name = take_until(&body, ":,}");
		if (body.n == 0 || body.p[0] != ':')
			continue;
		body.p++;
		body.n--;
		value = take_until(&body, ",}");
		add_member(object,
		    (struct span){ name.p,
			(size_t)(value.p + value.n - name.p) });
	}
	fault = memory_failed || object == NULL ?
	    FAULT_NOMEM :
	    reply_hush(object, asked, object);
	if (fault) {
		json_decref(object);
		return fault;
	}
	*object_out = object;
	return FAULT_NONE;
}

enum fault reply_string(const json_t *object, const char *name,
    struct span *text_out, struct why *why)
{
	const json_t *member = json_object_get(object, name);

	if (member == NULL || json_is_null(member)) {
		*text_out = (struct span){ NULL, 0 };
		return FAULT_NONE;
	}
	if (!json_is_string(member)) {
		why_set(why, 0, "its %s is no string", name);
		return FAULT_GARBLED;
	}
	*text_out = (struct span){ json_string_value(member),
		json_string_length(member) };
	return FAULT_NONE;
}

static bool to_number(const json_t *member, int64_t *number_out)
{
	double real = 0;
	char *end;

	if (json_is_integer(member)) {
		*number_out = json_integer_value(member);
		return true;
	}
	if (json_is_string(member)) {
		real = strtod(json_string_value(member), &end);
		if (end == json_string_value(member) || *end != '\0')
			return false;
	} else if (json_is_real(member)) {
		real = json_real_value(member);
	} else {
		return false;
	}
	if (isnan(real))
		return false;
	*number_out = real < -1e15 ? INT64_MIN :
	    real > 1e15		   ? INT64_MAX :
				     (int64_t)real;
	return true;
}

enum fault reply_number(const json_t *object, const char *name,
    struct reply_range range, int64_t *number_out, struct why *why)
{
	const json_t *member = json_object_get(object, name);
	int64_t number;

	if (member == NULL || json_is_null(member)) {
		*number_out = range.other;
		return FAULT_NONE;
	}
	if (!to_number(member, &number) || number < range.min ||
	    number > range.max) {
		why_set(why, 0, "its %s is no number or out of range", name);
		return FAULT_GARBLED;
	}
	*number_out = number;
	return FAULT_NONE;
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
