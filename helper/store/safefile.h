/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * safefile - reading and replacing files that must not be anybody else's
 *
 * Everything goes through a directory descriptor that was checked once, with
 * O_NOFOLLOW, then fstat: a check on a name could be true of another file.
 */
#ifndef MAILTOKEN_STORE_SAFEFILE_H
#define MAILTOKEN_STORE_SAFEFILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "wire/buf.h"

/* Room for a directory and a leaf as they may be shown, with the NUL. */
#define SAFEFILE_SHOWN_BYTES 420

/* safefile_shown - "dir/leaf" in printable bytes, cut to fit. */
void safefile_shown(const char *dir, const char *leaf, char *out);

/*
 * safefile_check - whether st is that of a private file
 *
 * FAULT_NONE; FAULT_UNSAFE, why with the command that mends it.
 */
enum fault safefile_check(const struct stat *st, const char *dir,
    const char *leaf, struct why *why) MUST_CHECK;

/*
 * safefile_read - the whole of a private file below dirfd (mode 0600 or
 * less, owner the effective uid, one link, a plain file)
 *
 * out  in/out: empty buf; a larger file is FAULT_UNSAFE
 *
 * FAULT_NOT_FOUND, FAULT_UNSAFE (why: the command that mends it, with dir
 * as the directory's name), FAULT_IO, FAULT_NOMEM.
 */
enum fault safefile_read(int dirfd, const char *dir, const char *leaf,
    struct buf *out, struct why *why) MUST_CHECK;

/*
 * safefile_read_secret - the whole of a secret that stands outside the
 * keyring: a plain file, not readable by others, owned by root or the
 * effective uid, at most max_bytes; one trailing line end is dropped
 *
 * FAULT_UNSAFE, FAULT_NOT_FOUND, FAULT_IO, FAULT_TOO_BIG, FAULT_NOMEM.
 */
enum fault safefile_read_secret(const char *path, size_t max_bytes,
    struct buf *out, struct why *why) MUST_CHECK;

/* safefile_say_shut - why a file of others or a folder could not be opened, by
 * errno, and what to type where that helps. */
void safefile_say_shut(const char *path, int err, struct why *why);

/*
 * safefile_read_outside - the same with every byte of the file, for what is
 * not text.  FAULT_TOO_BIG over max_bytes, and over the limit of out.
 */
enum fault safefile_read_outside(const char *path, size_t max_bytes,
    struct buf *out, struct why *why) MUST_CHECK;

/*
 * safefile_random - n bytes that nobody can guess, n at most 256.  FAULT_IO
 * when the kernel gives none: never an abort, unlike arc4random(3).
 */
enum fault safefile_random(void *out, size_t n, struct why *why) MUST_CHECK;

/*
 * safefile_keeps_modes - whether a file made below dirfd has the mode that it
 * was made with, which CIFS and vfat do not care for; true where none can be
 * made
 *
 * safefile_is_modeless - whether what is open is of such a file system, for a
 * file that this uid may not change
 *
 * safefile_say_modeless - what to do then
 */
bool safefile_keeps_modes(int dirfd) MUST_CHECK;
bool safefile_is_modeless(int fd) MUST_CHECK;
void safefile_say_modeless(const char *dir, struct why *why);

/*
 * The steps of a replacement.  safefile_make opens a new file ".tmp-..."
 * (0600 whatever the umask) and reserves size bytes; safefile_begin writes
 * what a process that is killed leaves there; safefile_put writes from the
 * beginning, cuts, fsyncs, closes, renames to leaf and fsyncs the directory.  A
 * safefile_tmp is closed and removed by safefile_abandon, and by
 * safefile_put when it fails.
 */
struct safefile_tmp {
	int fd; /* -1 when unused */
	char leaf[64];
};

enum fault safefile_make(int dirfd, off_t size, struct safefile_tmp *tmp_out,
    struct why *why) MUST_CHECK;
enum fault safefile_begin(const struct safefile_tmp *tmp, struct span bytes,
    struct why *why) MUST_CHECK;
enum fault safefile_put(int dirfd, struct safefile_tmp *tmp, const char *leaf,
    struct span bytes, struct why *why) MUST_CHECK;
void safefile_abandon(int dirfd, struct safefile_tmp *tmp);

/*
 * safefile_remove - unlink leaf and fsync the directory.  FAULT_NOT_FOUND,
 * FAULT_READ_ONLY, FAULT_IO.
 */
enum fault safefile_remove(int dirfd, const char *leaf,
    struct why *why) MUST_CHECK;

#endif
