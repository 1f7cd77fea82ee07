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
 * system has none: take the user's own.  False when that cannot be, and where
 * the system's is only down: a keyring made in its place would be asked from
 * then on.
 */
bool start_fall_back(struct command *command);

/* start_may - whether this user's helper is ours to start. */
bool start_may(const struct command *command);

/*
 * start_helper - run mailtokend in the background until it listens, for at
 * most 20 s; false when it did not, and why has the sentence
 */
bool start_helper(struct why *why);

/*
 * start_browser - open a link: $BROWSER, the first of a list with colons,
 * else xdg-open(1); never waited for.  False when no process could be made;
 * what the browser makes of it cannot be known.
 *
 * link  in: https and nothing but printable ASCII
 */
bool start_browser(char *link, struct why *why);

#endif
