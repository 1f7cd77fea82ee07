/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON writer.
 */
#include "cli/json.h"

#include <stdio.h>

#include "cli/screen.h"

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
void json_string(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	char escape[8];
	unsigned code;
	size_t i, n;

	screen_add("\"");
	for (i = 0; i<text.n; i += n> 0 ? n : 1) {
		n = attr_utf8_bytes(p + i, text.n - i);
		code = n == 0 ? 0xfffd : p[i];
		if (n > 1) /* of those the C1 controls: U+0080 to U+009F */
			code = p[i] == 0xc2 ? p[i + 1] : 0xffff;
		if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			(void)snprintf(escape, sizeof(escape), "\\u%04x", code);
			screen_add(escape);
			continue;
		}
		if (code == '"' || code == '\\')
			screen_add("\\");
		buf_add(&screen_out, (struct span){ text.p + i, n });
	}
	screen_add("\"");
}

static void add_words(struct span text)
{
	const char *between = "";
	size_t n;

	screen_add("[");
	for (; text.n > 0; text.p += n, text.n -= n) {
		for (n = 0; n < text.n && text.p[n] != ' ';)
			n++;
		if (n == 0) {
			n = 1;
			continue;
		}
		screen_add(between);
		json_string((struct span){ text.p, n });
		between = ", ";
	}
	screen_add("]");
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

static void add_list(const struct attrs *attrs, size_t i)
{
	struct span name = attrs->at[i].name;
	const char *between = "[";

	for (; i < attrs->n; i = next_of(attrs, name, i + 1)) {
		screen_add(between);
		json_string(attrs->at[i].value);
		between = ", ";
	}
	screen_add("]");
}

static void add_value(const struct attrs *attrs, size_t i)
{
	struct span value = attrs->at[i].value;
	enum kind kind = kind_of(attrs->at[i].name);
	bool yes = span_is(value, "yes");
	int64_t number;

	if (kind == LIST)
		add_list(attrs, i);
	else if (kind == WORDS)
		add_words(value);
	else if (kind == YES_NO && (yes || span_is(value, "no")))
		screen_add(yes ? "true" : "false");
	else if (kind == NUMBER &&
	    attr_number(value, INT64_MIN, INT64_MAX, &number) == FAULT_NONE)
		buf_add_int(&screen_out, number);
	else
		json_string(value);
}

void json_object(const struct attrs *attrs)
{
	const char *between = "{";
	size_t i;

	for (i = 1; i < attrs->n; i++) {
		if (next_of(attrs, attrs->at[i].name, 1) < i)
			continue;
		screen_add(between);
		json_string(attrs->at[i].name);
		screen_add(": ");
		add_value(attrs, i);
		between = ", ";
	}
	screen_add(between[0] == '{' ? "{}" : "}");
}
