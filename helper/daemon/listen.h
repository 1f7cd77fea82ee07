/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * listen - sockets the helper answers on: handed over, or bound here
 *
 * A handed-over socket is used as it is: calling listen(2) on it would put
 * our credentials in place of the supervisor's.
 */
#ifndef MAILTOKEN_DAEMON_LISTEN_H
#define MAILTOKEN_DAEMON_LISTEN_H

#include "wire/fault.h"

#define LISTEN_MAX     8
#define LISTEN_BACKLOG 1024

struct listener {
	int fd;
	char path[108]; /* "" when it is not bound to a name */
};

struct listeners {
	struct listener at[LISTEN_MAX];
	size_t n;
	bool adopted;
};

/*
 * listen_adopt - take over LISTEN_FDS; none is no fault.  Each must be a
 * listening unix stream socket (FAULT_CONFIG_ERROR).
 */
enum fault listen_adopt(struct listeners *listeners,
    struct why *why) MUST_CHECK;

/*
 * listen_bind - one more socket at path (mode 0666); there are fewer than
 * LISTEN_MAX, as options and configuration have it
 *
 * Missing folders are made, 0700, or 0755 in one of somebody else's; the last
 * must be ours.  What stands there is asked first: FAULT_LOCKED when a helper
 * answers, FAULT_UNSAFE when it is no socket; a dead socket is replaced.
 */
enum fault listen_bind(struct listeners *listeners, const char *path,
    struct why *why) MUST_CHECK;

/* listen_close - close all; remove none (a successor may be there). */
void listen_close(struct listeners *listeners);

#endif
