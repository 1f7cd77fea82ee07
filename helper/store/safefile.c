/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading what fstat says is safe; replacing by way of a temporary file.
 */
#include "store/safefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "wire/attr.h"
#include "wire/ids.h"

#define SHOWN_DIR_BYTES 160
#define NAME_TRIES	8

void safefile_shown(const char *dir, const char *leaf, char *out)
{
	size_t n;

	attr_plain(span_of(dir), out, SHOWN_DIR_BYTES);
	n = strlen(out);
	if (n == 0 || out[n - 1] != '/')
		out[n++] = '/';
	attr_plain(span_of(leaf), out + n, SAFEFILE_SHOWN_BYTES - n);
}

enum fault safefile_check(const struct stat *st, const char *dir,
    const char *leaf, struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];

	safefile_shown(dir, leaf, path);
	if (!S_ISREG(st->st_mode))
		why_set(why, 0, "not a plain file: %s %s",
		    S_ISDIR(st->st_mode) ? "rmdir" : "rm", path);
	else if (st->st_uid != geteuid())
		why_set(why, 0, "belongs to %s: chown %s %s",
		    ids_user(st->st_uid).text, ids_owner(geteuid()).text, path);
	else if ((st->st_mode & 07777 & ~(mode_t)0600) != 0)
		why_set(why, 0, "has mode %04o: chmod 600 %s",
		    (unsigned int)(st->st_mode & 07777), path);
	else if (st->st_nlink != 1)
		why_set(why, 0,
		    "has %lu links, keep one: find / -xdev -samefile %s",
		    (unsigned long)st->st_nlink, path);
	else
		return FAULT_NONE;
	return FAULT_UNSAFE;
}

/* n bytes of fd, no more; the buf has room for them. */
static enum fault read_bytes(int fd, size_t n, struct buf *out, struct why *why)
{
	size_t room;
	ssize_t got;
	char *p;

	while (n > 0) {
		p = buf_space(out, n, &room);
		if (p == NULL) {
			why_set(why, 0, "%s", fault_text(buf_fault(out)));
			return buf_fault(out);
		}
		got = read(fd, p, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			why_set(why, got < 0 ? errno : 0,
			    "cannot read the file to its end");
			return FAULT_IO;
		}
		buf_used(out, (size_t)got);
		n -= (size_t)got;
	}
	return FAULT_NONE;
}

/* open(2) said no; where the reason is what the file is, say that. */
static enum fault cannot_open(int dirfd, const char *dir, const char *leaf,
    struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];
	int err = errno;
	struct stat st;

	safefile_shown(dir, leaf, path);
	if (err == ENOENT) {
		why_set(why, err, "%s", path);
		return FAULT_NOT_FOUND;
	}
	if (fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (safefile_check(&st, dir, leaf, why) != FAULT_NONE)
			return FAULT_UNSAFE;
		if (err == EACCES && (st.st_mode & S_IRUSR) == 0) {
			why_set(why, 0, "cannot be read: chmod 600 %s", path);
			return FAULT_UNSAFE;
		}
	}
	why_set(why, err, "%s", path);
	return FAULT_IO;
}

/* The end of reading a file that was judged; fd is closed. */
static enum fault read_judged(int fd, const struct stat *st, enum fault judged,
    struct buf *out, struct why *why)
{
	if (judged == FAULT_NONE)
		judged = read_bytes(fd, (size_t)st->st_size, out, why);
	if (judged != FAULT_NONE)
		buf_drop(out);
	(void)close(fd);
	return judged;
}

enum fault safefile_read(int dirfd, const char *dir, const char *leaf,
    struct buf *out, struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];
	enum fault fault = FAULT_IO;
	struct stat st;
	int fd;

	/* Non-blocking: opening somebody's fifo must not wait. */
	fd = openat(dirfd, leaf,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return cannot_open(dirfd, dir, leaf, why);
	if (fstat(fd, &st) != 0)
		why_set(why, errno, "fstat");
	else
		fault = safefile_check(&st, dir, leaf, why);
	if (fault == FAULT_NONE && (uintmax_t)st.st_size > out->max_bytes) {
		safefile_shown(dir, leaf, path);
		why_set(why, 0, "larger than %zu bytes, so not ours: rm %s",
		    out->max_bytes, path);
		fault = FAULT_UNSAFE;
	}
	return read_judged(fd, &st, fault, out, why);
}

/* cifs and smb, vfat, exfat, ntfs3. */
bool safefile_is_modeless(int fd)
{
	static const uint32_t types[] = { 0xff534d42, 0xfe534d42, 0x4d44,
		0x2011bab0, 0x7366746e };
	struct statfs fs;
	size_t i;

	if (fstatfs(fd, &fs) != 0)
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((uint32_t)fs.f_type == types[i])
			return true;
	return false;
}

/* The whole cure of a file that is root's and should stay so; a mounted secret
 * of a container cannot be changed where it is. */
static void say_roots(const char *what, const struct stat *st,
    const char *shown, struct why *why)
{
	struct ids_text group = ids_group(getegid());
	struct statvfs fs;

	if (statvfs(shown, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0)
		why_set(why, 0,
		    "%s on a read-only file system: make it anew with group %s "
		    "and mode 0440 (in Kubernetes by fsGroup and defaultMode)",
		    what, group.text);
	else
		why_set(why, 0, "%s: as root, chown root:%s %s && chmod %s %s",
		    what, group.text, shown,
		    S_ISDIR(st->st_mode) ? "750" : "640", shown);
}

/* Others: not the owner, not the group an administrator chose for it. */
static enum fault check_outside(int fd, const struct stat *st,
    const char *shown, struct why *why)
{
	bool of_others = st->st_uid != 0 && st->st_uid != geteuid();
	char what[32];

	(void)snprintf(what, sizeof(what), "has mode %04o",
	    (unsigned int)(st->st_mode & 07777));
	if (!S_ISREG(st->st_mode))
		why_set(why, 0, "not a plain file: %s", shown);
	else if (!of_others && (st->st_mode & (S_IWGRP | S_IRWXO)) == 0)
		return FAULT_NONE;
	else if (safefile_is_modeless(fd))
		safefile_say_modeless(shown, why);
	else if (of_others)
		why_set(why, 0, "belongs to %s: chown %s %s && chmod 600 %s",
		    ids_user(st->st_uid).text, ids_owner(geteuid()).text, shown,
		    shown);
	else if (st->st_uid != geteuid())
		say_roots(what, st, shown, why);
	else
		why_set(why, 0, "%s: chmod g-w,o= %s", what, shown);
	return FAULT_UNSAFE;
}

void safefile_say_shut(const char *path, int err, struct why *why)
{
	struct ids_text user = ids_user(geteuid());
	char shown[SAFEFILE_SHOWN_BYTES], what[WHY_MAX_BYTES];
	struct stat st;

	attr_plain(span_of(path), shown, sizeof(shown));
	(void)snprintf(what, sizeof(what), "%s may not read %s", user.text,
	    shown);
	if (err != EACCES)
		why_set(why, err, "%s", shown);
	else if (stat(path, &st) != 0)
		why_set(why, 0,
		    "%s may not enter a folder of %s: see 'namei -l %s'",
		    user.text, shown, shown);
	else if (st.st_uid == geteuid())
		why_set(why, 0, "%s: chmod u+rX %s", what, shown);
	else
		say_roots(what, &st, shown, why);
}

enum fault safefile_read_outside(const char *path, size_t max_bytes,
    struct buf *out, struct why *why)
{
	char shown[SAFEFILE_SHOWN_BYTES];
	enum fault fault = FAULT_IO;
	struct stat st;
	int fd, err;

	attr_plain(span_of(path), shown, sizeof(shown));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		err = errno;
		safefile_say_shut(path, err, why);
		return err == ENOENT ? FAULT_NOT_FOUND : FAULT_IO;
	}
	if (fstat(fd, &st) != 0)
		why_set(why, errno, "%s", shown);
	else
		fault = check_outside(fd, &st, shown, why);
	if (fault == FAULT_NONE && (uintmax_t)st.st_size > max_bytes) {
		why_set(why, 0, "%s is larger than %zu bytes", shown,
		    max_bytes);
		fault = FAULT_TOO_BIG;
	}
	return read_judged(fd, &st, fault, out, why);
}

enum fault safefile_read_secret(const char *path, size_t max_bytes,
    struct buf *out, struct why *why)
{
	struct buf whole = BUF_INIT(max_bytes + 2);
	struct span text;
	enum fault fault;

	fault = safefile_read_outside(path, max_bytes + 2, &whole, why);
	if (fault != FAULT_NONE)
		goto out;
	text = buf_span(&whole);
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.n < whole.n && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n > max_bytes)
		fault = FAULT_TOO_BIG;
	if (fault == FAULT_NONE) {
		buf_add(out, text);
		fault = buf_fault(out);
	}
	if (fault != FAULT_NONE) {
		why_set(why, 0, "%s", fault_text(fault));
		buf_drop(out);
	}
out:
	buf_drop(&whole);
	return fault;
}

/* What a failing change of the directory means. */
static enum fault failed(int err, const char *call, struct why *why)
{
	why_set(why, err, "%s", call);
	return err == EROFS || err == EACCES || err == EPERM ? FAULT_READ_ONLY :
							       FAULT_IO;
}

/* 0 or an errno. */
static int write_bytes(int fd, struct span bytes, off_t at)
{
	ssize_t n;

	while (bytes.n > 0) {
		n = pwrite(fd, bytes.p, bytes.n, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		bytes.p += n;
		bytes.n -= (size_t)n;
		at += n;
	}
	return 0;
}

/* 0 or an errno; where the file system cannot reserve, zeros are written. */
static int reserve(int fd, off_t size)
{
	static const char zeros[4096];
	off_t at = 0;
	int err;

	do
		err = posix_fallocate(fd, 0, size);
	while (err == EINTR);
	if (err != EOPNOTSUPP && err != EINVAL)
		return err;
	for (err = 0; err == 0 && at < size; at += (off_t)sizeof(zeros)) {
		struct span chunk = { zeros, sizeof(zeros) };

		if (size - at < (off_t)sizeof(zeros))
			chunk.n = (size_t)(size - at);
		err = write_bytes(fd, chunk, at);
	}
	return err;
}

enum fault safefile_random(void *out, size_t n, struct why *why)
{
	if (getrandom(out, n, 0) == (ssize_t)n)
		return FAULT_NONE;
	why_set(why, errno, "the kernel gives no random bytes");
	return FAULT_IO;
}

/* A new file under a name nobody can have guessed. */
static enum fault make_file(int dirfd, struct safefile_tmp *tmp,
    struct why *why)
{
	enum fault fault;
	uint64_t random;
	int tries;

	for (tries = 0; tmp->fd < 0 && tries < NAME_TRIES; tries++) {
		fault = safefile_random(&random, sizeof(random), why);
		if (fault != FAULT_NONE)
			return fault;
		(void)snprintf(tmp->leaf, sizeof(tmp->leaf), ".tmp-%016llx",
		    (unsigned long long)random);
		/* For reading too: glibc's own way to reserve wants that. */
		tmp->fd = openat(dirfd, tmp->leaf,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (tmp->fd < 0 && errno != EEXIST)
			break;
	}
	return tmp->fd >= 0 ? FAULT_NONE :
			      failed(errno, "cannot make a file", why);
}

bool safefile_keeps_modes(int dirfd)
{
	struct safefile_tmp tmp = { .fd = -1 };
	struct why unsaid;
	bool keeps = true;
	struct stat st;

	if (make_file(dirfd, &tmp, &unsaid) != FAULT_NONE)
		return true;
	if (fstat(tmp.fd, &st) == 0)
		keeps = (st.st_mode & 0177) == 0;
	safefile_abandon(dirfd, &tmp);
	return keeps;
}

void safefile_say_modeless(const char *dir, struct why *why)
{
	const struct ids_text owner = ids_owner(geteuid());
	char shown[SHOWN_DIR_BYTES];

	attr_plain(span_of(dir), shown, sizeof(shown));
	why_set(why, 0,
	    "the file system of %s keeps no modes, so that chmod changes "
	    "nothing: mount it with uid=%s,dir_mode=0700,file_mode=0600 (cifs) "
	    "or uid=%s,dmask=0077,fmask=0177 (vfat, exfat, ntfs3), or use "
	    "another folder",
	    shown, owner.text, owner.text);
}

enum fault safefile_make(int dirfd, off_t size, struct safefile_tmp *tmp_out,
    struct why *why)
{
	struct safefile_tmp tmp = { .fd = -1 };
	enum fault fault;
	int err;

	fault = make_file(dirfd, &tmp, why);
	if (fault != FAULT_NONE)
		return fault;
	if (fchmod(tmp.fd, 0600) != 0)
		fault = failed(errno, "fchmod", why);
	err = fault == FAULT_NONE && size > 0 ? reserve(tmp.fd, size) : 0;
	if (err != 0) {
		why_set(why, err, "cannot reserve %lld bytes", (long long)size);
		fault = FAULT_IO;
	}
	if (fault == FAULT_NONE)
		*tmp_out = tmp;
	else
		safefile_abandon(dirfd, &tmp);
	return fault;
}

enum fault safefile_begin(const struct safefile_tmp *tmp, struct span bytes,
    struct why *why)
{
	int err = write_bytes(tmp->fd, bytes, 0);

	return err == 0 ? FAULT_NONE : failed(err, "write", why);
}

/* Some file systems have no fsync for directories and say EINVAL. */
static enum fault sync_dir(int dirfd, struct why *why)
{
	if (fsync(dirfd) == 0 || errno == EINVAL)
		return FAULT_NONE;
	return failed(errno, "fsync of the directory", why);
}

/* Everything that must be on the disk before the name points to it. */
static enum fault finish(struct safefile_tmp *tmp, struct span bytes,
    struct why *why)
{
	int err, fd = tmp->fd;

	err = write_bytes(fd, bytes, 0);
	if (err != 0)
		return failed(err, "write", why);
	if (ftruncate(fd, (off_t)bytes.n) != 0)
		return failed(errno, "ftruncate", why);
	if (fsync(fd) != 0)
		return failed(errno, "fsync", why);
	/* Whatever close says, the descriptor is gone. */
	tmp->fd = -1;
	if (close(fd) != 0)
		return failed(errno, "close", why);
	return FAULT_NONE;
}

enum fault safefile_put(int dirfd, struct safefile_tmp *tmp, const char *leaf,
    struct span bytes, struct why *why)
{
	enum fault fault = finish(tmp, bytes, why);

	if (fault == FAULT_NONE && renameat(dirfd, tmp->leaf, dirfd, leaf) != 0)
		fault = failed(errno, "rename", why);
	if (fault == FAULT_NONE)
		tmp->leaf[0] = '\0';
	safefile_abandon(dirfd, tmp);
	return fault != FAULT_NONE ? fault : sync_dir(dirfd, why);
}

void safefile_abandon(int dirfd, struct safefile_tmp *tmp)
{
	if (tmp->fd >= 0)
		(void)close(tmp->fd);
	tmp->fd = -1;
	if (tmp->leaf[0] != '\0')
		(void)unlinkat(dirfd, tmp->leaf, 0);
	tmp->leaf[0] = '\0';
}

enum fault safefile_remove(int dirfd, const char *leaf, struct why *why)
{
	struct stat st;

	if (unlinkat(dirfd, leaf, 0) == 0)
		return sync_dir(dirfd, why);
	/* A read-only mount says that before it looks for the name. */
	if (errno != ENOENT &&
	    (errno != EROFS ||
		fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0))
		return failed(errno, "unlink", why);
	why_set(why, ENOENT, "unlink");
	return FAULT_NOT_FOUND;
}
