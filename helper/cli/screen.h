/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * screen - the two channels: the answer on stdout, all else on stderr
 *
 * Owns what is known about the terminal.  Whatever a stranger may have chosen
 * is made harmless: control, invisible and direction-changing characters and
 * what is no UTF-8 become '?'.  Lines are not broken: terminals do that.  The
 * answer goes through a wiping buf and write(2), never stdio, because it may
 * be a token.
 */
#ifndef MAILTOKEN_CLI_SCREEN_H
#define MAILTOKEN_CLI_SCREEN_H

#include "wire/buf.h"

/* A span for "%.*s". */
#define SPAN(s) (int)(s).n, (s).n > 0 ? (s).p : ""

/* screen_init - once, before all else: texts are UTF-8 in any locale. */
void screen_init(void);

/* screen_is_terminal - stdout is one; screen_can_ask - and stdin is. */
bool screen_is_terminal(void);
bool screen_can_ask(void);

/* screen_in_place - stdout is a terminal that can rewrite a line. */
bool screen_in_place(void);

/* screen_colours - in place, and NO_COLOR is not set (no-color.org). */
bool screen_colours(void);

/* screen_pictures - in place, and block characters of Unicode are shown. */
bool screen_pictures(void);

/* screen_columns, screen_rows - of stdout; 80 and 24 where it does not say. */
size_t screen_columns(void);
size_t screen_rows(void);

/* screen_now_s - the wall clock, to say how long a token still lives. */
int64_t screen_now_s(void);

/* screen_plain - append text, made harmless. */
void screen_plain(struct buf *out, struct span text);

/* screen_width - how many columns it takes. */
size_t screen_width(struct span text);

/* screen_cut - append text, made harmless, "..." for what exceeds columns (at
 * least 4), filled up with blanks to columns. */
void screen_cut(struct buf *out, struct span text, size_t columns);

/* screen_line - append a formatted line, made harmless, and its end; the
 * first fault sticks to out */
void screen_line(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);

/* screen_duration - append "42 min" or the like; "0 s" for less than 1. */
void screen_duration(struct buf *out, int64_t seconds);

/*
 * screen_answer - write all of out to stdout now, then wipe and empty it.
 * FAULT_IO; FAULT_NOMEM and others when out is at fault.
 */
enum fault screen_answer(struct buf *out, struct why *why) MUST_CHECK;

/* screen_confirm - put a question to who sits there; true for yes. */
bool screen_confirm(struct span question);

/* screen_say - one sentence to stderr, made harmless, behind "mailtoken: ";
 * cut to 2,048 bytes */
void screen_say(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
