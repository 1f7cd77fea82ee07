/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grammar of config_impl.h, a line at a time.  Words stay where they were
 * read, with a NUL behind each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/config_impl.h"
#include "store/safefile.h"
#include "wire/near.h"

#define KEYWORDS_MAX_BYTES 1024

struct parser {
	struct config_reading *reading;
	struct config_line line; /* the one that is read */
	size_t n_words;		 /* of its file */
};

static enum fault refuse(const struct parser *p, const char *what)
{
	return config_bad(p->reading, &p->line, "%s", what);
}

static enum fault refuse_old(const struct parser *p)
{
	return refuse(p,
	    "this is not how it is written: write keyword value, without =, "
	    "braces, commas and single quotes, and indent what belongs to a "
	    "provider or account (mailtoken.conf(5), FORMAT)");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether it is of the grammar that stood here once: key = { 'one', 'two' } */
static bool is_old(const char *word)
{
	return word[0] == '\'' || strcmp(word, "=") == 0 ||
	    strcmp(word, "{") == 0 || strcmp(word, "}") == 0 ||
	    strncmp(word, "={", 2) == 0 || strncmp(word, "/*", 2) == 0 ||
	    strncmp(word, "include(", 8) == 0;
}

/* The bytes up to the closing quote, moved together; *rest is behind it. */
static enum fault unquote(const struct parser *p, char **rest)
{
	char *from = *rest + 1, *to = *rest;

	for (; *from != '"'; *to++ = *from++) {
		if (*from == '\\' && *++from != '"' && *from != '\\')
			return refuse(p,
			    "in quotes a backslash stands before \" or \\ "
			    "only; write \\\\ for one");
		if (*from == '\0')
			return refuse(p,
			    "a quote is opened here and not closed; close it "
			    "on the same line");
	}
	*rest = from + 1;
	if (**rest != '\0' && !is_blank(**rest))
		return refuse(p,
		    "something stands behind a closing quote; put quotes "
		    "around the whole word");
	*to = '\0';
	return FAULT_NONE;
}

/* The words of a line, up to a comment. */
static enum fault split(struct parser *p, char *text)
{
	struct config_line *line = &p->line;
	bool quoted, ends = false;
	char *word;

	line->values = p->reading->files[line->file].words + p->n_words;
	for (line->n = 0; !ends; line->n++) {
		word = text + strspn(text, " \t");
		if (*word == '\0' || *word == '#')
			break;
		quoted = *word == '"';
		text = word;
		if (quoted && unquote(p, &text) != FAULT_NONE)
			return FAULT_CONFIG_ERROR;
		if (!quoted)
			text += strcspn(text, " \t\"");
		if (*text == '"')
			return refuse(p,
			    "a quote stands inside a word; put quotes around "
			    "the whole word");
		ends = *text == '\0';
		*text++ = '\0';
		if (!quoted && is_old(word))
			return refuse_old(p);
		line->values[line->n] = word;
	}
	p->n_words += line->n;
	return FAULT_NONE;
}

static const struct config_key *find_key(const struct parser *p,
    enum config_kind kind, const char *word)
{
	const struct config_key *key = p->reading->keys[kind];

	while (key->word != NULL && strcmp(key->word, word) != 0)
		key++;
	return key->word != NULL ? key : NULL;
}

static enum fault refuse_keyword(struct parser *p, const char *word)
{
	enum config_kind kind = p->line.kind;
	const struct config_key *key = p->reading->keys[kind];
	char words[KEYWORDS_MAX_BYTES] = "";
	struct span near;
	size_t n = 0;

	if (strchr(word, '=') != NULL || strcmp(word, "//") == 0)
		return refuse_old(p);
	if (kind != CONFIG_TOP && find_key(p, CONFIG_TOP, word) != NULL) {
		p->line.head = 0; /* the block is not what lacks it */
		return refuse(p,
		    "this keyword is a general one; begin its line at the "
		    "margin");
	}
	if (kind == CONFIG_TOP &&
	    (find_key(p, CONFIG_PROVIDER, word) != NULL ||
		find_key(p, CONFIG_ACCOUNT, word) != NULL))
		return refuse(p,
		    "this keyword belongs to a provider or account; indent "
		    "its line below one");
	for (; key->word != NULL && n < sizeof(words); key++)
		n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s",
		    n > 0 ? " " : "", key->word);
	near = near_word(span_of(word), words);
	if (near.n > 0)
		return config_bad(p->reading, &p->line,
		    "no such keyword '%.40s'; did you mean '%.*s'?", word,
		    (int)near.n, near.p);
	return config_bad(p->reading, &p->line,
	    "no such keyword '%.40s'; the keywords here are: %s", word, words);
}

static enum fault check_values(const struct parser *p)
{
	const struct config_line *line = &p->line;
	enum config_shape shape = line->key->shape;
	bool many = shape == CONFIG_SOME || shape == CONFIG_ANY;

	if (line->n == 1 || shape == CONFIG_ANY || (many && line->n > 1))
		return FAULT_NONE;
	if (shape == CONFIG_INCLUDE)
		return refuse(p,
		    "include needs one path; write include "
		    "/etc/mailtoken/x.conf");
	if (shape == CONFIG_BLOCK)
		return refuse(p,
		    "a block needs a name and no more on its line; write "
		    "provider NAME or account NAME, and its keywords on lines "
		    "of their own, indented");
	if (shape != CONFIG_LOGIN)
		return config_bad(p->reading, line, "%s needs %s; %s",
		    line->key->word, many ? "a value" : "one value",
		    line->n == 0 ? "write it behind the keyword" :
				   "put one with blanks between double quotes");
	if (line->n == 2 &&
	    config_service(span_of(line->values[0])) < CONFIG_SERVICES)
		return FAULT_NONE;
	return refuse(p,
	    "login needs a name, or smtp, imap or pop and a name; write login "
	    "me@example.com");
}

static bool is_same_key(const struct config_line *a,
    const struct config_line *b)
{
	return a->key == b->key && a->head == b->head &&
	    (a->key->shape != CONFIG_LOGIN ||
		(a->n == b->n &&
		    (a->n == 1 || strcmp(a->values[0], b->values[0]) == 0)));
}

static enum fault add_line(const struct parser *p)
{
	struct config_reading *reading = p->reading;
	const struct config_line *line = &p->line;
	struct config_line *more;
	size_t i;

	for (i = line->head; i < reading->n_lines; i++)
		if (is_same_key(&reading->lines[i], line))
			return config_bad(reading, line,
			    "%s%s%s stands here a second time (first: %s:%d); "
			    "keep one of the two",
			    line->key->word, line->n == 2 ? " " : "",
			    line->n == 2 ? line->values[0] : "",
			    reading->files[reading->lines[i].file].path,
			    reading->lines[i].line);
	/* Doubled when full: a realloc a line would be slow for thousands. */
	if ((reading->n_lines & (reading->n_lines - 1)) == 0) {
		more = reallocarray(reading->lines, 2 * reading->n_lines,
		    sizeof(*more));
		if (more == NULL)
			return FAULT_NOMEM;
		reading->lines = more;
	}
	reading->lines[reading->n_lines++] = *line;
	return FAULT_NONE;
}

static enum fault open_block(struct parser *p)
{
	static const size_t most[] = { 0, 256, 10000 };
	struct config_line *line = &p->line;

	line->kind = strcmp(line->key->word, "provider") == 0 ?
	    CONFIG_PROVIDER :
	    CONFIG_ACCOUNT;
	line->head = p->reading->n_lines;
	if (p->reading->n_blocks[line->kind]++ == most[line->kind])
		return config_bad(p->reading, line,
		    "too many blocks: more than %zu of this kind; %s",
		    most[line->kind],
		    line->kind == CONFIG_PROVIDER ?
			"take some away" :
			"name accounts by *@domain");
	return add_line(p);
}

static enum fault include(const struct parser *p)
{
	struct config_reading *reading = p->reading;
	const char *path = p->line.values[0];
	struct stat st, old;
	struct why why;
	unsigned i;

	if (path[0] != '/')
		return refuse(p,
		    "include needs one whole path that begins with /");
	if (stat(path, &st) != 0) {
		safefile_say_shut(path, errno, &why);
		return config_pass(reading, &p->line, FAULT_CONFIG_ERROR, &why);
	}
	if (!S_ISREG(st.st_mode))
		return refuse(p, "what is included is no plain file");
	for (i = 0; i < reading->n_files; i++)
		if (stat(reading->files[i].path, &old) == 0 &&
		    old.st_dev == st.st_dev && old.st_ino == st.st_ino)
			return refuse(p,
			    "that file is included already; take this away");
	if (i == CONFIG_FILES_MAX)
		return refuse(p,
		    "more than 16 files are included; put them together");
	reading->files[i].named = p->line;
	if (string_set(&reading->files[i].path, span_of(path)))
		return FAULT_NOMEM;
	reading->n_files++;
	return FAULT_NONE;
}

static enum fault take_line(struct parser *p, char *text)
{
	struct config_line *line = &p->line;
	bool indented = is_blank(*text);
	enum fault fault = split(p, text);
	const char *word;

	if (fault != FAULT_NONE || line->n == 0)
		return fault;
	if (indented && line->head == 0)
		return refuse(p,
		    "this line is indented, and no provider or account stands "
		    "above it; begin it at the margin");
	if (!indented)
		line->head = 0;
	line->kind = p->reading->lines[line->head].kind;
	word = *line->values++;
	line->n--;
	line->key = find_key(p, line->kind, word);
	if (line->key == NULL)
		return refuse_keyword(p, word);
	fault = check_values(p);
	if (fault != FAULT_NONE)
		return fault;
	if (line->key->shape == CONFIG_INCLUDE)
		return include(p);
	return line->key->shape == CONFIG_BLOCK ? open_block(p) : add_line(p);
}

static enum fault read_file(struct config_reading *reading, unsigned file)
{
	struct buf *text = &reading->files[file].text;
	struct parser p = { .reading = reading, .line.file = file };
	struct config_line *head;
	enum fault fault;
	char *line, *next;
	bool indented;
	size_t n;

	buf_init(text, CONFIG_FILE_MAX_BYTES);
	fault = config_load(reading->files[file].path, reading->source->owner,
	    text, reading->why);
	/* An included one was there a moment ago. */
	if (fault == FAULT_NOT_FOUND && file > 0)
		fault = FAULT_CONFIG_ERROR;
	if (fault != FAULT_NONE || text->n == 0)
		return fault;
	reading->files[file].words = calloc(text->n / 2 + 1, sizeof(char *));
	if (reading->files[file].words == NULL)
		return FAULT_NOMEM;
	/* Some editors begin a file with it. */
	next = text->p + (strncmp(text->p, "\357\273\277", 3) == 0 ? 3 : 0);
	while (fault == FAULT_NONE && next != NULL) {
		line = next;
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		n = strlen(line);
		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		p.line.line++;
		indented = is_blank(*line);
		fault = take_line(&p, line);
		head = &reading->lines[p.line.head];
		/* What is wrong inside of a block is that block's. */
		if (fault == FAULT_CONFIG_ERROR && indented && head->line > 0)
			fault = head->trouble != NULL ?
			    FAULT_NONE :
			    string_set(&head->trouble,
				span_of(reading->why->text));
	}
	return fault;
}

enum fault config_lines(struct config_reading *reading)
{
	enum fault fault;
	unsigned i;

	reading->lines = calloc(1, sizeof(*reading->lines));
	if (reading->lines == NULL)
		return FAULT_NOMEM;
	reading->n_lines = 1;
	fault = string_set(&reading->files[0].path,
	    span_of(reading->source->path));
	reading->n_files = 1;
	for (i = 0; fault == FAULT_NONE && i < reading->n_files; i++) {
		fault = config_name_file(reading, &reading->files[i].named,
		    reading->files[i].path);
		if (fault == FAULT_NONE)
			fault = read_file(reading, i);
	}
	return fault;
}

void config_lines_drop(struct config_reading *reading)
{
	size_t i;

	for (i = 0; i < reading->n_lines; i++)
		free(reading->lines[i].trouble);
	for (i = 0; i < reading->n_files; i++) {
		free(reading->files[i].path);
		free(reading->files[i].words);
		buf_drop(&reading->files[i].text);
	}
	free(reading->lines);
}
