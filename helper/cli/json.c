/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON writer.
 */
#include "cli/json.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum kind {
		STRING,
		NUMBER,
		YES_NO,
		WORDS,
		LIST
	} kind;
} kinds[] = {
	{ ATTR_EXPIRES, NUMBER },
	{ ATTR_EXPIRES_IN, NUMBER },
	{ ATTR_REFRESHED, NUMBER },
	{ ATTR_GRANT_EXPIRES, NUMBER },
	{ ATTR_NEXT_TRY, NUMBER },
	{ ATTR_RETRY_AFTER, NUMBER },
	{ ATTR_PID, NUMBER },
	{ ATTR_PROTOCOL, NUMBER },
	{ ATTR_UNSAVED, YES_NO },
	{ ATTR_DELETED, YES_NO },
	{ ATTR_SERVERS, WORDS },
	{ ATTR_CHANGED, LIST },
	{ ATTR_NEEDS_RESTART, LIST },
	{ ATTR_WARNING, LIST },
};

static enum kind kind_of(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_is(name, kinds[i].name))
			return kinds[i].kind;
	return STRING;
}

/* string = %x22 *char %x22; char = unescaped / %x5C ... */
void json_string(struct buf *out, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	char escape[8];
	unsigned code;
	size_t i, n;

	buf_add_lit(out, "\"");
	for (i = 0; i<text.n; i += n> 0 ? n : 1) {
		n = attr_utf8_bytes(p + i, text.n - i);
		code = n == 0 ? 0xfffd : p[i];
		if (n > 1) /* of those the C1 controls: U+0080 to U+009F */
			code = p[i] == 0xc2 ? p[i + 1] : 0xffff;
		if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			(void)snprintf(escape, sizeof(escape), "\\u%04x", code);
			buf_add_str(out, escape);
			continue;
		}
		if (code == '"' || code == '\\')
			buf_add_lit(out, "\\");
		buf_add(out, (struct span){ text.p + i, n });
	}
	buf_add_lit(out, "\"");
}

static void add_words(struct buf *out, struct span text)
{
	const char *between = "";
	size_t n;

	buf_add_lit(out, "[");
	for (; text.n > 0; text.p += n, text.n -= n) {
		for (n = 0; n < text.n && text.p[n] != ' ';)
			n++;
		if (n == 0) {
			n = 1;
			continue;
		}
		buf_add_str(out, between);
		json_string(out, (struct span){ text.p, n });
		between = ", ";
	}
	buf_add_lit(out, "]");
}

/* The next attribute from i on that is called as this one; n without any. */
static size_t next_of(const struct attrs *attrs, struct span name, size_t i)
{
	while (i < attrs->n &&
	    (attrs->at[i].name.n != name.n ||
		memcmp(attrs->at[i].name.p, name.p, name.n) != 0))
		i++;
	return i;
}

static void add_list(struct buf *out, const struct attrs *attrs, size_t i)
{
	struct span name = attrs->at[i].name;
	const char *between = "[";

	for (; i < attrs->n; i = next_of(attrs, name, i + 1)) {
		buf_add_str(out, between);
		json_string(out, attrs->at[i].value);
		between = ", ";
	}
	buf_add_lit(out, "]");
}

static void add_value(struct buf *out, const struct attrs *attrs, size_t i)
{
	struct span value = attrs->at[i].value;
	enum kind kind = kind_of(attrs->at[i].name);
	bool yes = span_is(value, "yes");
	int64_t number;

	if (kind == LIST)
		add_list(out, attrs, i);
	else if (kind == WORDS)
		add_words(out, value);
	else if (kind == YES_NO && (yes || span_is(value, "no")))
		buf_add_str(out, yes ? "true" : "false");
	else if (kind == NUMBER &&
	    attr_number(value, INT64_MIN, INT64_MAX, &number) == FAULT_NONE)
		buf_add_int(out, number);
	else
		json_string(out, value);
}

void json_object(struct buf *out, const struct attrs *attrs)
{
	const char *between = "{";
	size_t i;

	for (i = 1; i < attrs->n; i++) {
		if (next_of(attrs, attrs->at[i].name, 1) < i)
			continue;
		buf_add_str(out, between);
		json_string(out, attrs->at[i].name);
		buf_add_lit(out, ": ");
		add_value(out, attrs, i);
		between = ", ";
	}
	buf_add_str(out, between[0] == '{' ? "{}" : "}");
}
