/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * peer - who is at the other end of a connection, as the kernel says
 *
 * As it was when the peer connected (SO_PEERCRED, SO_PEERGROUPS); never asked
 * of NSS.  Its groups are read when a list first names some.
 */
#ifndef MAILTOKEN_DAEMON_PEER_H
#define MAILTOKEN_DAEMON_PEER_H

#include <sys/types.h>

#include "wire/fault.h"

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;     /* for the log only */
	bool root;     /* or the helper's own uid; never with overflow */
	bool overflow; /* shown as the overflow uid by a user
				   namespace that does not map all uids */
	int fd;	       /* of its connection */
	gid_t *groups; /* primary and supplementary; NULL: not read yet */
	size_t n_groups;
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

/* peer_read - fd stays the caller's, and open while peer_in() is called.
 * FAULT_IO. */
enum fault peer_read(int fd, struct peer *peer_out) MUST_CHECK;
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

/* peer_in - whether a sorted list names the peer's uid or a group of it;
 * groups that cannot be read are none. */
bool peer_in(struct peer *peer, const struct access_list *list);

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
