/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * print - the two channels: the answer on stdout, all else on stderr
 *
 * Owns what is known about the terminal.  The answer goes through a wiping
 * buf and write(2), never stdio, because it may be a token.
 */
#ifndef MAILTOKEN_CLI_PRINT_H
#define MAILTOKEN_CLI_PRINT_H

#include "wire/buf.h"

/* Where no terminal says otherwise. */
#define PRINT_COLUMNS 80
#define PRINT_ROWS    24

/* print_on_terminal - stdout is a terminal. */
bool print_on_terminal(void);

/* print_in_place - stdout is a terminal that can rewrite a line. */
bool print_in_place(void);

/* print_colours - in place, and NO_COLOR is not set. */
bool print_colours(void);

/* print_pictures - a terminal that shows block characters of Unicode. */
bool print_pictures(void);

/* print_columns - of stdout; at least 40. */
size_t print_columns(void);

/* print_rows - of stdout. */
size_t print_rows(void);

/* print_bold - append text, made harmless, in bold where there are colours. */
void print_bold(struct buf *out, struct span text);

/* print_now_s - the wall clock, to say how long a token still lives. */
int64_t print_now_s(void);

/*
 * print_sentence - append text, made harmless, broken to fit the terminal if
 * there is one, later lines indented; sentence is empty afterwards
 */
void print_sentence(struct buf *out, struct buf *sentence, size_t indent);

/* print_confirm - put a question to who sits there; true for yes. */
bool print_confirm(struct span question);

/*
 * print_answer - write all of out to stdout now, then wipe and empty it.
 * FAULT_IO; FAULT_NOMEM and others when out is at fault.
 */
enum fault print_answer(struct buf *out, struct why *why) MUST_CHECK;

/* print_say - one sentence to stderr, behind "mailtoken: ". */
void print_say(const char *format, ...) PRINTF_LIKE(1, 2);

/* print_say_text - the same with text that a stranger chose. */
void print_say_text(struct span text);

#endif
