/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One helper a keyring, by an open file description lock on ".lock": it ends
 * with the last copy of the descriptor, whatever else the process opens and
 * closes (fcntl(2)).  The lock is what counts; the sockets in the file may be
 * old, cut or missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/keyring_impl.h"
#include "store/safefile.h"

#define CONTENT_BYTES ADDRESS_LOCK_MAX_BYTES

static enum fault failed(int err, const struct keyring *keyring,
    struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES];

	safefile_shown(keyring->path, LOCK_LEAF, path);
	why_set(why, err, "%s", path);
	return FAULT_IO;
}

/* There may be nothing to lock: nobody can write there. */
static enum fault open_file(struct keyring *keyring, struct why *why)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int dirfd = keyring->dirfd, err;
	struct stat st;

	keyring->lock = openat(dirfd, LOCK_LEAF, O_RDWR | O_CREAT | flags,
	    0600);
	if (keyring->lock >= 0)
		return FAULT_NONE;
	err = errno;
	if (err == EROFS ||
	    ((err == EACCES || err == EPERM) &&
		faccessat(dirfd, ".", W_OK, AT_EACCESS) != 0)) {
		keyring->lock = openat(dirfd, LOCK_LEAF, O_RDONLY | flags);
		keyring->shares_lock = keyring->lock >= 0;
		if (keyring->lock >= 0 || errno == ENOENT)
			return FAULT_NONE;
		return failed(errno, keyring, why);
	}
	/* Not the directory but the file is closed to us. */
	if (fstatat(dirfd, LOCK_LEAF, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    safefile_check(&st, keyring->path, LOCK_LEAF, why) != FAULT_NONE)
		return FAULT_UNSAFE;
	return failed(err, keyring, why);
}

/* Any umask but a very odd one leaves 0600; that one is put right. */
static enum fault check_file(const struct keyring *keyring, struct why *why)
{
	struct stat st;

	if (fstat(keyring->lock, &st) != 0)
		return failed(errno, keyring, why);
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !keyring->shares_lock) {
		(void)fchmod(keyring->lock, 0600);
		if (fstat(keyring->lock, &st) != 0)
			return failed(errno, keyring, why);
		if ((st.st_mode & 0177) != 0) {
			safefile_say_modeless(keyring->path, why);
			return FAULT_UNSAFE;
		}
	}
	return safefile_check(&st, keyring->path, LOCK_LEAF, why);
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

static enum fault set_lock(const struct keyring *keyring, struct why *why)
{
	struct flock whole = {
		.l_type = keyring->shares_lock ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	char shown[300];
	int err;

	if (fcntl(keyring->lock, F_OFD_SETLK, &whole) == 0)
		return FAULT_NONE;
	err = errno;
	attr_plain(span_of(keyring->path), shown, sizeof(shown));
	switch (err) {
	case EAGAIN:
	case EACCES:
		name_holder(keyring->lock, shown, why);
		return FAULT_LOCKED;
	case ENOLCK:
	case EOPNOTSUPP:
	case EINVAL:
	case ENOSYS:
		why_set(why, err,
		    "the file system of the keyring %s has no locks; keep it "
		    "on a local one",
		    shown);
		return FAULT_IO;
	default: return failed(err, keyring, why);
	}
}

/* Failing is no fault: on a full disk the lock holds all the same. */
void keyring_listens(const struct keyring *keyring, const char *const *sockets,
    size_t n)
{
	struct buf content = BUF_INIT(CONTENT_BYTES - 1);
	size_t i;

	if (keyring->lock < 0 || keyring->shares_lock)
		return;
	for (i = 0; i < n; i++) {
		if (sockets[i][0] != '/' || strchr(sockets[i], '\n') != NULL)
			continue;
		buf_add_str(&content, sockets[i]);
		buf_add_lit(&content, "\n");
	}
	if (buf_fault(&content) == FAULT_NONE &&
	    ftruncate(keyring->lock, 0) == 0)
		(void)!pwrite(keyring->lock, content.p, content.n, 0);
	buf_drop(&content);
}

enum fault keyring_lock(struct keyring *keyring, struct why *why)
{
	enum fault fault;

	if (keyring->lock >= 0)
		return FAULT_NONE;
	fault = open_file(keyring, why);
	if (keyring->lock < 0)
		return fault;
	fault = check_file(keyring, why);
	if (fault == FAULT_NONE)
		fault = set_lock(keyring, why);
	if (fault != FAULT_NONE) {
		(void)close(keyring->lock);
		keyring->lock = -1;
		return fault;
	}
	/* What an earlier holder wrote is true no more. */
	keyring_listens(keyring, NULL, 0);
	return FAULT_NONE;
}
