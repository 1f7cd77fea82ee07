/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Directories and files for tests.
 */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int is_true, const char *what)
{
	if (is_true)
		return;
	perror(what);
	abort();
}

void scratch_new(char *out)
{
	const char *base = getenv("TMPDIR");

	scratch_path(base != NULL ? base : "/tmp", "mailtoken-XXXXXX", out);
	must(mkdtemp(out) != NULL, out);
}

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* A directory that cannot be read must be opened before it is walked. */
static int open_up(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_D || type == FTW_DNR)
		(void)chmod(path, (st->st_mode & 07777) | 0700);
	return 0;
}

void scratch_drop(const char *path)
{
	(void)nftw(path, open_up, 8, FTW_PHYS | FTW_MOUNT);
	must(nftw(path, remove_one, 8, FTW_PHYS | FTW_DEPTH | FTW_MOUNT) == 0,
	    path);
}

void scratch_path(const char *dir, const char *leaf, char *out)
{
	int n = snprintf(out, SCRATCH_BYTES, "%s/%s", dir, leaf);

	must(n > 0 && n < SCRATCH_BYTES, leaf);
}

void scratch_write(const char *path, const char *bytes, size_t n, mode_t mode)
{
	int fd;

	/* The one of before may be closed to its owner too. */
	(void)chmod(path, 0600);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0, path);
	must(write(fd, bytes, n) == (ssize_t)n, path);
	must(fchmod(fd, mode) == 0, path);
	must(close(fd) == 0, path);
}

int scratch_count(const char *dir, const char *prefix)
{
	const struct dirent *item;
	DIR *list = opendir(dir);
	int n = 0;

	must(list != NULL, dir);
	while ((item = readdir(list)) != NULL)
		if (strncmp(item->d_name, prefix, strlen(prefix)) == 0)
			n++;
	(void)closedir(list);
	return n;
}
