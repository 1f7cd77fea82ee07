/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The lock is what counts; the text in the file is for messages only and may
 * be old, cut or missing.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/safefile.h"
#include "wire/attr.h"
#include "wire/buf.h"

#define HOST_BYTES    65
#define CONTENT_BYTES ADDRESS_LOCK_MAX_BYTES

static enum fault failed(int err, const char *dir, struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];

	safefile_shown(dir, LOCK_LEAF, path);
	why_set(why, err, "%s", path);
	return FAULT_IO;
}

/* *fd_out is -1 when there is nothing to lock. */
static enum fault open_shared(int dirfd, const char *dir, int err, int *fd_out,
    struct why *why)
{
	struct stat st;
	int fd, open_err;

	fd = openat(dirfd, LOCK_LEAF,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	open_err = errno;
	/* Not the directory but the file is closed to us. */
	if (err != EROFS && faccessat(dirfd, ".", W_OK, AT_EACCESS) == 0) {
		if (fd >= 0)
			(void)close(fd);
		if (fstatat(dirfd, LOCK_LEAF, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    safefile_check(&st, dir, LOCK_LEAF, why) != FAULT_NONE)
			return FAULT_UNSAFE;
		return failed(err, dir, why);
	}
	if (fd < 0 && open_err != ENOENT)
		return failed(open_err, dir, why);
	*fd_out = fd;
	return FAULT_NONE;
}

static enum fault open_file(int dirfd, const char *dir, struct lock *lock,
    struct why *why)
{
	struct stat st;
	int err;

	lock->fd = openat(dirfd, LOCK_LEAF,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (lock->fd >= 0)
		return FAULT_NONE;
	err = errno;
	if (err == EROFS || err == EACCES || err == EPERM) {
		lock->is_shared = true;
		return open_shared(dirfd, dir, err, &lock->fd, why);
	}
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

/* content = host SP pid LF, and socket LF for each */
static void name_holder(int fd, const char *dir, struct why *why)
{
	char content[CONTENT_BYTES], shown[SAFEFILE_SHOWN_BYTES];
	char host[HOST_BYTES] = "unknown", at[ADDRESS_SOCKET_MAX_BYTES];
	struct span text = { content, 0 };
	const char *blank, *end, *next;
	ssize_t n;
	int64_t pid = 0;

	n = pread(fd, content, sizeof(content), 0);
	end = n > 0 ? memchr(content, '\n', (size_t)n) : NULL;
	if (end != NULL) {
		text.n = (size_t)(end - text.p);
		blank = memrchr(text.p, ' ', text.n);
		if (blank != NULL) {
			struct span number = { blank + 1,
				text.n - (size_t)(blank + 1 - text.p) };

			if (attr_number(number, 1, INT32_MAX, &pid) !=
			    FAULT_NONE)
				pid = 0;
			text.n = (size_t)(blank - text.p);
			attr_plain(text, host, sizeof(host));
		}
	}
	attr_plain(span_of(dir), shown, 300);
	at[0] = '\0';
	next = end != NULL ?
	    memchr(end + 1, '\n', (size_t)(content + n - end - 1)) :
	    NULL;
	if (next != NULL)
		attr_plain((struct span){ end + 1, (size_t)(next - end - 1) },
		    at, sizeof(at));
	if (pid > 0)
		why_set(why, 0,
		    "the keyring %s is in use by another mailtokend (host %s, "
		    "pid %lld%s%s)",
		    shown, host, (long long)pid,
		    at[0] != '\0' ? ", socket " : "", at);
	else
		why_set(why, 0,
		    "the keyring %s is in use by another mailtokend (host %s)",
		    shown, host);
}

static enum fault set_lock(const struct lock *lock, const char *dir,
    struct why *why)
{
	struct flock whole = {
		.l_type = lock->is_shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	char shown[SAFEFILE_SHOWN_BYTES];
	int err;

	if (fcntl(lock->fd, F_OFD_SETLK, &whole) == 0)
		return FAULT_NONE;
	err = errno;
	switch (err) {
	case EAGAIN:
	case EACCES: name_holder(lock->fd, dir, why); return FAULT_LOCKED;
	case ENOLCK:
	case EOPNOTSUPP:
	case EINVAL:
	case ENOSYS:
		attr_plain(span_of(dir), shown, 300);
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
	char host[HOST_BYTES];
	size_t i;

	if (lock->fd < 0 || lock->is_shared)
		return;
	if (gethostname(host, sizeof(host)) != 0)
		memcpy(host, "unknown", sizeof("unknown"));
	host[sizeof(host) - 1] = '\0';
	buf_add_str(&content, host);
	buf_add_lit(&content, " ");
	buf_add_int(&content, getpid());
	buf_add_lit(&content, "\n");
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
