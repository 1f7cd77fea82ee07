/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grammar of config_tree.h, one word ahead.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/config_lex.h"
#include "daemon/config_tree.h"
#include "wire/near.h"

/* The keys by the kind of block, separated by blanks. */
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
	[CONFIG_ACCOUNT] = "provider login login_smtp login_imap login_pop "
			   "token_of",
};
static const char *const keys_of_lists[] = {
	[CONFIG_TOP] = "listen allow admin",
	[CONFIG_PROVIDER] = "scope protocols servers extra",
	[CONFIG_ACCOUNT] = "allow servers",
};

/* What else may stand at the top level. */
#define NO_KEYS "include provider account"

struct parser {
	struct config_lex lex;
	struct config_tree *tree;
	unsigned file;
	size_t block; /* the open one; 0: the top level */
};

static enum fault next(struct parser *p)
{
	return config_lex_next(&p->lex);
}

static enum fault refuse(const struct parser *p, int line, const char *what)
{
	return config_lex_refuse(&p->lex, line, what);
}

static bool is_mark(const struct parser *p, char mark)
{
	return p->lex.token == LEX_MARK && p->lex.word.p[0] == mark;
}

static bool is_value(const struct parser *p)
{
	return p->lex.token == LEX_WORD || p->lex.token == LEX_QUOTED;
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

static enum fault add_value(struct parser *p, struct config_key *key)
{
	char **values = realloc(key->values, (key->n + 1) * sizeof(*values));

	if (values == NULL)
		return FAULT_NOMEM;
	key->values = values;
	values[key->n] = strdup(p->lex.word.p);
	if (values[key->n] == NULL)
		return FAULT_NOMEM;
	key->n++;
	return next(p);
}

static enum fault take_list(struct parser *p, struct config_key *key)
{
	int line = p->lex.token_line;
	enum fault fault = next(p);

	while (fault == FAULT_NONE && is_value(p)) {
		fault = add_value(p, key);
		if (fault != FAULT_NONE || !is_mark(p, ','))
			break;
		fault = next(p);
	}
	if (fault != FAULT_NONE)
		return fault;
	if (!is_mark(p, '}'))
		return refuse(p, line,
		    "the list that begins here is not right; write { 'one', "
		    "'two' }");
	return next(p);
}

static enum fault add_key(struct parser *p, struct span name, int line)
{
	struct config_block *block = &p->tree->blocks[p->block];
	struct config_key *keys;
	size_t i;

	for (i = 0; i < block->n_keys; i++) {
		if (block->keys[i].name.p != name.p)
			continue;
		why_set(p->lex.why, 0,
		    "%s:%d: %.*s stands here a second time (first: %s:%d); "
		    "keep one of the two",
		    p->lex.file, line, (int)name.n, name.p,
		    p->tree->files[block->keys[i].file], block->keys[i].line);
		return FAULT_CONFIG_ERROR;
	}
	keys = realloc(block->keys, (block->n_keys + 1) * sizeof(*keys));
	if (keys == NULL)
		return FAULT_NOMEM;
	block->keys = keys;
	keys[block->n_keys++] = (struct config_key){ name, p->file, line, NULL,
		0 };
	return FAULT_NONE;
}

/* key, from "=" on */
static enum fault take_key(struct parser *p, struct span name, bool is_list,
    int line)
{
	struct config_block *block = &p->tree->blocks[p->block];
	enum fault fault;

	if (!is_mark(p, '='))
		return refuse(p, line,
		    "= is missing after this key; write key = 'value'");
	fault = add_key(p, name, line);
	if (fault == FAULT_NONE)
		fault = next(p);
	if (fault != FAULT_NONE)
		return fault;
	if (is_list && is_mark(p, '{'))
		return take_list(p, &block->keys[block->n_keys - 1]);
	if (!is_value(p))
		return refuse(p, p->lex.token_line,
		    "one value is missing after =; write key = 'value'");
	return add_value(p, &block->keys[block->n_keys - 1]);
}

/* block, from title to "{" */
static enum fault open_block(struct parser *p, enum config_kind kind, int line)
{
	struct config_tree *tree = p->tree;
	struct config_block *blocks;
	enum fault fault;

	if (!is_value(p))
		return refuse(p, line,
		    "a block needs a name; write provider 'name' { ... }");
	if (tree->n_blocks > CONFIG_BLOCKS_MAX)
		return refuse(p, line,
		    "too many blocks; name accounts by '*@domain'");
	/* Doubled when full: a block a realloc would be slow for thousands. */
	if ((tree->n_blocks & (tree->n_blocks - 1)) == 0) {
		blocks = realloc(tree->blocks,
		    2 * tree->n_blocks * sizeof(*blocks));
		if (blocks == NULL)
			return FAULT_NOMEM;
		tree->blocks = blocks;
	}
	p->block = tree->n_blocks;
	tree->blocks[p->block] = (struct config_block){ .kind = kind,
		.title = strdup(p->lex.word.p),
		.file = p->file,
		.line = line };
	if (tree->blocks[p->block].title == NULL)
		return FAULT_NOMEM;
	tree->n_blocks++;
	fault = next(p);
	if (fault == FAULT_NONE && !is_mark(p, '{'))
		return refuse(p, line,
		    "{ is missing after the name; write provider 'name' { ... "
		    "}");
	return fault != FAULT_NONE ? fault : next(p);
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

/* Takes the path over when it succeeds. */
static enum fault include(struct parser *p, char *path, int line)
{
	struct config_tree *tree = p->tree;
	struct stat st;

	if (path[0] != '/')
		return refuse(p, line,
		    "include needs one whole path that begins with '/'");
	if (stat(path, &st) != 0)
		return refuse(p, line,
		    errno == ENOENT ? "the included file does not exist" :
				      "the included file cannot be read");
	if (is_loaded(tree, &st))
		return refuse(p, line,
		    "that file is included already; take this away");
	if (tree->n_files == CONFIG_FILES_MAX)
		return refuse(p, line,
		    "more than 16 files are included; put them together");
	tree->files[tree->n_files++] = path;
	return FAULT_NONE;
}

/* call, from "(" on */
static enum fault take_call(struct parser *p, int line)
{
	bool good = is_mark(p, '(');
	enum fault fault = good ? next(p) : FAULT_NONE;
	char *path = NULL;

	if (fault == FAULT_NONE && good && is_value(p)) {
		path = strdup(p->lex.word.p);
		fault = path != NULL ? next(p) : FAULT_NOMEM;
	}
	if (fault == FAULT_NONE && (path == NULL || !is_mark(p, ')')))
		fault = refuse(p, line,
		    "one file name belongs between ( and ); write "
		    "include('/etc/mailtoken/x.conf')");
	if (fault == FAULT_NONE)
		fault = next(p);
	if (fault == FAULT_NONE)
		fault = include(p, path, line);
	if (fault != FAULT_NONE)
		free(path);
	return fault;
}

static enum fault refuse_name(const struct parser *p)
{
	enum config_kind kind = p->tree->blocks[p->block].kind;
	struct span near = near_word(span_of(p->lex.word.p),
	    keys_of_one_value[kind]);

	if (near.n == 0)
		near = near_word(span_of(p->lex.word.p), keys_of_lists[kind]);
	if (near.n > 0) {
		why_set(p->lex.why, 0,
		    "%s:%d: no such key '%.40s'; did you mean '%.*s'?",
		    p->lex.file, p->lex.token_line, p->lex.word.p, (int)near.n,
		    near.p);
		return FAULT_CONFIG_ERROR;
	}
	why_set(p->lex.why, 0,
	    "%s:%d: no such key '%.40s'%s; the keys here are: %s %s%s",
	    p->lex.file, p->lex.token_line, p->lex.word.p,
	    kind == CONFIG_TOP ? "" : ", or } is missing before it",
	    keys_of_one_value[kind], keys_of_lists[kind],
	    kind == CONFIG_TOP ? " " NO_KEYS : "");
	return FAULT_CONFIG_ERROR;
}

static enum fault take_item(struct parser *p)
{
	enum config_kind kind = p->tree->blocks[p->block].kind;
	struct span text, list, other;
	int line = p->lex.token_line;
	enum fault fault;

	if (p->lex.token != LEX_WORD)
		return refuse(p, line,
		    "the name of a key or block is missing here; write key = "
		    "'value' or key = { 'one', 'two' }, without quotes around "
		    "the key");
	text = find_word(keys_of_one_value[kind], p->lex.word.p);
	list = find_word(keys_of_lists[kind], p->lex.word.p);
	other = find_word(kind == CONFIG_TOP ? NO_KEYS : "", p->lex.word.p);
	if (text.p == NULL && list.p == NULL && other.p == NULL)
		return refuse_name(p);
	fault = next(p);
	if (fault != FAULT_NONE)
		return fault;
	if (other.p == NULL)
		return take_key(p, text.p != NULL ? text : list, list.p != NULL,
		    line);
	if (span_is(other, "include"))
		return take_call(p, line);
	return open_block(p,
	    span_is(other, "provider") ? CONFIG_PROVIDER : CONFIG_ACCOUNT,
	    line);
}

static enum fault close_block(struct parser *p)
{
	if (p->block == 0)
		return refuse(p, p->lex.token_line,
		    "} without a block that it could close; take it away");
	p->block = 0;
	return next(p);
}

enum fault config_parse(struct config_tree *tree, unsigned file,
    struct span text, struct why *why)
{
	struct parser p = { .tree = tree,
		.file = file,
		.lex = { .file = tree->files[file],
		    .text = text,
		    .line = 1,
		    .word = BUF_INIT(CONFIG_FILE_MAX_BYTES),
		    .why = why } };
	enum fault fault;

	/* Some editors begin a file with it. */
	if (text.n >= 3 && memcmp(text.p, "\357\273\277", 3) == 0)
		p.lex.at = 3;
	fault = next(&p);
	while (fault == FAULT_NONE && p.lex.token != LEX_END)
		fault = is_mark(&p, '}') ? close_block(&p) : take_item(&p);
	if (fault == FAULT_NONE && p.block != 0)
		fault = refuse(&p, tree->blocks[p.block].line,
		    "the block that begins here is not closed; write }");
	buf_drop(&p.lex.word);
	return fault;
}
