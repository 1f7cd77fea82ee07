/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * start - which helper to ask, and the programs that this one starts
 *
 * A helper is started only where nothing else would: never by root, never
 * where a user manager of systemd runs.  What is started keeps no descriptor
 * (a mail program may run us with its connections open), no setting of a
 * signal and no terminal of its starter.
 */
#ifndef MAILTOKEN_CLI_START_H
#define MAILTOKEN_CLI_START_H

#include "cli/command.h"

#define START_MAX_MS 20000 /* until a started helper answers */

/*
 * start_choose - set helper, address, by_default and both of command
 *
 * An option or MAILTOKEN_SOCKET decides; else root gets the system's, others
 * their own if its socket or keyring is there, else the system's.
 * FAULT_TOO_BIG, FAULT_GRAMMAR, FAULT_NOT_FOUND; why has the sentence.
 */
enum fault start_choose(struct command *command, struct why *why) MUST_CHECK;

/*
 * start_fall_back - the system's helper was chosen by default and this
 * system has none: take the user's own.  FAULT_NOT_FOUND when that cannot be,
 * and where the system's is only down: a keyring made in its place would be
 * asked from then on.
 */
enum fault start_fall_back(struct command *command) MUST_CHECK;

/*
 * start_is_stale - XDG_RUNTIME_DIR names a folder that is gone: nothing can
 * be started there; why has the sentence
 */
bool start_is_stale(struct why *why);

/* start_may - whether this user's helper is ours to start. */
bool start_may(const struct command *command);

/*
 * start_helper - run program in the background until it listens
 *
 * program  in: absolute path of mailtokend
 *
 * FAULT_NONE when it has gone into the background; FAULT_TIMEOUT when it has
 * not and may still do; FAULT_NO_HELPER when it gave up; FAULT_NOT_FOUND
 * without the program; FAULT_IO.  Its exit status is in why.
 */
enum fault start_helper(const char *program, int64_t deadline_ms,
    struct why *why) MUST_CHECK;

/*
 * start_browser - open a link: $BROWSER, the first of a list with colons,
 * else xdg-open(1); never waited for
 *
 * link  in: https and nothing but printable ASCII
 *
 * FAULT_IO with errno in why when no process could be made.  What the
 * browser makes of it cannot be known.
 */
enum fault start_browser(const char *link, struct why *why) MUST_CHECK;

#endif
