/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * keydir - opening the directory of a keyring, once
 *
 * Owns the walk to it, making what is missing, and the check of owner, mode
 * and type on the very descriptor that is used from then on.
 */
#ifndef MAILTOKEN_STORE_KEYDIR_H
#define MAILTOKEN_STORE_KEYDIR_H

#include <stdbool.h>

#include "wire/fault.h"

/*
 * keydir_open - FAULT_NONE; FAULT_UNSAFE with the command that mends it in
 * why; FAULT_IO.
 *
 * path    in: 1..1023 bytes, terminated; the last part may not be a link
 * fd_out  out: close-on-exec; the caller's
 */
enum fault keydir_open(const char *path, int *fd_out,
    struct why *why) MUST_CHECK;

/*
 * keydir_exposed - whether somebody else than root and the effective uid may
 * put another folder in the place of one on the way to path
 *
 * why  out: which folder, and the command that mends it
 */
bool keydir_exposed(const char *path, struct why *why) MUST_CHECK;

#endif
