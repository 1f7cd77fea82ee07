/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * run - a helper from its open sockets to its end: the lock, the signals, the
 * supervisor, the order in which it stops
 */
#ifndef MAILTOKEN_DAEMON_RUN_H
#define MAILTOKEN_DAEMON_RUN_H

#include "daemon/keeper.h"

/* run_complain - a line to stderr, for who started it; nothing where nobody
 * reads, which must not keep it from its end. */
void run_complain(const char *text);

/*
 * run_helper - returns the exit status when it was told to stop; what was
 * wrong is said
 *
 * options   in: base and jumped are run_helper's
 * ready_fd  in: a byte to who waits in the foreground; or -1
 */
int run_helper(const struct keeper_options *options, int ready_fd);

#endif
