/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * run - other programs of this system, never through a shell, and files
 */
#ifndef MAILTOKEN_OPERATOR_RUN_H
#define MAILTOKEN_OPERATOR_RUN_H

#include "wire/buf.h"

/* run_setup - once: PATH (ours beside this one where all were built, else as
 * they are installed; root's is the system's) and LC_ALL of what is run; root's
 * umask. */
void run_setup(void);

/*
 * run_program - run it to its end, at most wait_ms; then it is killed
 *
 * argv  in: to the first NULL; argv[0] is looked for in PATH
 * in    in: its standard input
 * out   in/out: what it wrote to standard output is appended, as far as there
 *       is room; NULL: of no interest
 *
 * FAULT_NONE: it ended with status 0.  FAULT_NOT_FOUND: there is no such
 * program.  FAULT_IO: another status; why has the last line that it wrote to
 * standard error, made plain.  FAULT_TIMEOUT.  Those of buf.
 */
enum fault run_program(const char *const *argv, struct span in, int64_t wait_ms,
    struct buf *out, struct why *why) MUST_CHECK;

/*
 * run - the same for PROGRAM ARGUMENTS... NULL, without input and for at most
 * a minute; false and why when it failed.  out and why may be NULL.
 */
#define RUN_MAX_MS 60000
bool run(struct buf *out, struct why *why, ...) __attribute__((sentinel));

/*
 * run_read - append a file, until its end or until out is full
 *
 * path  in: NULL: standard input
 *
 * FAULT_NOT_FOUND: it is not there.  FAULT_IO; those of buf.
 */
enum fault run_read(const char *path, struct buf *out,
    struct why *why) MUST_CHECK;

#endif
