/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grammar of config_scan.h, one token ahead.
 */
#include "daemon/config_scan.h"

#include <stdlib.h>

enum token {
	TOKEN_END,
	TOKEN_WORD, /* without quotes */
	TOKEN_QUOTED,
	TOKEN_MARK /* one of { } ( ) = , */
};

struct scanner {
	struct config_scan *scan;
	unsigned file;
	struct buf *text;
	size_t at;
	int line;
	enum token token; /* the present one */
	size_t start;
	size_t n;
	int token_line;
	struct why *why;
};

static enum fault refuse(const struct scanner *s, int line, const char *what)
{
	why_set(s->why, 0, "%s:%d: %s", s->scan->files[s->file], line, what);
	return FAULT_CONFIG_ERROR;
}

static char here(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->text->n ? s->text->p[s->at + ahead] : '\0';
}

static void blank_line(struct scanner *s)
{
	while (s->at < s->text->n && s->text->p[s->at] != '\n')
		s->text->p[s->at++] = ' ';
}

static enum fault blank_comment(struct scanner *s)
{
	int line = s->line;

	while (s->at < s->text->n) {
		if (here(s, 0) == '*' && here(s, 1) == '/') {
			s->text->p[s->at++] = ' ';
			s->text->p[s->at++] = ' ';
			return FAULT_NONE;
		}
		if (here(s, 0) == '\n')
			s->line++;
		else
			s->text->p[s->at] = ' ';
		s->at++;
	}
	return refuse(s, line, "this comment does not end; write */");
}

static enum fault skip_blanks(struct scanner *s)
{
	enum fault fault;
	char c;

	while (s->at < s->text->n) {
		c = here(s, 0);
		if (c == '#' || (c == '/' && here(s, 1) == '/')) {
			blank_line(s);
		} else if (c == '/' && here(s, 1) == '*') {
			fault = blank_comment(s);
			if (fault != FAULT_NONE)
				return fault;
		} else if (c == ' ' || c == '\t' || c == '\n' ||
		    (c == '\r' && here(s, 1) == '\n')) {
			s->line += c == '\n';
			s->at++;
		} else {
			break;
		}
	}
	return FAULT_NONE;
}

static enum fault take_quoted(struct scanner *s)
{
	char quote = here(s, 0);
	char c;

	for (s->at++; s->at < s->text->n; s->at++) {
		c = here(s, 0);
		if (c == quote) {
			s->at++;
			return FAULT_NONE;
		}
		if (c == '\\' && here(s, 1) != '\n')
			s->at++;
		else if (c == '\n' || c == '\\')
			break;
	}
	return refuse(s, s->line,
	    "a quote is opened here and not closed; close it on the same line");
}

static bool in_word(char c)
{
	return (unsigned char)c > 0x20 && strchr("#\"'={}()+,*", c) == NULL &&
	    c != 0x7f;
}

static enum fault next(struct scanner *s)
{
	enum fault fault = skip_blanks(s);
	char c;

	if (fault != FAULT_NONE)
		return fault;
	s->start = s->at;
	s->token_line = s->line;
	c = here(s, 0);
	if (s->at == s->text->n) {
		s->token = TOKEN_END;
	} else if (c == '\'' || c == '"') {
		s->token = TOKEN_QUOTED;
		fault = take_quoted(s);
	} else if (c != '\0' && strchr("{}()=,", c) != NULL) {
		s->token = TOKEN_MARK;
		s->at++;
	} else if (c == '+' && here(s, 1) == '=') {
		fault = refuse(s, s->line,
		    "+= is not used here; write the whole list once, with =");
	} else if (in_word(c)) {
		s->token = TOKEN_WORD;
		while (s->at < s->text->n && in_word(here(s, 0)))
			s->at++;
	} else {
		fault = refuse(s, s->line,
		    "a byte that cannot stand here; put the value between "
		    "single quotes");
	}
	s->n = s->at - s->start;
	return fault;
}

static bool is_mark(const struct scanner *s, char mark)
{
	return s->token == TOKEN_MARK && s->text->p[s->start] == mark;
}

static bool is_value(const struct scanner *s)
{
	return s->token == TOKEN_WORD || s->token == TOKEN_QUOTED;
}

static enum fault take_name(struct scanner *s, char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz_";
	const char *p = s->text->p + s->start;
	size_t i;

	if (s->token != TOKEN_WORD)
		return refuse(s, s->token_line,
		    "the name of a key or block is missing here; write key = "
		    "'value', without quotes around the key");
	for (i = 0; i < s->n; i++)
		if (strchr(legal, p[i]) == NULL ||
		    i == CONFIG_KEY_MAX_BYTES - 1)
			return refuse(s, s->token_line,
			    "no such key; mailtoken.conf(5) lists the keys");
	memcpy(name, p, s->n);
	name[s->n] = '\0';
	return FAULT_NONE;
}

static enum fault note_key(struct scanner *s, size_t block_at, const char *name,
    int line)
{
	struct config_block *block = &s->scan->blocks[block_at];
	const struct config_key *old = config_scan_key(block, name);
	struct config_key *keys;

	if (old != NULL) {
		why_set(s->why, 0,
		    "%s:%d: %s stands here a second time (first: %s:%d); keep "
		    "one of the two",
		    s->scan->files[s->file], line, name,
		    s->scan->files[old->file], old->line);
		return FAULT_CONFIG_ERROR;
	}
	if (block->n_keys == CONFIG_KEYS_MAX)
		return refuse(s, line,
		    "more keys than there are; mailtoken.conf(5) lists the "
		    "keys");
	keys = realloc(block->keys, (block->n_keys + 1) * sizeof(*keys));
	if (keys == NULL)
		return FAULT_NOMEM;
	block->keys = keys;
	keys += block->n_keys++;
	memcpy(keys->name, name, strlen(name) + 1);
	keys->file = s->file;
	keys->line = line;
	return FAULT_NONE;
}

static enum fault take_list(struct scanner *s)
{
	int line = s->token_line;
	enum fault fault = next(s);

	while (fault == FAULT_NONE && is_value(s)) {
		fault = next(s);
		if (fault == FAULT_NONE && is_mark(s, ','))
			fault = next(s);
		else
			break;
	}
	if (fault != FAULT_NONE)
		return fault;
	if (!is_mark(s, '}'))
		return refuse(s, line,
		    "the list that begins here is not right; write { 'one', "
		    "'two' }");
	return next(s);
}

/* assign, from "=" on */
static enum fault take_assign(struct scanner *s)
{
	enum fault fault = next(s);

	if (fault != FAULT_NONE)
		return fault;
	if (is_mark(s, '{'))
		return take_list(s);
	if (!is_value(s))
		return refuse(s, s->token_line,
		    "a value is missing after =; write key = 'value'");
	return next(s);
}

static enum fault note_block(struct scanner *s, const char *kind, int line)
{
	struct config_scan *scan = s->scan;
	struct config_block *blocks;

	if (scan->n_blocks > CONFIG_BLOCKS_MAX)
		return refuse(s, line,
		    "too many blocks; name accounts by '*@domain'");
	/* Doubled when full: a block a realloc would be slow for thousands. */
	if ((scan->n_blocks & (scan->n_blocks - 1)) == 0) {
		blocks = realloc(scan->blocks,
		    2 * scan->n_blocks * sizeof(*blocks));
		if (blocks == NULL)
			return FAULT_NOMEM;
		scan->blocks = blocks;
	}
	blocks = &scan->blocks[scan->n_blocks++];
	memset(blocks, 0, sizeof(*blocks));
	memcpy(blocks->kind, kind, strlen(kind) + 1);
	blocks->file = s->file;
	blocks->line = line;
	return FAULT_NONE;
}

static enum fault take_inner(struct scanner *s, size_t block)
{
	char name[CONFIG_KEY_MAX_BYTES];
	int line = s->token_line;
	enum fault fault;

	fault = take_name(s, name);
	if (fault == FAULT_NONE)
		fault = next(s);
	if (fault != FAULT_NONE)
		return fault;
	if (!is_mark(s, '='))
		return refuse(s, line,
		    "= is missing after this key (or a block before it is not "
		    "closed); write key = 'value'");
	fault = note_key(s, block, name, line);
	return fault != FAULT_NONE ? fault : take_assign(s);
}

/* block, from title on */
static enum fault take_block(struct scanner *s, const char *kind, int line)
{
	size_t block = s->scan->n_blocks;
	enum fault fault = note_block(s, kind, line);

	if (fault == FAULT_NONE)
		fault = next(s);
	if (fault == FAULT_NONE && !is_mark(s, '{'))
		fault = refuse(s, line,
		    "{ is missing after the title; write provider 'name' { ... "
		    "}");
	if (fault == FAULT_NONE)
		fault = next(s);
	while (fault == FAULT_NONE && !is_mark(s, '}')) {
		if (s->token == TOKEN_END)
			fault = refuse(s, line,
			    "the block that begins here is not closed; write "
			    "}");
		else
			fault = take_inner(s, block);
	}
	return fault != FAULT_NONE ? fault : next(s);
}

/* call, from "(" on */
static enum fault take_call(struct scanner *s)
{
	enum fault fault = next(s);
	bool good = fault == FAULT_NONE && is_value(s);

	if (good)
		fault = next(s);
	if (fault != FAULT_NONE)
		return fault;
	if (!good || !is_mark(s, ')'))
		return refuse(s, s->token_line,
		    "one file name belongs between ( and ); write "
		    "include('/etc/mailtoken/x.conf')");
	return next(s);
}

static enum fault take_item(struct scanner *s)
{
	char name[CONFIG_KEY_MAX_BYTES];
	int line = s->token_line;
	enum fault fault;

	if (is_mark(s, '}'))
		return refuse(s, line,
		    "} without a block that it could close; take it away");
	fault = take_name(s, name);
	if (fault == FAULT_NONE)
		fault = next(s);
	if (fault != FAULT_NONE)
		return fault;
	if (is_mark(s, '=')) {
		fault = note_key(s, 0, name, line);
		return fault != FAULT_NONE ? fault : take_assign(s);
	}
	if (is_mark(s, '('))
		return take_call(s);
	if (is_value(s))
		return take_block(s, name, line);
	return refuse(s, line,
	    "this is neither a key nor a block; write key = 'value' or "
	    "provider 'name' { ... }");
}

enum fault config_scan_text(struct config_scan *scan, unsigned file,
    struct buf *text, struct why *why)
{
	struct scanner s = { .scan = scan,
		.file = file,
		.text = text,
		.line = 1,
		.why = why };
	enum fault fault;

	fault = next(&s);
	while (fault == FAULT_NONE && s.token != TOKEN_END)
		fault = take_item(&s);
	return fault;
}
