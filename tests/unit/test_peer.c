/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who a peer is comes from the kernel, and who may do what from numbers.
 */
#include "daemon/peer.h"

#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static void the_kernel_says_uid_pid_and_groups(void **state)
{
	gid_t groups[64];
	id_t none = (id_t)-1;
	struct access_list list = { { NULL, 0 }, { &none, 1 } };
	int fds[2], n;
	struct peer peer;
	bool partial;

	(void)state;
	partial = !peer_setup();
	n = getgroups(64, groups);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(peer_read(fds[0], &peer), FAULT_NONE);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, getpid());
	assert_null(peer.groups);
	assert_false(peer_in(&peer, &list));
	assert_int_equal(peer.groups[0], getegid());
	assert_int_equal(peer.n_groups, n + 1);
	assert_int_equal(peer.overflow, partial && geteuid() == 65534);
	assert_int_equal(peer.root, !peer.overflow);
	peer_drop(&peer);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* In a child: become somebody with groups, and be read. */
static int child_with_groups(void)
{
	const gid_t groups[] = { 4711, 4712, 4713 };
	struct access_list list = { { NULL, 0 }, { NULL, 0 } };
	struct peer peer;
	int fds[2];

	if (setgroups(3, groups) != 0 || setgid(4700) != 0 || setuid(4699) != 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
	    peer_read(fds[0], &peer) != FAULT_NONE)
		return 2;
	if (access_list_add(&list, "@4713") != FAULT_NONE ||
	    !peer_in(&peer, &list))
		return 4;
	if (peer.uid != 4699 || peer.n_groups != 4 || peer.groups[0] != 4700)
		return 3;
	peer_drop(&peer);
	access_list_drop(&list);
	return 0;
}

static void run_child(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void supplementary_groups_count(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	run_child(child_with_groups);
}

/* In a user namespace that maps nobody, the peer is the overflow uid. */
static int child_in_namespace(void)
{
	struct access_list list = { { NULL, 0 }, { NULL, 0 } };
	struct peer peer;
	int fds[2];

	if (unshare(CLONE_NEWUSER) != 0)
		return 77;
	if (peer_setup() || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
	    peer_read(fds[0], &peer) != FAULT_NONE)
		return 1;
	if (!peer.overflow || peer.root)
		return 2;
	if (access_list_add(&list, "65534") != FAULT_NONE ||
	    peer_in(&peer, &list))
		return 3;
	peer_drop(&peer);
	access_list_drop(&list);
	return 0;
}

static void an_overflow_peer_is_nobody_of_ours(void **state)
{
	(void)state;
	run_child(child_in_namespace);
}

static void a_list_names_users_groups_and_numbers(void **state)
{
	gid_t groups[] = { 7, 8 };
	struct peer peer = { .uid = 5, .groups = groups, .n_groups = 2 };
	struct access_list list = { { NULL, 0 }, { NULL, 0 } };

	(void)state;
	assert_false(peer_in(&peer, &list));
	assert_int_equal(access_list_add(&list, "nosuchuser"), FAULT_NOT_FOUND);
	assert_int_equal(access_list_add(&list, "@nosuchgroup"),
	    FAULT_NOT_FOUND);
	assert_int_equal(access_list_add(&list, ""), FAULT_NOT_FOUND);
	assert_int_equal(access_list_add(&list, "@"), FAULT_NOT_FOUND);
	assert_int_equal(access_list_add(&list, "4294967295"), FAULT_NOT_FOUND);
	assert_int_equal(access_list_add(&list, "root"), FAULT_NONE);
	assert_int_equal(access_list_add(&list, "@root"), FAULT_NONE);
	assert_int_equal(list.uids.n, 1);
	assert_int_equal(list.uids.at[0], 0);
	assert_int_equal(list.gids.n, 1);
	assert_false(peer_in(&peer, &list));
	assert_int_equal(access_list_add(&list, "@8"), FAULT_NONE);
	assert_true(peer_in(&peer, &list));
	groups[1] = 9;
	assert_false(peer_in(&peer, &list));
	assert_int_equal(access_list_add(&list, "5"), FAULT_NONE);
	assert_true(peer_in(&peer, &list));
	access_list_drop(&list);
	access_list_drop(NULL);
	assert_false(peer_in(&peer, &list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_says_uid_pid_and_groups),
		cmocka_unit_test(supplementary_groups_count),
		cmocka_unit_test(an_overflow_peer_is_nobody_of_ours),
		cmocka_unit_test(a_list_names_users_groups_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
