/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text for terminals without the locale functions of the C library: the
 * helper's texts are UTF-8 whatever the locale says.
 */
#include "cli/text.h"

#include <stdio.h>

/*
 * C0, DEL, C1; U+200B-200F, U+2028-202E and U+2060-206F would hide text or
 * turn it round.
 */
static bool is_harmful(const unsigned char *p, size_t n)
{
	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (n != 3 || p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 &&
		   ((p[2] >= 0x8b && p[2] <= 0x8f) ||
		       (p[2] >= 0xa8 && p[2] <= 0xae))) ||
	    (p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf);
}

void text_plain(struct buf *out, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0, n;

	while (i < text.n) {
		n = attr_utf8_bytes(p + i, text.n - i);
		if (n == 0 || is_harmful(p + i, n))
			buf_add_lit(out, "?");
		else
			buf_add(out, (struct span){ text.p + i, n });
		i += n == 0 ? 1 : n;
	}
}

/* East Asian characters and pictures begin at lead byte E3, but for EF. */
static size_t char_columns(const unsigned char *p, size_t n)
{
	if (n < 3 || p[0] < 0xe3)
		return 1;
	if (p[0] == 0xee)
		return 1;
	if (p[0] == 0xef)
		return p[1] == 0xbc || p[1] == 0xbd ? 2 : 1;
	return 2;
}

size_t text_columns(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0, n, columns = 0;

	while (i < text.n) {
		n = attr_utf8_bytes(p + i, text.n - i);
		columns += n == 0 ? 1 : char_columns(p + i, n);
		i += n == 0 ? 1 : n;
	}
	return columns;
}

static struct span next_word(struct span *text)
{
	struct span word;

	while (text->n > 0 && text->p[0] == ' ') {
		text->p++;
		text->n--;
	}
	word.p = text->p;
	word.n = 0;
	while (word.n < text->n && word.p[word.n] != ' ')
		word.n++;
	text->p += word.n;
	text->n -= word.n;
	return word;
}

void text_wrap(struct buf *out, struct span text, const struct text_box *box)
{
	bool fresh = true; /* nothing on this line yet */
	size_t at = box->at, wide;
	struct span word;

	for (;;) {
		word = next_word(&text);
		if (word.n == 0)
			break;
		wide = text_columns(word);
		if (box->columns > 0 && !(fresh && at <= box->indent) &&
		    at + (fresh ? 0 : 1) + wide > box->columns) {
			buf_add_lit(out, "\n");
			text_pad(out, box->indent);
			at = box->indent;
			fresh = true;
		}
		if (!fresh) {
			buf_add_lit(out, " ");
			at++;
		}
		text_plain(out, word);
		at += wide;
		fresh = false;
	}
	buf_add_lit(out, "\n");
}

void text_pad(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_add_lit(out, " ");
}

void text_cut(struct buf *out, struct span text, size_t columns)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t wide = text_columns(text), i = 0, at = 0, n, next;

	if (wide <= columns) {
		text_plain(out, text);
		text_pad(out, columns - wide);
		return;
	}
	while (i < text.n) {
		n = attr_utf8_bytes(p + i, text.n - i);
		next = n == 0 ? 1 : char_columns(p + i, n);
		if (at + next > columns - 3)
			break;
		at += next;
		i += n == 0 ? 1 : n;
	}
	text_plain(out, (struct span){ text.p, i });
	buf_add_lit(out, "...");
	text_pad(out, columns - 3 - at);
}

void text_duration(struct buf *out, int64_t seconds)
{
	if (seconds < 1)
		seconds = 0;
	if (seconds < 60) {
		buf_add_int(out, seconds);
		buf_add_lit(out, " s");
	} else if (seconds < 3600) {
		buf_add_int(out, seconds / 60);
		buf_add_lit(out, " min");
	} else if (seconds < 2 * 86400) {
		buf_add_int(out, seconds / 3600);
		buf_add_lit(out, " h");
		if (seconds % 3600 >= 60) {
			buf_add_lit(out, " ");
			buf_add_int(out, seconds % 3600 / 60);
			buf_add_lit(out, " min");
		}
	} else {
		buf_add_int(out, seconds / 86400);
		buf_add_lit(out, " days");
	}
}

void text_clock(struct buf *out, int64_t seconds)
{
	char clock[32];

	if (seconds < 0)
		seconds = 0;
	(void)snprintf(clock, sizeof(clock), "%lld:%02lld",
	    (long long)(seconds / 60), (long long)(seconds % 60));
	buf_add_str(out, clock);
}

static bool is_bare(struct span text)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] == ' ' || text.p[i] == '"' || text.p[i] == '\\')
			return false;
	return text.n > 0;
}

void text_quoted(struct buf *out, struct span text, bool force)
{
	size_t start = 0, i;

	if (!force && is_bare(text)) {
		text_plain(out, text);
		return;
	}
	buf_add_lit(out, "\"");
	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '"' && text.p[i] != '\\')
			continue;
		text_plain(out, (struct span){ text.p + start, i - start });
		buf_add_lit(out, "\\");
		start = i;
	}
	text_plain(out, (struct span){ text.p + start, text.n - start });
	buf_add_lit(out, "\"");
}
