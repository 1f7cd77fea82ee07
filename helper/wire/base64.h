/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base64 - bytes that a list or a token cannot carry as they are
 *
 * RFC 4648 section 4, with padding.  Only the form that
 * the encoder makes is read: no blanks, no line ends, no spare bits.  A value
 * in pieces is a name that stands several times in one list; they are joined
 * in order.
 */
#ifndef MAILTOKEN_WIRE_BASE64_H
#define MAILTOKEN_WIRE_BASE64_H

#include "wire/attr.h"

#define BASE64_PIECE_BYTES 64000 /* fits a line, a multiple of 4 */

/* base64_add - append bytes with padding; faults stick to out. */
void base64_add(struct buf *out, struct span bytes);

/*
 * base64_decode - append the bytes that text stands for (with padding)
 *
 * FAULT_GRAMMAR, FAULT_TOO_BIG, FAULT_NOMEM; out is dropped on a fault.
 */
enum fault base64_decode(struct span text, struct buf *out) MUST_CHECK;

/*
 * base64_put - bytes as pieces under one name; faults stick to the writer's
 * buf.
 */
void base64_put(struct attr_writer *writer, const char *name,
    struct span bytes);

/*
 * base64_get - all pieces of name, decoded, appended to out
 *
 * FAULT_NOT_FOUND when it is not there; those of base64_decode().
 */
enum fault base64_get(const struct attrs *attrs, const char *name,
    struct buf *out) MUST_CHECK;

#endif
