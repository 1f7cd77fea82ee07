/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * harden - what the helper gives up
 */
#ifndef MAILTOKEN_DAEMON_HARDEN_H
#define MAILTOKEN_DAEMON_HARDEN_H

#include "wire/fault.h"

/*
 * harden_start - first thing in main: umask 077, no core, not dumpable,
 * SIGPIPE and SIGXFSZ ignored, stray descriptors above 2 and the handed-over
 * sockets closed, 0..2 opened if missing, descriptor limit raised to 8192 or
 * the hard limit
 *
 * keep  in: how many handed-over descriptors follow 2
 */
enum fault harden_start(int keep, struct why *why) MUST_CHECK;

/*
 * harden_drop - from root to user and its groups, for good; not dumpable
 * again, no_new_privs
 *
 * FAULT_NOT_FOUND when there is none (why says how to make it), FAULT_DENIED
 * when it is root itself, FAULT_IO.
 */
enum fault harden_drop(const char *user, struct why *why) MUST_CHECK;

/*
 * harden_sandbox - no_new_privs and Landlock by the ABI the kernel reports:
 * read in the folders of files and seed, and what TLS and name resolution
 * need; read, write, make and remove files below keyring; nothing else.  Once,
 * for good.
 *
 * state_out  out: a word for the log: "landlock-abi-4", "no-landlock"
 *
 * FAULT_IO when the kernel has Landlock and refuses a rule.
 */
struct harden_paths {
	const char *keyring;
	char *const *files;
	size_t n_files;
	const char *seed; /* or NULL */
};
enum fault harden_sandbox(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why) MUST_CHECK;

/*
 * landlock_apply - for harden.c, when no_new_privs is set: the file system
 * rules (landlock(7)).  They name folders: an edited or rotated file is a new
 * inode, and a rule on the old one would not let it be read.  landlock_none.c
 * is the null version.
 */
enum fault landlock_apply(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why) MUST_CHECK;

#endif
