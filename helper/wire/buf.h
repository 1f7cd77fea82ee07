/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * buf - bytes that grow up to a limit, and secrets, which do not grow
 *
 * A buf owns its storage; whatever is given back is wiped first, old storage
 * of a growth included, so a buf may hold secrets.  The first fault sticks:
 * all later additions do nothing, and the caller asks once, at the end.
 * Storage of the struct is the caller's; BUF_INIT needs no drop until bytes
 * were added.
 *
 * A struct secret is one heap block that is written once, never realloc'd and
 * overwritten before it is freed.  Whoever wants the bytes must call
 * secret_reveal() and say why; no function formats or prints a secret.
 * Nothing is locked into memory: swap is not protected (SECURITY.md).
 */
#ifndef MAILTOKEN_WIRE_BUF_H
#define MAILTOKEN_WIRE_BUF_H

#include "wire/fault.h"

struct buf {
	char *p;
	size_t n;	  /* bytes in use; a NUL follows them */
	size_t room;	  /* bytes allocated */
	size_t max_bytes; /* n never exceeds it */
	enum fault fault;
	char *lent; /* by buf_lend(); p may be it */
};

#define BUF_INIT(max) \
	{ \
		NULL, 0, 0, (max), FAULT_NONE, NULL \
	}

/* buf_init - the same at run time. */
void buf_init(struct buf *buf, size_t max_bytes);

/* buf_lend - an empty buf begins in the caller's bytes, which are to outlive
 * it: while they are enough nothing is allocated. */
void buf_lend(struct buf *buf, char *storage, size_t bytes);

/* buf_drop - wipe, free, and be as after buf_init(); NULL is allowed. */
void buf_drop(struct buf *buf);

/*
 * buf_add, buf_add_str - append.  Sticky faults: FAULT_TOO_BIG over the
 * limit, FAULT_NOMEM.  A failed addition appends nothing.
 */
void buf_add(struct buf *buf, struct span bytes);
void buf_add_str(struct buf *buf, const char *s);

#define buf_add_lit(buf, literal) \
	buf_add((buf), (struct span){ "" literal, sizeof(literal) - 1 })

/* buf_add_int - append a decimal number. */
void buf_add_int(struct buf *buf, int64_t number);

/*
 * buf_space - make room for up to want more bytes and give the address of
 * the first; *got_out is how many there really are (less near the limit, 0
 * at it: then the sticky fault is FAULT_TOO_BIG).  NULL on a fault.
 * buf_used() then says how many of them were filled.
 */
char *buf_space(struct buf *buf, size_t want, size_t *got_out);
void buf_used(struct buf *buf, size_t filled);

/* buf_consume - remove the first n bytes; what was moved away is wiped. */
void buf_consume(struct buf *buf, size_t n);

/* buf_fault - the first fault, or FAULT_NONE. */
enum fault buf_fault(const struct buf *buf) MUST_CHECK;

/* buf_span - the bytes; valid until the next change. */
struct span buf_span(const struct buf *buf);

/*
 * string_set - replace a terminated string by a copy of text; NULL p clears
 * it.  FAULT_NOMEM, then the old one stays.
 */
enum fault string_set(char **slot, struct span text) MUST_CHECK;

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
