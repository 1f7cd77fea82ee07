/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The lock is what counts; the sockets in the file may be old, cut or missing.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/safefile.h"
#include "wire/attr.h"
#include "wire/buf.h"

#define CONTENT_BYTES ADDRESS_LOCK_MAX_BYTES

static enum fault failed(int err, const char *dir, struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];

	safefile_shown(dir, LOCK_LEAF, path);
	why_set(why, err, "%s", path);
	return FAULT_IO;
}

/* fd stays -1 when there is nothing to lock: nobody can write there. */
static enum fault open_file(int dirfd, const char *dir, struct lock *lock,
    struct why *why)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat st;
	int err;

	lock->fd = openat(dirfd, LOCK_LEAF, O_RDWR | O_CREAT | flags, 0600);
	if (lock->fd >= 0)
		return FAULT_NONE;
	err = errno;
	if (err == EROFS ||
	    ((err == EACCES || err == EPERM) &&
		faccessat(dirfd, ".", W_OK, AT_EACCESS) != 0)) {
		lock->is_shared = true;
		lock->fd = openat(dirfd, LOCK_LEAF, O_RDONLY | flags);
		if (lock->fd >= 0 || errno == ENOENT)
			return FAULT_NONE;
		return failed(errno, dir, why);
	}
	/* Not the directory but the file is closed to us. */
	if (fstatat(dirfd, LOCK_LEAF, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    safefile_check(&st, dir, LOCK_LEAF, why) != FAULT_NONE)
		return FAULT_UNSAFE;
	return failed(err, dir, why);
}

/* Any umask but a very odd one leaves 0600; that one is put right. */
static enum fault check_file(const struct lock *lock, const char *dir,
    struct why *why)
{
	struct stat st;

	if (fstat(lock->fd, &st) != 0)
		return failed(errno, dir, why);
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && !lock->is_shared) {
		(void)fchmod(lock->fd, 0600);
		if (fstat(lock->fd, &st) != 0)
			return failed(errno, dir, why);
		if ((st.st_mode & 0177) != 0) {
			safefile_say_modeless(dir, why);
			return FAULT_UNSAFE;
		}
	}
	return safefile_check(&st, dir, LOCK_LEAF, why);
}

/* content = *(socket LF) */
static void name_holder(int fd, const char *shown, struct why *why)
{
	char content[CONTENT_BYTES], at[ADDRESS_SOCKET_MAX_BYTES];
	ssize_t n = pread(fd, content, sizeof(content), 0);
	const char *end = n > 0 ? memchr(content, '\n', (size_t)n) : NULL;

	at[0] = '\0';
	if (end != NULL)
		attr_plain((struct span){ content, (size_t)(end - content) },
		    at, sizeof(at));
	why_set(why, 0, "the keyring %s is in use by another mailtokend%s%s%s",
	    shown, at[0] != '\0' ? " (socket " : "", at,
	    at[0] != '\0' ? ")" : "");
}

static enum fault set_lock(const struct lock *lock, const char *dir,
    struct why *why)
{
	struct flock whole = {
		.l_type = lock->is_shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	char shown[300];
	int err;

	if (fcntl(lock->fd, F_OFD_SETLK, &whole) == 0)
		return FAULT_NONE;
	err = errno;
	attr_plain(span_of(dir), shown, sizeof(shown));
	switch (err) {
	case EAGAIN:
	case EACCES: name_holder(lock->fd, shown, why); return FAULT_LOCKED;
	case ENOLCK:
	case EOPNOTSUPP:
	case EINVAL:
	case ENOSYS:
		why_set(why, err,
		    "the file system of the keyring %s has no locks; keep it "
		    "on a local one",
		    shown);
		return FAULT_IO;
	default: return failed(err, dir, why);
	}
}

/* Failing is no fault: on a full disk the lock holds all the same. */
void lock_name(const struct lock *lock, const char *const *sockets, size_t n)
{
	struct buf content = BUF_INIT(CONTENT_BYTES - 1);
	size_t i;

	if (lock->fd < 0 || lock->is_shared)
		return;
	for (i = 0; i < n; i++) {
		if (sockets[i][0] != '/' || strchr(sockets[i], '\n') != NULL)
			continue;
		buf_add_str(&content, sockets[i]);
		buf_add_lit(&content, "\n");
	}
	if (buf_fault(&content) == FAULT_NONE && ftruncate(lock->fd, 0) == 0)
		(void)!pwrite(lock->fd, content.p, content.n, 0);
	buf_drop(&content);
}

enum fault lock_take(int dirfd, const char *dir, struct lock *lock_out,
    struct why *why)
{
	struct lock lock = { .fd = -1 };
	enum fault fault;

	fault = open_file(dirfd, dir, &lock, why);
	if (fault == FAULT_NONE && lock.fd >= 0)
		fault = check_file(&lock, dir, why);
	if (fault == FAULT_NONE && lock.fd >= 0)
		fault = set_lock(&lock, dir, why);
	if (fault != FAULT_NONE) {
		lock_drop(&lock);
		return fault;
	}
	/* What an earlier holder wrote is true no more. */
	lock_name(&lock, NULL, 0);
	*lock_out = lock;
	return FAULT_NONE;
}

void lock_drop(struct lock *lock)
{
	if (lock->fd >= 0)
		(void)close(lock->fd);
	lock->fd = -1;
}
