/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_tree - a configuration as it is written: blocks, keys, values
 *
 *	file  = *line
 *	line  = [blanks] keyword *(blanks word) [blanks] ["#" comment] LF
 *	word  = 1*(any byte but blank, quote) / DQUOTE *(any / "\" any) DQUOTE
 *
 * A line at the margin is a general key or begins a block (provider NAME,
 * account NAME); an indented one belongs to the block above it.
 *
 * Knows which names may stand where, refuses what stands twice, and keeps the
 * line of everything; what the values mean is for the others to say.  The
 * blocks and keys of included files stand in the same tree, so the order of
 * files does not matter.  Included by config*.c only.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_TREE_H
#define MAILTOKEN_DAEMON_CONFIG_TREE_H

#include <sys/types.h>

#include "wire/buf.h"

#define CONFIG_FILE_MAX_BYTES 1048576
#define CONFIG_FILES_MAX      16
#define CONFIG_BLOCKS_MAX     10000

enum config_kind {
	CONFIG_TOP,
	CONFIG_PROVIDER,
	CONFIG_ACCOUNT
};

struct config_key {
	struct span name; /* in a constant */
	unsigned file;	  /* index into files */
	int line;	  /* 0: it is not there */
	char **values;
	size_t n;
};

struct config_block {
	enum config_kind kind;
	char *title; /* NULL: the top level */
	unsigned file;
	int line;
	char *trouble; /* what is wrong with the first bad line in it */
	struct config_key *keys;
	size_t n_keys;
};

struct config_source;

struct config_tree {
	char *files[CONFIG_FILES_MAX];
	unsigned n_files;
	struct config_block *blocks; /* [0]: the top level of all files */
	size_t n_blocks;
};

/*
 * config_tree_read - path and what it includes, noted in seen; the caller
 * drops the tree, which after a fault holds what was understood before it
 *
 * FAULT_NOT_FOUND when path itself is not there; FAULT_CONFIG_ERROR with
 * "FILE:LINE: what; cure"; FAULT_NOMEM.
 */
enum fault config_tree_read(const struct config_source *source,
    struct config_tree *tree, struct why *why) MUST_CHECK;
void config_tree_drop(struct config_tree *tree);
void config_key_drop(struct config_key *key);

/* config_tree_key - a key of a block; one with line 0 where it is not. */
const struct config_key *config_tree_key(const struct config_block *block,
    const char *name);

/*
 * config_load - a file whole; out is empty and of limit CONFIG_FILE_MAX_BYTES
 *
 * owner  in: whose it may be, beside root's
 *
 * FAULT_NOT_FOUND; FAULT_CONFIG_ERROR for what is no plain file, is too
 * large, is another's, can be written by group or others or cannot be read;
 * FAULT_NOMEM.
 */
enum fault config_load(const char *path, uid_t owner, struct buf *out,
    struct why *why) MUST_CHECK;

/* config_is_shut_out - whether it is the sandbox, which was closed before the
 * file was named, that does not let it be opened. */
bool config_is_shut_out(const char *path);

/* config_parse - the text of files[file]; what it includes is only added to
 * files. */
enum fault config_parse(struct config_tree *tree, unsigned file,
    struct span text, struct why *why) MUST_CHECK;

#endif
