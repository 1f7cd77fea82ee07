/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * screen - the two channels: the answer on stdout, all else on stderr; and
 * what the exit status says
 *
 * Whatever a stranger may have chosen is made harmless: control, invisible
 * and direction-changing characters and what is no UTF-8 become '?'.  What is
 * not said to be broken into lines is not: terminals do that.  The answer goes
 * through a wiping buf and write(2), never stdio, because it may be a token.
 */
#ifndef MAILTOKEN_CLI_SCREEN_H
#define MAILTOKEN_CLI_SCREEN_H

#include "wire/attr.h"

/* mailtoken(1), EXIT STATUS */
enum outcome {
	OUTCOME_DONE = 0,
	OUTCOME_NO = 1,
	OUTCOME_USAGE = 2,
	OUTCOME_LATER = 75, /* EX_TEMPFAIL */
	OUTCOME_DENIED = 77 /* EX_NOPERM */
};

/* outcome_of - the exit status of a fault: the only such map. */
enum outcome outcome_of(enum fault fault);

/* outcome_worse - the worse of two: no before later before done. */
enum outcome outcome_worse(enum outcome a, enum outcome b);

/* A span for "%.*s". */
#define SPAN(s) (int)(s).n, (s).n > 0 ? (s).p : ""

/* What there is, as screen_init() found it. */
extern struct screen {
	bool terminal; /* stdout is one */
	bool keyboard; /* stdin is one */
	bool in_place; /* a line can be rewritten */
	bool colours;  /* likewise, and NO_COLOR is not set (no-color.org) */
	bool pictures; /* likewise, and block characters are shown */
	size_t columns, rows;
	struct buf *said; /* what screen_say() says goes there; NULL: stderr */
} screen;

/* The answer, until it is flushed; the first fault sticks. */
extern struct buf screen_out;

/* screen_init - once, before all else: texts are UTF-8 in any locale. */
void screen_init(void);

/*
 * screen_flush - write screen_out to stdout now, then wipe and empty it.
 * Ends the program where that cannot be: nobody hears it any more.
 */
void screen_flush(void);

/* screen_plain - append text, made harmless. */
void screen_plain(struct buf *out, struct span text);

/* screen_width - how many columns it takes. */
size_t screen_width(struct span text);

/* screen_add - add text that is harmless as it is. */
void screen_add(const char *text);

/* screen_print - add formatted text to screen_out, made harmless but for a
 * newline at the end of format. */
void screen_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* screen_cut - add text to screen_out, made harmless, "..." for what exceeds
 * columns (at least 4), filled up with blanks to columns. */
void screen_cut(struct span text, size_t columns);

/*
 * screen_wrap - add text and a newline, made harmless, behind indent columns
 * that stand in its line already; on a terminal broken at blanks, with so many
 * blanks before each further line
 */
void screen_wrap(struct span text, size_t indent);

/* screen_left - "42 min" or the like; "0 s" for less than 1. */
struct screen_left {
	char text[32];
} screen_left(int64_t seconds);

/* screen_now_s - the wall clock, to say how long a token still lives. */
int64_t screen_now_s(void);

/* screen_confirm - put a question to who sits there; true for yes. */
bool screen_confirm(const char *format, ...) PRINTF_LIKE(1, 2);

/* screen_say - one sentence to stderr, made harmless, behind "mailtoken: ". */
void screen_say(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * qr_draw - add a picture of link, for a telephone, in block characters of
 * Unicode, and its title, where they fit into rows and screen.columns; never
 * without libqrencode
 */
void qr_draw(const char *link, size_t rows);

/*
 * JSON (RFC 8259), added to screen_out; always valid UTF-8, without control
 * characters
 *
 * screen_json_string  text, with its quotes; screen_json: a list without its
 * first attribute, on one line: names as in mailtoken-protocol(7), numbers and
 * times as numbers, yes/no as true/false, lists as arrays.  (jansson has the
 * names json_string and json_object.)
 */
void screen_json_string(struct span text);
void screen_json(const struct attrs *attrs);

#endif
