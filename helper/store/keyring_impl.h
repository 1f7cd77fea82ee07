/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * keyring_impl - the inside of a keyring, for keyring.c and takeover.c only
 */
#ifndef MAILTOKEN_STORE_KEYRING_IMPL_H
#define MAILTOKEN_STORE_KEYRING_IMPL_H

#include "store/keyring.h"
#include "store/lock.h"

#define MARK_LEAF ".sealed"

struct keyring {
	int dirfd;
	char *path;
	struct lock lock;
	const struct seal_key *key;
	bool takes_plain; /* although there is a key */
};

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
