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
 * and reports nothing; only the allocator knows.
 */
static bool memory_failed;

static void *block_new(size_t n)
{
	char *block = NULL;

	if (n <= SIZE_MAX - BLOCK_HEAD_BYTES)
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
	object = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
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
	struct span text;
	double real;

	if (json_is_integer(member)) {
		*number_out = json_integer_value(member);
		return true;
	}
	if (json_is_string(member)) {
		text.p = json_string_value(member);
		text.n = json_string_length(member);
		return attr_number(text, INT64_MIN, INT64_MAX, number_out) ==
		    FAULT_NONE;
	}
	if (!json_is_real(member))
		return false;
	real = json_real_value(member);
	if (!isfinite(real) || real < -1e15 || real > 1e15)
		return false;
	*number_out = (int64_t)real;
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
