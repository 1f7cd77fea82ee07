/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of a configuration, read one after the other.
 */
#include "daemon/config_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "store/safefile.h"
#include "wire/ids.h"

bool config_is_shut_out(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool refused = fd < 0 && errno == EACCES;

	if (fd >= 0)
		(void)close(fd);
	/* access(2) asks modes and no sandbox. */
	return refused && access(path, R_OK) == 0;
}

static bool is_others(const struct stat *st, uid_t owner)
{
	return (st->st_uid != 0 && st->st_uid != owner) ||
	    (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Who may write it decides who gets tokens, and which files root looks at. */
static enum fault check_file(int fd, const char *path, uid_t owner,
    struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		why_set(why, 0, "%s: is no plain file; name one that is", path);
	else if (is_others(&st, owner) && safefile_is_modeless(fd))
		safefile_say_modeless(path, why);
	else if (st.st_uid != 0 && st.st_uid != owner)
		why_set(why, 0, "%s: belongs to %s: chown root %s", path,
		    ids_user(st.st_uid).text, path);
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		why_set(why, 0,
		    "%s: group or others may write to it: chmod go-w %s", path,
		    path);
	else
		return FAULT_NONE;
	return FAULT_CONFIG_ERROR;
}

static enum fault load_checked(int fd, const char *path, struct buf *out,
    struct why *why)
{
	ssize_t n = 1;
	size_t room;
	char *p;

	while (n > 0 && out->n < out->max_bytes) {
		p = buf_space(out, 4096, &room);
		if (p == NULL)
			return buf_fault(out);
		n = read(fd, p, room);
		if (n > 0)
			buf_used(out, (size_t)n);
	}
	if (n < 0) {
		why_set(why, errno, "%s: cannot be read", path);
		return FAULT_CONFIG_ERROR;
	}
	if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL) {
		why_set(why, 0,
		    "%s: has a NUL byte; write it as text in UTF-8, a "
		    "certificate in PEM",
		    path);
		return FAULT_CONFIG_ERROR;
	}
	if (n > 0) {
		why_set(why, 0,
		    "%s: is larger than %d bytes; a configuration is split "
		    "with include FILE",
		    path, CONFIG_FILE_MAX_BYTES - 1);
		return FAULT_CONFIG_ERROR;
	}
	return FAULT_NONE;
}

enum fault config_load(const char *path, uid_t owner, struct buf *out,
    struct why *why)
{
	enum fault fault;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT) {
		why_set(why, 0,
		    "%s: there is no such file; make it as mailtoken.conf(5) "
		    "says",
		    path);
		return FAULT_NOT_FOUND;
	}
	if (fd < 0 && config_is_shut_out(path)) {
		why_set(why, 0,
		    "%s: is in a folder that was not named when the helper was "
		    "started; restart it",
		    path);
		return FAULT_CONFIG_ERROR;
	}
	if (fd < 0) {
		why_set(why, errno,
		    "%s: cannot be read; make it readable for %s (chmod 0644)",
		    path, ids_user(geteuid()).text);
		return FAULT_CONFIG_ERROR;
	}
	fault = check_file(fd, path, owner, why);
	if (fault == FAULT_NONE)
		fault = load_checked(fd, path, out, why);
	(void)close(fd);
	return fault;
}

static enum fault read_file(struct config_tree *tree, unsigned file,
    uid_t owner, struct why *why)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	enum fault fault;

	fault = config_load(tree->files[file], owner, &text, why);
	/* An included one was there a moment ago. */
	if (fault == FAULT_NOT_FOUND && file > 0)
		fault = FAULT_CONFIG_ERROR;
	if (fault == FAULT_NONE)
		fault = config_parse(tree, file, buf_span(&text), why);
	buf_drop(&text);
	return fault;
}

enum fault config_tree_read(const struct config_source *source,
    struct config_tree *tree, struct why *why)
{
	enum fault fault = FAULT_NONE;
	unsigned i;

	memset(tree, 0, sizeof(*tree));
	tree->blocks = calloc(1, sizeof(*tree->blocks));
	tree->files[0] = strdup(source->path);
	if (tree->blocks == NULL || tree->files[0] == NULL)
		return FAULT_NOMEM;
	tree->n_blocks = tree->n_files = 1;
	for (i = 0; i < tree->n_files && fault == FAULT_NONE; i++) {
		fault = config_files_add(source->files, tree->files[i]);
		if (fault == FAULT_NONE)
			fault = read_file(tree, i, source->owner, why);
	}
	return fault;
}

void config_key_drop(struct config_key *key)
{
	size_t i;

	for (i = 0; i < key->n; i++)
		free(key->values[i]);
	free(key->values);
	key->values = NULL;
	key->n = 0;
}

void config_tree_drop(struct config_tree *tree)
{
	size_t i, j;

	for (i = 0; i < tree->n_blocks; i++) {
		for (j = 0; j < tree->blocks[i].n_keys; j++)
			config_key_drop(&tree->blocks[i].keys[j]);
		free(tree->blocks[i].keys);
		free(tree->blocks[i].trouble);
		free(tree->blocks[i].title);
	}
	free(tree->blocks);
	for (i = 0; i < CONFIG_FILES_MAX; i++)
		free(tree->files[i]);
	memset(tree, 0, sizeof(*tree));
}

const struct config_key *config_tree_key(const struct config_block *block,
    const char *name)
{
	static const struct config_key none;
	size_t i;

	for (i = 0; i < block->n_keys; i++)
		if (span_is(block->keys[i].name, name))
			return &block->keys[i];
	return &none;
}
