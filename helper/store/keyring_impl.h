/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * keyring_impl - the inside of a keyring, for the files of it only
 */
#ifndef MAILTOKEN_STORE_KEYRING_IMPL_H
#define MAILTOKEN_STORE_KEYRING_IMPL_H

#include "store/keyring.h"
#include "wire/address.h"

#define LOCK_LEAF ADDRESS_LOCK_LEAF
#define MARK_LEAF ".sealed"

struct keyring {
	int dirfd;
	char *path;
	int lock;	  /* of LOCK_LEAF; -1: none */
	bool shares_lock; /* of a directory that cannot be written */
	const struct seal_key *key;
	bool takes_plain; /* although there is a key */
};

/*
 * keydir_open - FAULT_NONE; FAULT_UNSAFE with the command that mends it in
 * why; FAULT_IO.
 *
 * path    in: 1..1023 bytes, terminated; the last part may not be a link
 * fd_out  out: close-on-exec; the caller's
 */
enum fault keydir_open(const char *path, int *fd_out,
    struct why *why) MUST_CHECK;

/* One file while it is read. */
struct record {
	struct buf bytes;
	bool is_sealed;
	struct entry *entry;
};

/* record_read - faults of keyring_load(); record is to be dropped after each
 * of them. */
enum fault record_read(const struct keyring *keyring, struct span account,
    struct record *record, struct why *why) MUST_CHECK;
void record_drop(struct record *record);

#endif
