/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON writer.
 */
#include "cli/json.h"

#include <stdio.h>

enum kind {
	KIND_STRING,
	KIND_NUMBER,
	KIND_YES_NO,
	KIND_WORDS,
	KIND_LIST
};

static const struct {
	const char *name;
	enum kind kind;
} kinds[] = {
	{ ATTR_EXPIRES, KIND_NUMBER },
	{ ATTR_EXPIRES_IN, KIND_NUMBER },
	{ ATTR_REFRESHED, KIND_NUMBER },
	{ ATTR_GRANT_EXPIRES, KIND_NUMBER },
	{ ATTR_NEXT_TRY, KIND_NUMBER },
	{ ATTR_RETRY_AFTER, KIND_NUMBER },
	{ ATTR_PID, KIND_NUMBER },
	{ ATTR_PROTOCOL, KIND_NUMBER },
	{ ATTR_UNSAVED, KIND_YES_NO },
	{ ATTR_DELETED, KIND_YES_NO },
	{ ATTR_SERVERS, KIND_WORDS },
	{ ATTR_CHANGED, KIND_LIST },
	{ ATTR_NEEDS_RESTART, KIND_LIST },
	{ ATTR_WARNING, KIND_LIST },
};

static enum kind kind_of(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_is(name, kinds[i].name))
			return kinds[i].kind;
	return KIND_STRING;
}

static void add_escape(struct buf *out, unsigned code)
{
	char escape[8];

	(void)snprintf(escape, sizeof(escape), "\\u%04x", code & 0xffff);
	buf_add_str(out, escape);
}

/* string = %x22 *char %x22; char = unescaped / %x5C ... */
void json_string(struct buf *out, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0, n;

	buf_add_lit(out, "\"");
	while (i < text.n) {
		n = attr_utf8_bytes(p + i, text.n - i);
		if (n == 0) {
			add_escape(out, 0xfffd);
		} else if (n == 1 && (p[i] < 0x20 || p[i] == 0x7f)) {
			add_escape(out, p[i]);
		} else if (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0) {
			add_escape(out, p[i + 1]);
		} else {
			if (p[i] == '"' || p[i] == '\\')
				buf_add_lit(out, "\\");
			buf_add(out, (struct span){ text.p + i, n });
		}
		i += n == 0 ? 1 : n;
	}
	buf_add_lit(out, "\"");
}

static void add_words(struct buf *out, struct span text)
{
	bool first = true;
	size_t i = 0, start;

	buf_add_lit(out, "[");
	while (i < text.n) {
		if (text.p[i] == ' ') {
			i++;
			continue;
		}
		start = i;
		while (i < text.n && text.p[i] != ' ')
			i++;
		if (!first)
			buf_add_lit(out, ", ");
		json_string(out, (struct span){ text.p + start, i - start });
		first = false;
	}
	buf_add_lit(out, "]");
}

static bool is_name_of(const struct attr *a, const struct attr *b)
{
	return a->name.n == b->name.n &&
	    memcmp(a->name.p, b->name.p, a->name.n) == 0;
}

static void add_list(struct buf *out, const struct attrs *attrs, size_t from)
{
	size_t i;

	buf_add_lit(out, "[");
	for (i = from; i < attrs->n; i++) {
		if (!is_name_of(&attrs->at[i], &attrs->at[from]))
			continue;
		if (i > from)
			buf_add_lit(out, ", ");
		json_string(out, attrs->at[i].value);
	}
	buf_add_lit(out, "]");
}

static void add_value(struct buf *out, const struct attrs *attrs, size_t i)
{
	struct span value = attrs->at[i].value;
	int64_t number;

	switch (kind_of(attrs->at[i].name)) {
	case KIND_NUMBER:
		if (attr_number(value, INT64_MIN, INT64_MAX, &number) !=
		    FAULT_NONE)
			break;
		buf_add_int(out, number);
		return;
	case KIND_YES_NO:
		if (!span_is(value, "yes") && !span_is(value, "no"))
			break;
		buf_add_str(out, span_is(value, "yes") ? "true" : "false");
		return;
	case KIND_WORDS: add_words(out, value); return;
	case KIND_LIST: add_list(out, attrs, i); return;
	case KIND_STRING: break;
	}
	json_string(out, value);
}

static bool stood_before(const struct attrs *attrs, size_t i)
{
	size_t j;

	for (j = 1; j < i; j++)
		if (is_name_of(&attrs->at[j], &attrs->at[i]))
			return true;
	return false;
}

void json_object(struct buf *out, const struct attrs *attrs)
{
	bool first = true;
	size_t i;

	buf_add_lit(out, "{");
	for (i = 1; i < attrs->n; i++) {
		if (stood_before(attrs, i))
			continue;
		if (!first)
			buf_add_lit(out, ", ");
		json_string(out, attrs->at[i].name);
		buf_add_lit(out, ": ");
		add_value(out, attrs, i);
		first = false;
	}
	buf_add_lit(out, "}");
}

void json_line(struct buf *out, const struct attrs *attrs)
{
	json_object(out, attrs);
	buf_add_lit(out, "\n");
}
