/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * json - attribute lists as JSON objects (RFC 8259)
 *
 * Writes only.  Names are those of mailtoken-protocol(7); numbers and times
 * become numbers, yes/no becomes true/false, lists become arrays.  The output
 * is always valid UTF-8, and without control characters.
 */
#ifndef MAILTOKEN_CLI_JSON_H
#define MAILTOKEN_CLI_JSON_H

#include "wire/attr.h"

/* json_string - append text as a string, with its quotes. */
void json_string(struct buf *out, struct span text);

/* json_object - append a list, without its first attribute, on one line. */
void json_object(struct buf *out, const struct attrs *attrs);

#endif
