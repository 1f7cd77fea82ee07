/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One descriptor a step: what is made is made below the directory that was
 * looked at, not below whatever has its name by then.
 */
#include "store/keydir.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/safefile.h"
#include "wire/attr.h"
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

/* Where a walk stands. */
struct walk {
	const char *path; /* to the keyring, all of it */
	int fd;
	struct why *why;
};

static enum fault check(const struct walk *walk, const struct stat *st)
{
	char shown[SHOWN_BYTES];
	struct why *why = walk->why;

	attr_plain(span_of(walk->path), shown, sizeof(shown));
	if (S_ISLNK(st->st_mode))
		why_set(why, 0,
		    "the keyring is a symbolic link, name its target or: rm %s",
		    shown);
	else if (!S_ISDIR(st->st_mode))
		why_set(why, 0, "the keyring is not a directory: rm %s", shown);
	else if (st->st_uid != geteuid() && may_be_made_below(st) &&
	    access(walk->path, W_OK) == 0)
		why_set(why, 0,
		    "the keyring belongs to %s: name %s/keyring instead, "
		    "which the helper makes",
		    ids_user(st->st_uid).text, shown);
	else if (st->st_uid != geteuid())
		why_set(why, 0, "the keyring belongs to %s: chown %s %s",
		    ids_user(st->st_uid).text, ids_owner(geteuid()).text,
		    shown);
	else if ((st->st_mode & 077) != 0)
		why_set(why, 0, "the keyring has mode %04o: chmod 700 %s",
		    (unsigned int)(st->st_mode & 07777), shown);
	else
		return FAULT_NONE;
	return FAULT_UNSAFE;
}

static enum fault cannot(const struct walk *walk, int err)
{
	char shown[SHOWN_BYTES];

	attr_plain(span_of(walk->path), shown, sizeof(shown));
	why_set(walk->why, err, "%s", shown);
	return FAULT_IO;
}

/* A new directory lasts when its parent has been written. */
static int sync_parent(int parent)
{
	int fd, err = 0;

	fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (fsync(fd) != 0 && errno != EINVAL)
		err = errno;
	(void)close(fd);
	return err;
}

static enum fault make(const struct walk *walk, const char *name)
{
	char shown[SHOWN_BYTES];
	struct stat st;
	int err;

	if (fstat(walk->fd, &st) != 0)
		return cannot(walk, errno);
	err = EACCES;
	if (may_be_made_below(&st))
		err = mkdirat(walk->fd, name, 0700) == 0 ? 0 : errno;
	if (err == EACCES) {
		attr_plain(span_of(walk->path), shown, sizeof(shown));
		why_set(walk->why, 0,
		    "the keyring is missing and its parent is not ours: name "
		    "one that %s may write to, or, as root: install -d -m 700 "
		    "-o %s %s",
		    ids_user(geteuid()).text, ids_owner(geteuid()).text, shown);
		return FAULT_UNSAFE;
	}
	if (err == 0)
		err = sync_parent(walk->fd);
	return err == 0 || err == EEXIST ? FAULT_NONE : cannot(walk, err);
}

/* To what lies below, which is made where it is missing. */
static enum fault step(struct walk *walk, const char *name, int flags)
{
	enum fault fault;
	struct stat st;
	int fd;

	flags |= O_DIRECTORY | O_CLOEXEC;
	fd = openat(walk->fd, name, flags);
	if (fd < 0 && errno == ENOENT &&
	    fstatat(walk->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		fault = make(walk, name);
		if (fault != FAULT_NONE)
			return fault;
		fd = openat(walk->fd, name, flags | O_NOFOLLOW);
	}
	if (fd < 0)
		return cannot(walk, errno);
	(void)close(walk->fd);
	walk->fd = fd;
	return FAULT_NONE;
}

static enum fault step_into(struct walk *walk, const char *name)
{
	enum fault fault;
	struct stat st;

	fault = step(walk, name, O_RDONLY | O_NOFOLLOW);
	if (fault == FAULT_IO &&
	    fstatat(walk->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    check(walk, &st) != FAULT_NONE)
		return FAULT_UNSAFE;
	if (fault != FAULT_NONE)
		return fault;
	if (fstat(walk->fd, &st) != 0)
		return cannot(walk, errno);
	fault = check(walk, &st);
	if (fault == FAULT_UNSAFE && st.st_uid == geteuid() &&
	    !safefile_keeps_modes(walk->fd))
		safefile_say_modeless(walk->path, walk->why);
	return fault;
}

enum fault keydir_open(const char *path, int *fd_out, struct why *why)
{
	struct walk walk = { .path = path, .why = why };
	char parts[PATH_MAX_BYTES], *part, *slash;
	enum fault fault = FAULT_NONE;
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(parts))
		return cannot(&walk, n == 0 ? ENOENT : ENAMETOOLONG);
	memcpy(parts, path, n + 1);
	while (n > 1 && parts[n - 1] == '/')
		parts[--n] = '\0';
	walk.fd = open(parts[0] == '/' ? "/" : ".",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (walk.fd < 0)
		return cannot(&walk, errno);
	for (part = parts + strspn(parts, "/");
	     fault == FAULT_NONE && (slash = strchr(part, '/')) != NULL;
	     part = slash + 1 + strspn(slash + 1, "/")) {
		*slash = '\0';
		fault = step(&walk, part, O_PATH);
	}
	if (fault == FAULT_NONE)
		fault = step_into(&walk, *part != '\0' ? part : ".");
	if (fault == FAULT_NONE)
		*fd_out = walk.fd;
	else
		(void)close(walk.fd);
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

	for (n = 0; path[n] != '\0' && n < sizeof(folder) - 1; n++) {
		folder[n] = path[n];
		folder[n + 1] = '\0';
		if (path[n] == '/' && n > 0)
			folder[n] = '\0';
		if (path[n] == '/' && is_exposed(folder, keyring, why))
			return true;
		folder[n] = path[n];
	}
	return false;
}

/* As it is written, and where links lead. */
bool keydir_exposed(const char *path, struct why *why)
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
