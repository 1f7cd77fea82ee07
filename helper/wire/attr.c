/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reader and writer of attribute lists.
 */
#include "wire/attr.h"

#include <stdio.h>

static bool is_attr_name(struct span name)
{
	size_t i;

	if (name.n < 1 || name.n > WIRE_NAME_MAX_BYTES)
		return false;
	for (i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '-'))
			return false;
	}
	return true;
}

static bool is_attr_value(struct span value)
{
	return value.n == 0 ||
	    (memchr(value.p, '\0', value.n) == NULL &&
		memchr(value.p, '\r', value.n) == NULL &&
		memchr(value.p, '\n', value.n) == NULL);
}

enum fault attr_length(struct span bytes, size_t *list_out)
{
	size_t line = 0, lines = 0;
	const char *lf;

	for (;;) {
		size_t left = bytes.n - line;

		lf = left > 0 ? memchr(bytes.p + line, '\n', left) : NULL;
		if (lf == NULL) {
			if (left > WIRE_LINE_MAX_BYTES ||
			    bytes.n >= WIRE_LIST_MAX_BYTES)
				return FAULT_TOO_BIG;
			*list_out = 0;
			return FAULT_NONE;
		}
		left = (size_t)(lf - (bytes.p + line));
		if (left > WIRE_LINE_MAX_BYTES)
			return FAULT_TOO_BIG;
		line += left + 1;
		if (line > WIRE_LIST_MAX_BYTES)
			return FAULT_TOO_BIG;
		if (left == 0) {
			*list_out = line;
			return FAULT_NONE;
		}
		if (++lines > WIRE_LINES_MAX)
			return FAULT_TOO_BIG;
	}
}

/* attribute = name "=" value LF; line is without the LF */
static enum fault parse_line(struct span line, struct attrs *attrs)
{
	struct attr attr;
	const char *eq;

	if (attrs->n == WIRE_LINES_MAX || line.n > WIRE_LINE_MAX_BYTES)
		return FAULT_TOO_BIG;
	eq = memchr(line.p, '=', line.n);
	if (eq == NULL)
		return FAULT_GRAMMAR;
	attr.name.p = line.p;
	attr.name.n = (size_t)(eq - line.p);
	attr.value.p = eq + 1;
	attr.value.n = line.n - attr.name.n - 1;
	if (!is_attr_name(attr.name) || !is_attr_value(attr.value))
		return FAULT_GRAMMAR;
	attrs->at[attrs->n++] = attr;
	return FAULT_NONE;
}

static bool is_same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool has_repeat(const struct attrs *attrs)
{
	static const char lists[] = "sealed " ATTR_CHANGED
				    " " ATTR_NEEDS_RESTART " " ATTR_WARNING
				    " " ATTR_SAMPLE;
	size_t i, j;

	for (i = 0; i < attrs->n; i++)
		for (j = 0; j < i; j++)
			if (is_same(attrs->at[i].name, attrs->at[j].name) &&
			    !span_listed(attrs->at[i].name, lists))
				return true;
	return false;
}

enum fault attr_parse(struct span list, const char *first,
    struct attrs *attrs_out)
{
	struct attrs attrs;
	struct span line;
	enum fault fault;
	const char *lf;
	size_t at;

	if (list.n > WIRE_LIST_MAX_BYTES)
		return FAULT_TOO_BIG;
	attrs.n = 0;
	for (at = 0;; at += line.n + 1) {
		line.p = list.p + at;
		lf = at < list.n ? memchr(line.p, '\n', list.n - at) : NULL;
		if (lf == NULL)
			return FAULT_GRAMMAR;
		line.n = (size_t)(lf - line.p);
		if (line.n == 0)
			break;
		fault = parse_line(line, &attrs);
		if (fault != FAULT_NONE)
			return fault;
	}
	if (at + 1 != list.n || attrs.n == 0 ||
	    !span_is(attrs.at[0].name, first) ||
	    !span_is(attrs.at[0].value, WIRE_VERSION) || has_repeat(&attrs))
		return FAULT_GRAMMAR;
	*attrs_out = attrs;
	return FAULT_NONE;
}

static const struct attr *attr_find(const struct attrs *attrs, const char *name)
{
	struct span wanted = span_of(name);
	size_t i;

	for (i = 0; i < attrs->n; i++)
		if (is_same(attrs->at[i].name, wanted))
			return &attrs->at[i];
	return NULL;
}

bool attr_has(const struct attrs *attrs, const char *name)
{
	return attr_find(attrs, name) != NULL;
}

struct span attr_get(const struct attrs *attrs, const char *name)
{
	const struct attr *attr = attr_find(attrs, name);

	return attr != NULL ? attr->value : (struct span){ NULL, 0 };
}

bool attr_is(const struct attrs *attrs, const char *name, const char *value)
{
	return span_is(attr_get(attrs, name), value);
}

enum fault attr_number(struct span text, int64_t min, int64_t max,
    int64_t *number_out)
{
	bool negative = text.n > 0 && text.p[0] == '-';
	int64_t number = 0;
	size_t i = negative ? 1 : 0;

	if (text.n == i || text.n - i > 19)
		return FAULT_GRAMMAR;
	for (; i < text.n; i++) {
		int digit = text.p[i] - '0';

		if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
			return FAULT_GRAMMAR;
		number = number * 10 + digit;
	}
	if (negative)
		number = -number;
	if (number < min || number > max)
		return FAULT_GRAMMAR;
	*number_out = number;
	return FAULT_NONE;
}

void attr_begin(struct attr_writer *writer, struct buf *buf, const char *first)
{
	writer->buf = buf;
	writer->start = buf->n;
	writer->lines = 0;
	attr_put_str(writer, first, WIRE_VERSION);
}

static void put(struct attr_writer *writer, const struct attr *attr)
{
	struct span name = attr->name, value = attr->value;
	struct buf *buf = writer->buf;

	if (buf->fault != FAULT_NONE)
		return;
	if (!is_attr_name(name) || !is_attr_value(value))
		buf->fault = FAULT_GRAMMAR;
	else if (name.n + 1 + value.n > WIRE_LINE_MAX_BYTES ||
	    writer->lines++ == WIRE_LINES_MAX)
		buf->fault = FAULT_TOO_BIG;
	buf_add(buf, name);
	buf_add_lit(buf, "=");
	buf_add(buf, value);
	buf_add_lit(buf, "\n");
}

void attr_put(struct attr_writer *writer, const char *name, struct span value)
{
	put(writer, &(struct attr){ span_of(name), value });
}

void attr_put_str(struct attr_writer *writer, const char *name,
    const char *value)
{
	attr_put(writer, name, span_of(value));
}

void attr_put_rest(struct attr_writer *writer, const struct attrs *attrs)
{
	size_t i;

	for (i = 1; i < attrs->n; i++)
		put(writer, &attrs->at[i]);
}

void attr_put_int(struct attr_writer *writer, const char *name, int64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	attr_put_str(writer, name, digits);
}

enum fault attr_end(struct attr_writer *writer)
{
	struct buf *buf = writer->buf;

	buf_add_lit(buf, "\n");
	if (buf->fault == FAULT_NONE &&
	    buf->n - writer->start > WIRE_LIST_MAX_BYTES)
		buf->fault = FAULT_TOO_BIG;
	if (buf->fault != FAULT_NONE && buf->p != NULL) {
		secret_wipe(buf->p + writer->start, buf->n - writer->start);
		buf->n = writer->start;
	}
	return buf_fault(buf);
}

static bool is_printable(struct span text, char first, size_t max_bytes)
{
	size_t i;

	if (text.n < 1 || text.n > max_bytes)
		return false;
	for (i = 0; i < text.n; i++)
		if (text.p[i] < first || text.p[i] > 0x7e)
			return false;
	return true;
}

bool attr_is_token(struct span text, size_t max_bytes)
{
	return is_printable(text, '!', max_bytes);
}

bool attr_is_client_secret(struct span text)
{
	return is_printable(text, ' ', CLIENT_SECRET_MAX_BYTES);
}

bool attr_is_of(struct span text, const char *legal, size_t max_bytes)
{
	size_t i;

	if (text.n < 1 || text.n > max_bytes)
		return false;
	for (i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || strchr(legal, text.p[i]) == NULL)
			return false;
	return true;
}

bool attr_is_host(struct span text)
{
	return attr_is_of(text, ATTR_ALNUM ".-:_", SERVER_MAX_BYTES);
}

bool attr_is_server(struct span text)
{
	if (text.n > 2 && memcmp(text.p, "*.", 2) == 0)
		text = (struct span){ text.p + 2, text.n - 2 };
	return attr_is_host(text) && text.p[0] != '.';
}

size_t attr_utf8(const char *p, size_t n, unsigned *code_out)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)p;
	size_t whole, i;
	unsigned code;

	whole = bytes[0] < 0x80 ? 1 :
	    bytes[0] < 0xc0	? 0 :
	    bytes[0] < 0xe0	? 2 :
	    bytes[0] < 0xf0	? 3 :
	    bytes[0] < 0xf8	? 4 :
				  0;
	if (whole == 0 || whole > n)
		return 0;
	code = whole == 1 ? bytes[0] : bytes[0] & (0x7fu >> whole);
	for (i = 1; i < whole; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	*code_out = code;
	return code < least[whole] || (code >= 0xd800 && code < 0xe000) ||
		code > 0x10ffff ?
	    0 :
	    whole;
}

static bool is_user_name(struct span text, size_t max_bytes)
{
	size_t i, bytes;
	unsigned code;

	if (text.n < 1 || text.n > max_bytes)
		return false;
	for (i = 0; i < text.n; i += bytes) {
		bytes = attr_utf8(text.p + i, text.n - i, &code);
		if (bytes == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
	}
	return true;
}

bool attr_is_account(struct span text)
{
	return is_user_name(text, ACCOUNT_MAX_BYTES);
}

bool attr_is_login(struct span text)
{
	return is_user_name(text, LOGIN_MAX_BYTES);
}

static size_t plain_bytes(unsigned char c, bool escaped)
{
	return c >= 0x20 && c < 0x7f && (escaped || c != '\\') ? 1 : 4;
}

/* escaped: what is a backslash in text begins an escape already. */
static void escape(struct span text, bool escaped, char *out, size_t out_bytes)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i, n = 0, whole = 1, room = out_bytes;

	for (i = 0; i < text.n; i++)
		whole += plain_bytes(p[i], escaped);
	if (whole > room)
		room -= 3; /* for "..." */
	for (i = 0; i < text.n; i++) {
		if (n + plain_bytes(p[i], escaped) + 1 > room) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (plain_bytes(p[i], escaped) == 1) {
			out[n++] = (char)p[i];
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[p[i] >> 4];
		out[n++] = hex[p[i] & 15];
	}
	out[n] = '\0';
}

void attr_plain(struct span text, char *out, size_t out_bytes)
{
	escape(text, false, out, out_bytes);
}

void attr_plain_rest(const char *text, char *out, size_t out_bytes)
{
	escape(span_of(text), true, out, out_bytes);
}
