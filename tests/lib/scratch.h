/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * scratch - a directory of a test's own, gone afterwards
 *
 * Every function ends the process when it cannot do its work: a test without
 * its directory has nothing to say.
 */
#ifndef MAILTOKEN_TESTS_SCRATCH_H
#define MAILTOKEN_TESTS_SCRATCH_H

#include <stddef.h>
#include <sys/types.h>

#define SCRATCH_BYTES 256

/* scratch_new - out gets its path (0700, below TMPDIR or /tmp). */
void scratch_new(char *out);

/* scratch_drop - remove it with everything in it. */
void scratch_drop(const char *path);

/* scratch_path - "dir/leaf" in out, of SCRATCH_BYTES. */
void scratch_path(const char *dir, const char *leaf, char *out);

/* scratch_write - a file with these bytes and just this mode. */
void scratch_write(const char *path, const char *bytes, size_t n, mode_t mode);

/* scratch_count - how many names begin with prefix. */
int scratch_count(const char *dir, const char *prefix);

#endif
