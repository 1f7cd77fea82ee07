/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * import - records to the helper, from wherever they come
 */
#ifndef MAILTOKEN_CLI_IMPORT_H
#define MAILTOKEN_CLI_IMPORT_H

#include "cli/talk.h"

#define IMPORT_STDIN "standard input"

/* import_may_read - whether standard input is no terminal; told if it is. */
bool import_may_read(void);

/*
 * import_read - append what fd has, until its end or until out is full
 *
 * name  in: of the file, for why
 *
 * FAULT_IO, those of buf.
 */
enum fault import_read(int fd, const char *name, struct buf *out,
    struct why *why) MUST_CHECK;

/*
 * import_begin - a request for an account (NULL: the record names it); the
 * record's attributes follow
 * import_send - send it and tell what becomes of it.  where says what came
 * from where, if it is refused; that makes OUTCOME_NO, because the command
 * was right.
 */
void import_begin(struct talk *talk, struct command *command,
    const char *account);
enum outcome import_send(struct talk *talk, const char *where);

/* import_refuse - tell why it was not even sent. */
enum outcome import_refuse(const char *where, const char *text);

#endif
