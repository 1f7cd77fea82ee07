/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading a configuration file whole, and the table of what stands where.
 */
#include "daemon/config_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum fault config_scan_init(struct config_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
	scan->blocks = calloc(1, sizeof(*scan->blocks));
	if (scan->blocks == NULL)
		return FAULT_NOMEM;
	scan->n_blocks = 1;
	return FAULT_NONE;
}

void config_scan_drop(struct config_scan *scan)
{
	size_t i;

	for (i = 0; i < scan->n_blocks; i++)
		free(scan->blocks[i].keys);
	free(scan->blocks);
	for (i = 0; i < scan->n_files; i++)
		free(scan->files[i]);
	memset(scan, 0, sizeof(*scan));
}

static enum fault load_checked(int fd, const char *path, struct buf *out,
    struct why *why)
{
	struct stat st;
	ssize_t n = 1;
	size_t room;
	char *p;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		why_set(why, 0,
		    "%s: is no plain file; put the configuration there", path);
		return FAULT_CONFIG_ERROR;
	}
	if ((st.st_mode & S_IWOTH) != 0) {
		why_set(why, 0, "%s: everybody may write to it; chmod o-w %s",
		    path, path);
		return FAULT_CONFIG_ERROR;
	}
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
		why_set(why, 0, "%s: has a NUL byte; write it as text in UTF-8",
		    path);
		return FAULT_CONFIG_ERROR;
	}
	if (n > 0) {
		why_set(why, 0,
		    "%s: is larger than %d bytes; split it with "
		    "include('FILE')",
		    path, CONFIG_FILE_MAX_BYTES - 1);
		return FAULT_CONFIG_ERROR;
	}
	return FAULT_NONE;
}

enum fault config_scan_load(const char *path, struct buf *out, struct why *why)
{
	enum fault fault;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT) {
		why_set(why, 0,
		    "%s: there is no such file; write it as mailtoken.conf(5) "
		    "shows",
		    path);
		return FAULT_NOT_FOUND;
	}
	if (fd < 0) {
		why_set(why, errno,
		    "%s: cannot be read; make it readable for uid %lu (chmod "
		    "0644)",
		    path, (unsigned long)geteuid());
		return FAULT_CONFIG_ERROR;
	}
	fault = load_checked(fd, path, out, why);
	(void)close(fd);
	return fault;
}

const struct config_key *config_scan_key(const struct config_block *block,
    const char *name)
{
	size_t i;

	for (i = 0; i < block->n_keys; i++)
		if (strcmp(block->keys[i].name, name) == 0)
			return &block->keys[i];
	return NULL;
}
