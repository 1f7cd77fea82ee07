/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * record - a list of the helper's as it is, for programs
 */
#ifndef MAILTOKEN_CLI_RECORD_H
#define MAILTOKEN_CLI_RECORD_H

#include "cli/command.h"

/*
 * record_lines - append "name=value" lines without the first attribute,
 * values made harmless; "event=done" before a list that only has a result.
 */
void record_lines(struct buf *out, const struct attrs *attrs);

/* record_show - write it to stdout: lines, or an object with --json. */
enum fault record_show(const struct command *command, const struct attrs *attrs,
    struct why *why) MUST_CHECK;

#endif
