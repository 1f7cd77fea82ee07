/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Opening the directory of a keyring, once: owner, mode and type are those of
 * the very descriptor that is used from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/keyring_impl.h"
#include "store/safefile.h"
#include "wire/ids.h"

#define PATH_MAX_BYTES 1024 /* with the NUL */
#define SHOWN_BYTES    400

/*
 * In somebody else's directory a name is not ours for longer than he likes;
 * root's, as a volume of a container is, will do where not everybody writes.
 */
static bool may_be_made_below(const struct stat *st)
{
	return st->st_uid == geteuid() ||
	    (st->st_uid == 0 && (st->st_mode & S_IWOTH) == 0);
}

struct keydir {
	const char *path;
	char shown[SHOWN_BYTES];
	struct why *why;
};

static enum fault check(const struct keydir *dir, const struct stat *st)
{
	struct why *why = dir->why;

	if (S_ISLNK(st->st_mode))
		why_set(why, 0,
		    "the keyring is a symbolic link, name its target or: rm %s",
		    dir->shown);
	else if (!S_ISDIR(st->st_mode))
		why_set(why, 0, "the keyring is not a directory: rm %s",
		    dir->shown);
	else if (st->st_uid != geteuid() && may_be_made_below(st) &&
	    access(dir->path, W_OK) == 0)
		why_set(why, 0,
		    "the keyring belongs to %s: name %s/keyring instead, "
		    "which the helper makes",
		    ids_user(st->st_uid).text, dir->shown);
	else if (st->st_uid != geteuid())
		why_set(why, 0, "the keyring belongs to %s: chown %s %s",
		    ids_user(st->st_uid).text, ids_owner(geteuid()).text,
		    dir->shown);
	else if ((st->st_mode & 077) != 0)
		why_set(why, 0, "the keyring has mode %04o: chmod 700 %s%s",
		    (unsigned int)(st->st_mode & 07777), dir->shown,
		    (st->st_mode & S_ISGID) != 0 ?
			" && chmod 600 its files (in Kubernetes with "
			"fsGroupChangePolicy: OnRootMismatch, or each start "
			"undoes that)" :
			"");
	else
		return FAULT_NONE;
	return FAULT_UNSAFE;
}

static enum fault cannot(const struct keydir *dir, int err)
{
	why_set(dir->why, err, "%s", dir->shown);
	return FAULT_IO;
}

/* A new directory lasts when its parent has been written; 0 or an errno. */
static int make_below(int parent, const char *name)
{
	struct stat st;

	if (fstat(parent, &st) != 0)
		return errno;
	if (!may_be_made_below(&st))
		return EACCES;
	if (mkdirat(parent, name, 0700) != 0)
		return errno == EEXIST ? 0 : errno;
	return fsync(parent) == 0 || errno == EINVAL ? 0 : errno;
}

/* With what is missing above it; path is changed on the way and whole again
 * behind it.  0 or an errno. */
static int make(char *path)
{
	char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	const char *parent = slash != NULL ? path : ".";
	int fd, err;

	while (slash > path && slash[-1] == '/')
		slash--;
	if (slash == path)
		parent = "/";
	else if (slash != NULL)
		*slash = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? errno : 0;
	if (err == ENOENT && parent == path && (err = make(path)) == 0) {
		fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 ? errno : 0;
	}
	if (fd >= 0) {
		err = make_below(fd, name);
		(void)close(fd);
	}
	if (slash != NULL)
		*slash = '/';
	return err;
}

static enum fault make_missing(const struct keydir *dir, char *path)
{
	int err = make(path);

	if (err == 0)
		return FAULT_NONE;
	if (err != EACCES)
		return cannot(dir, err);
	why_set(dir->why, 0,
	    "the keyring is missing and its parent is not ours: name one that "
	    "%s may write to, or, as root: install -d -m 700 -o %s %s",
	    ids_user(geteuid()).text, ids_owner(geteuid()).text, dir->shown);
	return FAULT_UNSAFE;
}

enum fault keydir_open(const char *path, int *fd_out, struct why *why)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct keydir dir = { .path = path, .why = why };
	char parts[PATH_MAX_BYTES];
	size_t n = strlen(path);
	enum fault fault;
	struct stat st;
	int fd, err;

	attr_plain(span_of(path), dir.shown, sizeof(dir.shown));
	if (n == 0 || n >= sizeof(parts))
		return cannot(&dir, n == 0 ? ENOENT : ENAMETOOLONG);
	memcpy(parts, path, n + 1);
	while (n > 1 && parts[n - 1] == '/')
		parts[--n] = '\0';
	fd = open(parts, flags);
	if (fd < 0 && errno == ENOENT) {
		fault = make_missing(&dir, parts);
		if (fault != FAULT_NONE)
			return fault;
		fd = open(parts, flags);
	}
	err = errno;
	if (fd < 0 && lstat(parts, &st) == 0 && check(&dir, &st) != FAULT_NONE)
		return FAULT_UNSAFE;
	if (fd < 0)
		return cannot(&dir, err);
	fault = fstat(fd, &st) == 0 ? check(&dir, &st) : cannot(&dir, errno);
	if (fault == FAULT_UNSAFE && st.st_uid == geteuid() &&
	    !safefile_keeps_modes(fd))
		safefile_say_modeless(path, why);
	if (fault == FAULT_NONE)
		*fd_out = fd;
	else
		(void)close(fd);
	return fault;
}

/* The group of a user alone, and root's, are nobody else's. */
static bool is_group_of_others(gid_t gid)
{
	const struct group *group;

	if (gid == 0)
		return false;
	if (gid != getegid())
		return true;
	group = getgrgid(gid);
	return group != NULL && group->gr_mem[0] != NULL;
}

static bool is_exposed(const char *folder, const char *keyring, struct why *why)
{
	char shown[SHOWN_BYTES / 2], path[SHOWN_BYTES / 2];
	struct stat st;

	if (lstat(folder, &st) != 0)
		return false;
	attr_plain(span_of(keyring), path, sizeof(path));
	attr_plain(span_of(folder), shown, sizeof(shown));
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		why_set(why, 0,
		    "%s owns %s, on the way to the keyring %s, and could put "
		    "another in its place: chown root %s",
		    ids_user(st.st_uid).text, shown, path, shown);
		return true;
	}
	/* With the sticky bit only the owner of what is there may move it. */
	if (S_ISLNK(st.st_mode) || (st.st_mode & S_ISVTX) != 0 ||
	    ((st.st_mode & S_IWOTH) == 0 &&
		((st.st_mode & S_IWGRP) == 0 ||
		    !is_group_of_others(st.st_gid))))
		return false;
	why_set(why, 0,
	    "group or others may write to %s, on the way to the keyring %s, "
	    "and could put another in its place: chmod go-w %s",
	    shown, path, shown);
	return true;
}

/* Each folder above the last part of path, from the root on. */
static bool is_way_exposed(const char *path, const char *keyring,
    struct why *why)
{
	char folder[PATH_MAX_BYTES];
	size_t n;

	for (n = 1; path[n - 1] != '\0' && n < sizeof(folder); n++) {
		memcpy(folder, path, n);
		folder[n] = '\0';
		if ((path[n] == '/' || (n == 1 && path[0] == '/')) &&
		    is_exposed(folder, keyring, why))
			return true;
	}
	return false;
}

/* As it is written, and where links lead. */
bool keyring_exposed(const char *path, struct why *why)
{
	char parts[PATH_MAX_BYTES];
	char *real, *slash;
	bool exposed;

	if (strlen(path) >= sizeof(parts))
		return false;
	memcpy(parts, path, strlen(path) + 1);
	/* What is not there yet is made below what is. */
	while ((real = realpath(parts, NULL)) == NULL &&
	    (slash = strrchr(parts, '/')) != NULL && slash != parts)
		*slash = '\0';
	exposed = is_way_exposed(path, path, why) ||
	    (real != NULL && is_way_exposed(real, path, why));
	free(real);
	return exposed;
}
