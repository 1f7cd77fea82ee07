/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * secret - bytes that must be wiped
 *
 * Owns: one heap block that is written once, never grown, never realloc'd
 * and overwritten before it is freed.  Whoever wants the bytes must call
 * secret_reveal() and say why; no function formats or prints a secret.
 * Not locked into memory: swap is not protected (SECURITY.md).
 */
#ifndef MAILTOKEN_WIRE_SECRET_H
#define MAILTOKEN_WIRE_SECRET_H

#include "wire/fault.h"

struct secret;

/*
 * secret_new - copy bytes into a new secret
 *
 * bytes       in: 0..1048576 bytes, any value; the caller wipes its own copy
 * secret_out  out: the caller's, to be given to secret_free()
 *
 * FAULT_NONE, FAULT_NOMEM, FAULT_TOO_BIG.
 */
enum fault secret_new(struct span bytes, struct secret **secret_out) MUST_CHECK;

/* secret_copy - a second secret with the same bytes; the caller's. */
enum fault secret_copy(const struct secret *secret,
    struct secret **secret_out) MUST_CHECK;

/* secret_free - wipe and free; NULL is allowed. */
void secret_free(struct secret *secret);

/*
 * secret_reveal - the bytes, for the purpose named in why (a literal, for
 * the reader and for grep).  Followed by a NUL that is not counted.  Valid
 * until secret_free().
 */
struct span secret_reveal(const struct secret *secret, const char *why);

/* secret_bytes - how many bytes; 0 for NULL. */
size_t secret_bytes(const struct secret *secret);

/*
 * secret_equal - whether both hold the same bytes, in time that depends on
 * their lengths only.  NULL equals nothing.
 */
bool secret_equal(const struct secret *a, const struct secret *b);

/* secret_wipe - overwrite n bytes at p so that no compiler leaves it out. */
void secret_wipe(void *p, size_t n);

#endif
