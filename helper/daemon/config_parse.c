/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grammar of config_tree.h, a line at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/config_tree.h"
#include "wire/near.h"

/* The keywords by the kind of block, separated by blanks. */
static const char *const keys_of_one_value[] = {
	[CONFIG_TOP] = "keyring keyring_key user renew_idle password_as_token "
		       "log_level",
	[CONFIG_PROVIDER] =
	    "preset issuer authorization_endpoint token_endpoint "
	    "device_authorization_endpoint revocation_endpoint "
	    "registration_endpoint client_id client_secret_file "
	    "client_secret_expires certificate certificate_key "
	    "certificate_key_passphrase_file certificate_algorithm "
	    "assertion_file service_account_file tenant cloud flow "
	    "min_validity redirect_port redirect_uri ca_file ca_path proxy",
	[CONFIG_ACCOUNT] = "provider token_of",
};
static const char *const keys_of_lists[] = {
	[CONFIG_TOP] = "listen allow admin",
	[CONFIG_PROVIDER] = "scope protocols servers extra",
	[CONFIG_ACCOUNT] = "allow login servers",
};

/* What else may stand at the margin. */
#define NO_KEYS "include provider account"

/* "login SERVICE NAME" is a key for each service. */
static const char *const logins[] = { "login smtp", "login imap", "login pop" };

struct parser {
	struct config_tree *tree;
	unsigned file;
	size_t block; /* the open one; 0: none */
	int line;
	struct span rest; /* of the line, behind the words that were read */
	struct buf word;  /* the last one; with a NUL */
	bool quoted;	  /* and it stood in quotes */
	struct why *why;
};

static enum fault refuse(const struct parser *p, const char *what)
{
	why_set(p->why, 0, "%s:%d: %s", p->tree->files[p->file], p->line, what);
	return FAULT_CONFIG_ERROR;
}

static enum fault refuse_old(const struct parser *p)
{
	return refuse(p,
	    "this is not how it is written: write keyword value, without =, "
	    "braces, commas and single quotes, and indent what belongs to a "
	    "provider or account (mailtoken.conf(5), FORMAT)");
}

static char here(const struct parser *p)
{
	return p->rest.n > 0 ? p->rest.p[0] : '\n';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void take_byte(struct parser *p)
{
	buf_add(&p->word, (struct span){ p->rest.p, 1 });
	p->rest.p++;
	p->rest.n--;
}

static void skip_byte(struct parser *p)
{
	p->rest.p++;
	p->rest.n--;
}

static enum fault take_quoted(struct parser *p)
{
	skip_byte(p);
	while (here(p) != '"') {
		if (here(p) == '\\') {
			skip_byte(p);
			if (here(p) != '"' && here(p) != '\\')
				return refuse(p,
				    "in quotes a backslash stands before \" "
				    "or \\ only; write \\\\ for one");
		}
		if (here(p) == '\n')
			return refuse(p,
			    "a quote is opened here and not closed; close it "
			    "on the same line");
		take_byte(p);
	}
	skip_byte(p);
	if (here(p) != '\n' && !is_blank(here(p)))
		return refuse(p,
		    "something stands behind a closing quote; put quotes "
		    "around the whole word");
	return FAULT_NONE;
}

/* Whether it is of the grammar that stood here once: key = { 'one', 'two' } */
static bool is_old(const struct parser *p)
{
	const char *word = p->word.p;

	return !p->quoted &&
	    (word[0] == '\'' || strcmp(word, "=") == 0 ||
		strcmp(word, "{") == 0 || strcmp(word, "}") == 0 ||
		strncmp(word, "={", 2) == 0 || strncmp(word, "/*", 2) == 0 ||
		strncmp(word, "include(", 8) == 0);
}

/* found_out: false at the end of the line, or where a comment begins */
static enum fault next_word(struct parser *p, bool *found_out)
{
	enum fault fault = FAULT_NONE;

	while (is_blank(here(p)))
		skip_byte(p);
	buf_consume(&p->word, p->word.n);
	buf_add_lit(&p->word, ""); /* so that there is a NUL */
	p->quoted = here(p) == '"';
	*found_out = here(p) != '\n' && here(p) != '#';
	if (p->quoted)
		fault = take_quoted(p);
	else
		while (*found_out && here(p) != '\n' && !is_blank(here(p))) {
			if (here(p) == '"')
				return refuse(p,
				    "a quote stands inside a word; put quotes "
				    "around the whole word");
			take_byte(p);
		}
	if (fault == FAULT_NONE)
		fault = buf_fault(&p->word);
	if (fault == FAULT_NONE && *found_out && is_old(p))
		return refuse_old(p);
	return fault;
}

/* The word itself in a list of words; its p is NULL when it is not there. */
static struct span find_word(const char *words, const char *word)
{
	struct span found = { words, 0 };

	for (; found.p[0] != '\0'; found.p += found.p[0] == ' ') {
		found.n = strcspn(found.p, " ");
		if (span_is(found, word))
			return found;
		found.p += found.n;
	}
	return (struct span){ NULL, 0 };
}

static enum fault add_value(const struct parser *p, struct config_key *key)
{
	char **values;

	values = reallocarray(key->values, key->n + 1, sizeof(*values));
	if (values == NULL)
		return FAULT_NOMEM;
	key->values = values;
	values[key->n] = strdup(p->word.p);
	if (values[key->n] == NULL)
		return FAULT_NOMEM;
	key->n++;
	return FAULT_NONE;
}

/* What is left of the line. */
static enum fault take_values(struct parser *p, struct config_key *key)
{
	bool found = true;
	enum fault fault;

	do {
		fault = next_word(p, &found);
		if (fault == FAULT_NONE && found)
			fault = add_value(p, key);
	} while (fault == FAULT_NONE && found);
	return fault;
}

/* The name of the key is the whole "login SERVICE". */
static enum fault name_login(const struct parser *p, struct config_key *key)
{
	size_t i;

	if (key->n == 1)
		return FAULT_NONE;
	for (i = 0; key->n == 2 && i < 3; i++)
		if (strcmp(key->values[0], strchr(logins[i], ' ') + 1) == 0)
			key->name = span_of(logins[i]);
	if (key->name.n == strlen("login"))
		return refuse(p,
		    "login needs a name, or smtp, imap or pop and a name; "
		    "write login me@example.com");
	free(key->values[0]);
	key->values[0] = key->values[1];
	key->n = 1;
	return FAULT_NONE;
}

static enum fault check_values(const struct parser *p, struct config_key *key,
    bool is_list)
{
	if (span_is(key->name, "login"))
		return name_login(p, key);
	/* "allow" alone: nobody. */
	if (key->n == 1 ||
	    (is_list && (key->n > 1 || span_is(key->name, "allow"))))
		return FAULT_NONE;
	why_set(p->why, 0, "%s:%d: %.*s needs %s; %s", p->tree->files[p->file],
	    p->line, (int)key->name.n, key->name.p,
	    is_list ? "a value" : "one value",
	    key->n == 0 ? "write it behind the keyword" :
			  "put one with blanks between double quotes");
	return FAULT_CONFIG_ERROR;
}

static enum fault add_key(const struct parser *p, const struct config_key *key)
{
	struct config_block *block = &p->tree->blocks[p->block];
	struct config_key *keys;
	size_t i;

	for (i = 0; i < block->n_keys; i++) {
		if (block->keys[i].name.p != key->name.p)
			continue;
		why_set(p->why, 0,
		    "%s:%d: %.*s stands here a second time (first: %s:%d); "
		    "keep one of the two",
		    p->tree->files[p->file], p->line, (int)key->name.n,
		    key->name.p, p->tree->files[block->keys[i].file],
		    block->keys[i].line);
		return FAULT_CONFIG_ERROR;
	}
	keys = reallocarray(block->keys, block->n_keys + 1, sizeof(*keys));
	if (keys == NULL)
		return FAULT_NOMEM;
	block->keys = keys;
	keys[block->n_keys++] = *key;
	return FAULT_NONE;
}

static enum fault take_key(struct parser *p, struct span name, bool is_list)
{
	struct config_key key = { .name = name,
		.file = p->file,
		.line = p->line };
	enum fault fault = take_values(p, &key);

	if (fault == FAULT_NONE)
		fault = check_values(p, &key, is_list);
	if (fault == FAULT_NONE)
		fault = add_key(p, &key);
	if (fault != FAULT_NONE)
		config_key_drop(&key);
	return fault;
}

static enum fault open_block(struct parser *p, enum config_kind kind,
    const char *title)
{
	struct config_tree *tree = p->tree;
	struct config_block *blocks;

	if (tree->n_blocks > CONFIG_BLOCKS_MAX)
		return refuse(p, "too many blocks; name accounts by *@domain");
	/* Doubled when full: a block a realloc would be slow for thousands. */
	if ((tree->n_blocks & (tree->n_blocks - 1)) == 0) {
		blocks = reallocarray(tree->blocks, 2 * tree->n_blocks,
		    sizeof(*blocks));
		if (blocks == NULL)
			return FAULT_NOMEM;
		tree->blocks = blocks;
	}
	p->block = tree->n_blocks;
	tree->blocks[p->block] = (struct config_block){ .kind = kind,
		.title = strdup(title),
		.file = p->file,
		.line = p->line };
	if (tree->blocks[p->block].title == NULL)
		return FAULT_NOMEM;
	tree->n_blocks++;
	return FAULT_NONE;
}

static bool is_loaded(const struct config_tree *tree, const struct stat *st)
{
	struct stat old;
	unsigned i;

	for (i = 0; i < tree->n_files; i++)
		if (stat(tree->files[i], &old) == 0 &&
		    old.st_dev == st->st_dev && old.st_ino == st->st_ino)
			return true;
	return false;
}

static enum fault include(const struct parser *p, const char *path)
{
	struct config_tree *tree = p->tree;
	struct stat st;

	if (path[0] != '/')
		return refuse(p,
		    "include needs one whole path that begins with /");
	if (stat(path, &st) != 0)
		return refuse(p,
		    errno == ENOENT ? "the included file does not exist" :
				      "the included file cannot be read");
	if (!S_ISREG(st.st_mode))
		return refuse(p, "what is included is no plain file");
	if (is_loaded(tree, &st))
		return refuse(p,
		    "that file is included already; take this away");
	if (tree->n_files == CONFIG_FILES_MAX)
		return refuse(p,
		    "more than 16 files are included; put them together");
	tree->files[tree->n_files] = strdup(path);
	if (tree->files[tree->n_files] == NULL)
		return FAULT_NOMEM;
	tree->n_files++;
	return FAULT_NONE;
}

/* include, provider, account: one word behind the keyword */
static enum fault take_other(struct parser *p, struct span keyword)
{
	struct config_key key = { .name = keyword };
	enum fault fault = take_values(p, &key);

	if (fault == FAULT_NONE && key.n != 1)
		fault = refuse(p,
		    span_is(keyword, "include") ?
			"include needs one path; write include "
			"/etc/mailtoken/x.conf" :
			"a block needs a name and no more on its line; write "
			"provider NAME or account NAME, and its keywords on "
			"lines of their own, indented");
	if (fault == FAULT_NONE && span_is(keyword, "include"))
		fault = include(p, key.values[0]);
	else if (fault == FAULT_NONE)
		fault = open_block(p,
		    span_is(keyword, "provider") ? CONFIG_PROVIDER :
						   CONFIG_ACCOUNT,
		    key.values[0]);
	config_key_drop(&key);
	return fault;
}

static bool is_of(enum config_kind kind, const char *word)
{
	return find_word(keys_of_one_value[kind], word).p != NULL ||
	    find_word(keys_of_lists[kind], word).p != NULL;
}

static enum fault refuse_keyword(const struct parser *p, enum config_kind kind)
{
	const char *word = p->word.p;
	struct span near = near_word(span_of(word), keys_of_one_value[kind]);

	if (strchr(word, '=') != NULL || strcmp(word, "//") == 0)
		return refuse_old(p);
	if (kind != CONFIG_TOP && is_of(CONFIG_TOP, word))
		return refuse(p,
		    "this keyword is a general one; begin its line at the "
		    "margin");
	if (kind == CONFIG_TOP &&
	    (is_of(CONFIG_PROVIDER, word) || is_of(CONFIG_ACCOUNT, word)))
		return refuse(p,
		    "this keyword belongs to a provider or account; indent "
		    "its line below one");
	if (near.n == 0)
		near = near_word(span_of(word), keys_of_lists[kind]);
	if (near.n == 0 && kind == CONFIG_TOP)
		near = near_word(span_of(word), NO_KEYS);
	if (near.n > 0)
		why_set(p->why, 0,
		    "%s:%d: no such keyword '%.40s'; did you mean '%.*s'?",
		    p->tree->files[p->file], p->line, word, (int)near.n,
		    near.p);
	else
		why_set(p->why, 0,
		    "%s:%d: no such keyword '%.40s'; the keywords here are: "
		    "%s %s%s",
		    p->tree->files[p->file], p->line, word,
		    keys_of_one_value[kind], keys_of_lists[kind],
		    kind == CONFIG_TOP ? " " NO_KEYS : "");
	return FAULT_CONFIG_ERROR;
}

static enum fault take_line(struct parser *p, bool indented)
{
	enum config_kind kind;
	struct span text, list, other;
	bool found;
	enum fault fault = next_word(p, &found);

	if (fault != FAULT_NONE || !found)
		return fault;
	if (indented && p->block == 0)
		return refuse(p,
		    "this line is indented, and no provider or account stands "
		    "above it; begin it at the margin");
	if (!indented)
		p->block = 0;
	kind = p->tree->blocks[p->block].kind;
	text = find_word(keys_of_one_value[kind], p->word.p);
	list = find_word(keys_of_lists[kind], p->word.p);
	other = find_word(kind == CONFIG_TOP ? NO_KEYS : "", p->word.p);
	if (other.p != NULL)
		return take_other(p, other);
	if (text.p == NULL && list.p == NULL)
		return refuse_keyword(p, kind);
	return take_key(p, text.p != NULL ? text : list, list.p != NULL);
}

/* What is wrong inside of a block is that block's. */
static enum fault set_aside(const struct parser *p)
{
	char **trouble = &p->tree->blocks[p->block].trouble;

	if (*trouble == NULL)
		*trouble = strdup(p->why->text);
	return *trouble != NULL ? FAULT_NONE : FAULT_NOMEM;
}

enum fault config_parse(struct config_tree *tree, unsigned file,
    struct span text, struct why *why)
{
	struct parser p = { .tree = tree,
		.file = file,
		.word = BUF_INIT(CONFIG_FILE_MAX_BYTES),
		.why = why };
	enum fault fault = FAULT_NONE;
	bool indented;
	size_t n;

	/* Some editors begin a file with it. */
	if (text.n >= 3 && memcmp(text.p, "\357\273\277", 3) == 0)
		text = (struct span){ text.p + 3, text.n - 3 };
	while (fault == FAULT_NONE && text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);

		n = end != NULL ? (size_t)(end - text.p) : text.n;
		p.line++;
		p.rest = (struct span){ text.p, n };
		if (n > 0 && text.p[n - 1] == '\r')
			p.rest.n--;
		n += end != NULL;
		text = (struct span){ text.p + n, text.n - n };
		indented = is_blank(here(&p));
		fault = take_line(&p, indented);
		if (fault == FAULT_CONFIG_ERROR && indented && p.block > 0)
			fault = set_aside(&p);
	}
	buf_drop(&p.word);
	return fault;
}
