/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bytes to words.
 */
#include "daemon/config_lex.h"

#include <stdlib.h>

enum fault config_lex_refuse(const struct config_lex *lex, int line,
    const char *what)
{
	why_set(lex->why, 0, "%s:%d: %s", lex->file, line, what);
	return FAULT_CONFIG_ERROR;
}

/* NUL at the end. */
static char here(const struct config_lex *lex, size_t ahead)
{
	size_t at = lex->at + ahead;

	return at < lex->text.n ? lex->text.p[at] : '\0';
}

static enum fault skip_comment(struct config_lex *lex)
{
	int line = lex->line;

	for (lex->at += 2; here(lex, 0) != '\0'; lex->at++) {
		if (here(lex, 0) == '*' && here(lex, 1) == '/') {
			lex->at += 2;
			return FAULT_NONE;
		}
		lex->line += here(lex, 0) == '\n';
	}
	return config_lex_refuse(lex, line,
	    "this comment does not end; write */");
}

static enum fault skip_blanks(struct config_lex *lex)
{
	enum fault fault = FAULT_NONE;
	char c;

	while (fault == FAULT_NONE) {
		c = here(lex, 0);
		if (c == '#' || (c == '/' && here(lex, 1) == '/')) {
			while (here(lex, 0) != '\0' && here(lex, 0) != '\n')
				lex->at++;
		} else if (c == '/' && here(lex, 1) == '*') {
			fault = skip_comment(lex);
		} else if (c == ' ' || c == '\t' || c == '\n' ||
		    (c == '\r' && here(lex, 1) == '\n')) {
			lex->line += c == '\n';
			lex->at++;
		} else {
			break;
		}
	}
	return fault;
}

/* "${" NAME "}" */
static enum fault take_variable(struct config_lex *lex)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	const char *value = NULL;
	char name[64];
	size_t n = 0;

	for (lex->at += 2; n < sizeof(name) - 1 && here(lex, 0) != '\0' &&
	     strchr(legal, here(lex, 0)) != NULL;
	     lex->at++)
		name[n++] = here(lex, 0);
	name[n] = '\0';
	if (here(lex, 0) == '}')
		value = secure_getenv(name);
	if (value == NULL)
		return config_lex_refuse(lex, lex->line,
		    "${ begins no variable of the environment here; use "
		    "single quotes if none is meant");
	lex->at++;
	buf_add_str(&lex->word, value);
	return FAULT_NONE;
}

static enum fault take_quoted(struct config_lex *lex)
{
	char c, quote = here(lex, 0);
	enum fault fault = FAULT_NONE;

	lex->at++;
	while (fault == FAULT_NONE && (c = here(lex, 0)) != quote) {
		if (quote == '"' && c == '$' && here(lex, 1) == '{') {
			fault = take_variable(lex);
			continue;
		}
		if (c == '\\' &&
		    (quote == '"' || here(lex, 1) == quote ||
			here(lex, 1) == '\\')) {
			lex->at++;
			c = here(lex, 0);
		}
		if (c == '\0' || c == '\n')
			return config_lex_refuse(lex, lex->line,
			    "a quote is opened here and not closed; close it "
			    "on the same line");
		buf_add(&lex->word, (struct span){ &c, 1 });
		lex->at++;
	}
	lex->at++;
	return fault;
}

static bool in_word(char c)
{
	return (unsigned char)c > 0x20 && strchr("#\"'={}()+,*", c) == NULL &&
	    c != 0x7f;
}

enum fault config_lex_next(struct config_lex *lex)
{
	enum fault fault = skip_blanks(lex);
	char c = here(lex, 0);

	if (fault != FAULT_NONE)
		return fault;
	buf_consume(&lex->word, lex->word.n);
	buf_add_lit(&lex->word, ""); /* so that there is a NUL */
	lex->token_line = lex->line;
	if (c == '\0') {
		lex->token = LEX_END;
	} else if (c == '\'' || c == '"') {
		lex->token = LEX_QUOTED;
		fault = take_quoted(lex);
	} else if (strchr("{}()=,", c) != NULL) {
		lex->token = LEX_MARK;
		lex->at++;
		buf_add(&lex->word, (struct span){ &c, 1 });
	} else if (in_word(c)) {
		lex->token = LEX_WORD;
		for (; in_word(c); c = here(lex, 0)) {
			buf_add(&lex->word, (struct span){ &c, 1 });
			lex->at++;
		}
	} else {
		fault = config_lex_refuse(lex, lex->line,
		    c == '+' && here(lex, 1) == '=' ?
			"+= is not used here; write the whole list once, "
			"with =" :
			"a byte that cannot stand here; put the value between "
			"single quotes");
	}
	if (fault == FAULT_NONE && buf_fault(&lex->word) == FAULT_TOO_BIG)
		fault = config_lex_refuse(lex, lex->line,
		    "this value is too long");
	return fault != FAULT_NONE ? fault : buf_fault(&lex->word);
}
