/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lock - one helper a keyring
 *
 * Owns ".lock" and what stands in it.  An open file description lock: it
 * ends with the last copy of the descriptor, whatever else the process opens
 * and closes (fcntl(2), "Open file description locks").
 */
#ifndef MAILTOKEN_STORE_LOCK_H
#define MAILTOKEN_STORE_LOCK_H

#include "wire/address.h"

#define LOCK_LEAF ADDRESS_LOCK_LEAF

struct lock {
	int fd;		/* -1: none */
	bool is_shared; /* of a directory that cannot be written */
};

/*
 * lock_take - one try
 *
 * dir       in: the name of dirfd, for messages
 * lock_out  out: to be given to lock_drop(); fd is -1 where the directory
 *           cannot be written and has no ".lock"
 *
 * FAULT_NONE; FAULT_LOCKED; FAULT_UNSAFE when ".lock" is not ours; FAULT_IO.
 */
enum fault lock_take(int dirfd, const char *dir, struct lock *lock_out,
    struct why *why) MUST_CHECK;

/*
 * lock_name - write the sockets that the holder answers on, where a client
 * with another environment finds them (wire/address.h)
 */
void lock_name(const struct lock *lock, const char *const *sockets, size_t n);

void lock_drop(struct lock *lock);

#endif
