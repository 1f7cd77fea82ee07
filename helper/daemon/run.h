/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * run - a helper from its open sockets to its end: the lock, the signals, the
 * supervisor, the order in which it stops
 */
#ifndef MAILTOKEN_DAEMON_RUN_H
#define MAILTOKEN_DAEMON_RUN_H

#include "daemon/config.h"
#include "daemon/listen.h"

struct run_start {
	const struct config_source *source;
	const char *log_level; /* likewise */
	struct config *config; /* NULL: there is none, because of */
	const char *trouble;
	struct listeners *listeners;
	int ready_fd; /* a byte to who waits in the foreground; or -1 */
};

enum run_end {
	RUN_STOPPED,
	RUN_FAILED,
	RUN_HELD /* another helper kept the keyring */
};

/* run_complain - a line to stderr, for who started it; nothing where nobody
 * reads, which must not keep it from its end. */
void run_complain(const char *text);

/* run_helper - returns when it was told to stop; what was wrong is said. */
enum run_end run_helper(const struct run_start *start);

#endif
