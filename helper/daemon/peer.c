/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel's word on peers, and lists of users and groups.
 */
#include "daemon/peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/attr.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define IDS_ALL	    INT64_C(4294967295)
#define OVERFLOW_ID 65534 /* the kernel's default */
#define GROUPS_MAX  65536 /* NGROUPS_MAX of Linux */

/* What this user namespace shows for an id that it does not map. */
struct mapping {
	bool partial;
	id_t overflow;
};
static struct mapping users = { true, OVERFLOW_ID };
static struct mapping groups = { true, OVERFLOW_ID };

/* The next decimal number of text; false when there is none. */
static bool next_number(const char **text, int64_t *number_out)
{
	struct span digits;

	digits.p = *text + strspn(*text, " \t");
	digits.n = strspn(digits.p, "0123456789");
	*text = digits.p + digits.n;
	return attr_number(digits, 0, IDS_ALL, number_out) == FAULT_NONE;
}

/* A line of uid_map or gid_map: first id inside, first outside, how many.
 * What cannot be read is taken for a map with holes. */
static bool maps_all(const char *path)
{
	int64_t mapped = 0, inside, outside, count;
	FILE *file = fopen(path, "re");
	const char *at;
	char line[80];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		at = line;
		if (next_number(&at, &inside) && next_number(&at, &outside) &&
		    next_number(&at, &count))
			mapped += count;
	}
	(void)fclose(file);
	return mapped >= IDS_ALL;
}

static id_t read_overflow(const char *path)
{
	FILE *file = fopen(path, "re");
	int64_t id = OVERFLOW_ID;
	const char *at;
	char line[80];

	if (file == NULL)
		return OVERFLOW_ID;
	at = fgets(line, sizeof(line), file);
	if (at == NULL || !next_number(&at, &id))
		id = OVERFLOW_ID;
	(void)fclose(file);
	return (id_t)id;
}

bool peer_setup(void)
{
	users.partial = !maps_all("/proc/self/uid_map");
	users.overflow = read_overflow("/proc/sys/kernel/overflowuid");
	groups.partial = !maps_all("/proc/self/gid_map");
	groups.overflow = read_overflow("/proc/sys/kernel/overflowgid");
	return !users.partial && !groups.partial;
}

enum fault peer_read(int fd, struct peer *peer_out)
{
	struct ucred credentials;
	socklen_t n = sizeof(credentials);
	bool overflow;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) != 0)
		return FAULT_IO;
	overflow = users.partial && credentials.uid == users.overflow;
	*peer_out = (struct peer){
		.uid = credentials.uid,
		.gid = credentials.gid,
		.pid = credentials.pid,
		.root = !overflow &&
		    (credentials.uid == 0 || credentials.uid == geteuid()),
		.overflow = overflow,
		.fd = fd,
	};
	return FAULT_NONE;
}

void peer_drop(struct peer *peer)
{
	free(peer->groups);
	peer->groups = NULL;
}

/*
 * Primary group, then what SO_PEERGROUPS says (since Linux 4.13; nothing more
 * where it is missing).
 */
static void read_groups(struct peer *peer)
{
	socklen_t bytes = 0;
	gid_t *ids;

	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) ==
		0 ||
	    errno != ERANGE || bytes > GROUPS_MAX * sizeof(gid_t))
		bytes = 0;
	ids = malloc(sizeof(gid_t) + bytes);
	if (ids == NULL)
		return;
	ids[0] = peer->gid;
	if (bytes > 0 &&
	    getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, ids + 1, &bytes) !=
		0) {
		free(ids);
		return;
	}
	peer->groups = ids;
	peer->n_groups = 1 + bytes / sizeof(gid_t);
}

static int by_number(const void *a, const void *b)
{
	const id_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool has_group(struct peer *peer, const struct id_list *list)
{
	bool found = false;
	gid_t *gid;
	size_t i;

	if (peer->groups == NULL)
		read_groups(peer);
	for (i = 0; i < peer->n_groups && !found; i++) {
		gid = &peer->groups[i];
		found = !(groups.partial && *gid == groups.overflow) &&
		    bsearch(gid, list->at, list->n, sizeof(*gid), by_number) !=
			NULL;
	}
	return found;
}

bool peer_in(struct peer *peer, const struct access_list *list)
{
	size_t from = 0, to = list->uids.n, middle;

	if (peer->overflow)
		return false;
	while (from < to) {
		middle = from + (to - from) / 2;
		if (list->uids.at[middle] == peer->uid)
			return true;
		if (list->uids.at[middle] < peer->uid)
			from = middle + 1;
		else
			to = middle;
	}
	return list->gids.n > 0 && has_group(peer, &list->gids);
}

static enum fault add_id(struct id_list *list, id_t id)
{
	id_t *longer = realloc(list->at, (list->n + 1) * sizeof(*longer));

	if (longer == NULL)
		return FAULT_NOMEM;
	longer[list->n++] = id;
	list->at = longer;
	return FAULT_NONE;
}

static enum fault join(struct id_list *list, const struct id_list *more)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < more->n && fault == FAULT_NONE; i++)
		fault = add_id(list, more->at[i]);
	return fault;
}

enum fault access_list_join(struct access_list *list,
    const struct access_list *more)
{
	enum fault fault = join(&list->uids, &more->uids);

	return fault == FAULT_NONE ? join(&list->gids, &more->gids) : fault;
}

static void sort(struct id_list *list)
{
	if (list->n > 0)
		qsort(list->at, list->n, sizeof(*list->at), by_number);
}

void access_list_sort(struct access_list *list)
{
	sort(&list->uids);
	sort(&list->gids);
}

enum fault access_list_add(struct access_list *list, const char *name)
{
	bool is_group = name[0] == '@';
	const char *bare = is_group ? name + 1 : name;
	const struct passwd *user;
	const struct group *group;
	int64_t number;

	/* A name of digits only is a number: useradd(8) makes no such user. */
	if (attr_number(span_of(bare), 0, IDS_ALL - 1, &number) == FAULT_NONE)
		return add_id(is_group ? &list->gids : &list->uids,
		    (id_t)number);
	if (is_group) {
		group = getgrnam(bare);
		return group != NULL ? add_id(&list->gids, group->gr_gid) :
				       FAULT_NOT_FOUND;
	}
	user = getpwnam(bare);
	return user != NULL ? add_id(&list->uids, user->pw_uid) :
			      FAULT_NOT_FOUND;
}

void access_list_drop(struct access_list *list)
{
	if (list == NULL)
		return;
	free(list->uids.at);
	free(list->gids.at);
	memset(list, 0, sizeof(*list));
}
