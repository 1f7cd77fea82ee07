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

/* json_string - add text to screen_out as a string, with its quotes. */
void json_string(struct span text);

/* json_object - add a list, without its first attribute, on one line. */
void json_object(const struct attrs *attrs);

#endif
