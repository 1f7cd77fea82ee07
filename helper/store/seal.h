/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * seal - AES-256-GCM of one entry
 *
 * A sealed entry is an attribute list with account, key-id, nonce and sealed
 * (base64 pieces); the account name is the associated data, so that a file
 * cannot be put under another name.  The nonce is 96 random bits, new for
 * each save (NIST SP 800-38D section 8.2.2).
 */
#ifndef MAILTOKEN_STORE_SEAL_H
#define MAILTOKEN_STORE_SEAL_H

#include "wire/attr.h"

#define SEAL_NONCE_BYTES 12

struct seal_key;

/*
 * seal_key_read - a key from a file: 32 raw bytes, or 64 hex digits with an
 * optional line end
 *
 * old_path  in: of a second one, with which nothing is sealed but what was
 *           sealed can be opened; NULL: none
 *
 * Each must be a plain file that belongs to root or the effective uid and
 * that others cannot read.  FAULT_UNSAFE, FAULT_GRAMMAR, FAULT_IO,
 * FAULT_INTERNAL (OpenSSL), FAULT_NOMEM; why says what mends it.
 */
enum fault seal_key_read(const char *path, const char *old_path,
    struct seal_key **key_out, struct why *why) MUST_CHECK;

/* seal_key_free - wipe and free; NULL is allowed. */
void seal_key_free(struct seal_key *key);

/*
 * seal_entry - append the sealed list for plain (the encoded entry of
 * account) to out
 *
 * nonce  in: random bytes that were used for nothing before
 *
 * FAULT_INTERNAL when OpenSSL fails; FAULT_TOO_BIG; FAULT_NOMEM.
 */
enum fault seal_entry(const struct seal_key *key,
    const unsigned char nonce[SEAL_NONCE_BYTES], struct span account,
    struct span plain, struct buf *out) MUST_CHECK;

/*
 * unseal_entry - append the plain list of a sealed one to out.
 * FAULT_CONFIG_ERROR when key is NULL or neither it nor the old one sealed it;
 * FAULT_GRAMMAR when it is damaged or another account's; FAULT_NOMEM.
 */
enum fault unseal_entry(const struct seal_key *key, struct span account,
    const struct attrs *sealed, struct buf *out) MUST_CHECK;

#endif
