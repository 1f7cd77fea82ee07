/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_lex - the words of a configuration file
 *
 * Comments and blanks are skipped, quotes taken off.  In double quotes
 * ${NAME} is a variable of the environment and a backslash makes the next
 * byte stand for itself; in single quotes it does so before \ and ' only.
 * Included by config_parse.c only.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_LEX_H
#define MAILTOKEN_DAEMON_CONFIG_LEX_H

#include "wire/buf.h"

enum lex_token {
	LEX_END,
	LEX_WORD, /* without quotes */
	LEX_QUOTED,
	LEX_MARK /* one of { } ( ) = , */
};

struct config_lex {
	const char *file; /* its name */
	struct span text; /* without NUL */
	size_t at;
	int line;
	enum lex_token token; /* the present one */
	int token_line;
	struct buf word; /* its value, or the mark; never NULL after a token */
	struct why *why;
};

/* config_lex_next - FAULT_CONFIG_ERROR with file, line and cure;
 * FAULT_NOMEM. */
enum fault config_lex_next(struct config_lex *lex) MUST_CHECK;

/* config_lex_refuse - FAULT_CONFIG_ERROR, with why filled. */
enum fault config_lex_refuse(const struct config_lex *lex, int line,
    const char *what) MUST_CHECK;

#endif
