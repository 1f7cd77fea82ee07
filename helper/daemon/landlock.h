/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * landlock - the file system rules of the sandbox (landlock(7))
 *
 * Rules name folders: an edited or rotated file is a new inode, and a rule
 * on the old one would not let it be read.  landlock_none.c is the null
 * version.  Included by harden.c only.
 */
#ifndef MAILTOKEN_DAEMON_LANDLOCK_H
#define MAILTOKEN_DAEMON_LANDLOCK_H

#include "daemon/harden.h"

/*
 * landlock_apply - as harden_sandbox(); no_new_privs must be set before
 */
enum fault landlock_apply(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why) MUST_CHECK;

#endif
