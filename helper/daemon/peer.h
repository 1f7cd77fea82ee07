/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * peer - who is at the other end of a connection, as the kernel says
 *
 * Read once when a connection is accepted, before a byte is read
 * (SO_PEERCRED, SO_PEERGROUPS); never asked of NSS.
 */
#ifndef MAILTOKEN_DAEMON_PEER_H
#define MAILTOKEN_DAEMON_PEER_H

#include <sys/types.h>

#include "wire/fault.h"

struct peer {
	uid_t uid;
	pid_t pid;     /* for the log only */
	gid_t *groups; /* primary and supplementary */
	size_t n_groups;
	bool overflow; /* shown as the overflow uid by a user
				   namespace that does not map all uids */
};

struct id_list {
	id_t *at;
	size_t n;
};

/* A list of users and groups, resolved to numbers when it was read. */
struct access_list {
	struct id_list uids;
	struct id_list gids;
};

/* peer_read - FAULT_IO, FAULT_NOMEM. */
enum fault peer_read(int fd, struct peer *peer_out, struct why *why) MUST_CHECK;
void peer_drop(struct peer *peer);

/*
 * peer_setup - look at /proc/self/uid_map, gid_map and what unmapped ids look
 * like; once, before the sandbox closes /proc
 *
 * False when some ids are not mapped, or that cannot be read: then the
 * overflow uid and gid are nobody's (user_namespaces(7)).  That is also so
 * before it was called.
 */
bool peer_setup(void) MUST_CHECK;

/* peer_in - whether a sorted list names the peer's uid or a group of it. */
bool peer_in(const struct peer *peer, const struct access_list *list);

/* peer_is_root - root or the helper's own uid; never an overflow peer. */
bool peer_is_root(const struct peer *peer);

/*
 * access_list_add - resolve "name", "@group" or a number.  FAULT_NOT_FOUND
 * when it does not exist, FAULT_NOMEM.  access_list_join - all of another
 * list.  FAULT_NOMEM.  After either: access_list_sort(), for peer_in().
 */
enum fault access_list_add(struct access_list *list,
    const char *name) MUST_CHECK;
enum fault access_list_join(struct access_list *list,
    const struct access_list *more) MUST_CHECK;
void access_list_sort(struct access_list *list);
void access_list_drop(struct access_list *list);

#endif
