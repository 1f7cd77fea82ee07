/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The JSON writer.
 */
#include <stdio.h>

#include "cli/screen.h"

/* The names that are not strings. */
static const char numbers[] = ATTR_EXPIRES
    " " ATTR_EXPIRES_IN " " ATTR_REFRESHED " " ATTR_GRANT_EXPIRES
    " " ATTR_NEXT_TRY " " ATTR_FAILING_SINCE " " ATTR_ASKED " " ATTR_RETRY_AFTER
    " " ATTR_PID " " ATTR_PROTOCOL " " ATTR_STARTED " " ATTR_SIGNED_IN
    " " ATTR_FLEET_REVISION " " ATTR_FLEET_BEHIND " " ATTR_FLEET_LOCKS
    " " ATTR_FLEET_UNPUT;
static const char booleans[] = ATTR_UNSAVED " " ATTR_DELETED " " ATTR_STALE;
static const char lists[] = ATTR_CHANGED " " ATTR_NEEDS_RESTART " " ATTR_WARNING
					 " " ATTR_SAMPLE;

/* string = %x22 *char %x22; char = unescaped / %x5C ... */
void screen_json_string(struct span text)
{
	char escape[8];
	unsigned code;
	size_t i, n;

	screen_add("\"");
	for (i = 0; i < text.n; i += n) {
		n = attr_utf8(text.p + i, text.n - i, &code);
		if (n == 0) {
			n = 1;
			code = 0xfffd;
		} else if (code >= 0x20 && (code < 0x7f || code >= 0xa0)) {
			if (code == '"' || code == '\\')
				screen_add("\\");
			buf_add(&screen_out, (struct span){ text.p + i, n });
			continue;
		}
		(void)snprintf(escape, sizeof(escape), "\\u%04x", code);
		screen_add(escape);
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
		screen_json_string((struct span){ text.p, n });
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

static void add_value(const struct attrs *attrs, size_t i)
{
	struct span name = attrs->at[i].name, value = attrs->at[i].value;
	bool yes = span_is(value, "yes");
	const char *between = "[";
	int64_t number;

	if (span_listed(name, lists)) {
		for (; i < attrs->n; i = next_of(attrs, name, i + 1)) {
			screen_add(between);
			screen_json_string(attrs->at[i].value);
			between = ", ";
		}
		screen_add("]");
	} else if (span_is(name, ATTR_SERVERS)) {
		add_words(value);
	} else if (span_listed(name, booleans) &&
	    (yes || span_is(value, "no"))) {
		screen_add(yes ? "true" : "false");
	} else if (span_listed(name, numbers) &&
	    attr_number(value, INT64_MIN, INT64_MAX, &number) == FAULT_NONE) {
		buf_add_int(&screen_out, number);
	} else {
		screen_json_string(value);
	}
}

void screen_json(const struct attrs *attrs)
{
	const char *between = "{";
	size_t i;

	for (i = 1; i < attrs->n; i++) {
		if (next_of(attrs, attrs->at[i].name, 1) < i)
			continue;
		screen_add(between);
		screen_json_string(attrs->at[i].name);
		screen_add(": ");
		add_value(attrs, i);
		between = ", ";
	}
	screen_add(between[0] == '{' ? "{}" : "}");
}
