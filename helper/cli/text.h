/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * text - words for a terminal: made harmless, measured, broken into lines
 *
 * Knows no terminal: the number of columns is an argument.  Assumes UTF-8 and
 * takes widths from the lead byte of a character, which is right for letters
 * and good enough for the rest.
 */
#ifndef MAILTOKEN_CLI_TEXT_H
#define MAILTOKEN_CLI_TEXT_H

#include "wire/attr.h"

/*
 * text_plain - append text that a stranger chose: control characters,
 * invisible and direction-changing ones and what is no UTF-8 become '?'.
 */
void text_plain(struct buf *out, struct span text);

/* text_columns - how many columns it takes. */
size_t text_columns(struct span text);

struct text_box {
	size_t at;	/* columns that are taken on the first line */
	size_t indent;	/* of the lines after it */
	size_t columns; /* of the terminal; 0: never break */
};

/*
 * text_wrap - append text, made harmless, broken at blanks, with a line end
 * behind it.  A longer word keeps its own line whole, so that links can be
 * copied.
 */
void text_wrap(struct buf *out, struct span text, const struct text_box *box);

/* text_cut - append text, made harmless, "..." for what exceeds columns (at
 * least 4), filled up with blanks to columns. */
void text_cut(struct buf *out, struct span text, size_t columns);

/* text_pad - append blanks. */
void text_pad(struct buf *out, size_t n);

/* text_duration - append "42 min" or the like; "0 s" for less than 1. */
void text_duration(struct buf *out, int64_t seconds);

/* text_clock - append "14:55" (minutes and seconds). */
void text_clock(struct buf *out, int64_t seconds);

/*
 * text_quoted - append text as a value of "name=value" pairs on one line: as
 * it is, or in double quotes with \" and \\ where it is empty or has blanks,
 * quotes or backslashes; always in quotes when force is set.
 */
void text_quoted(struct buf *out, struct span text, bool force);

#endif
