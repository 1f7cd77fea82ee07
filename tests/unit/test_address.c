/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which paths the environment gives, and whom a client believes.
 */
#include "wire/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "test.h"

static int clear(void **state)
{
	(void)state;
	(void)unsetenv("MAILTOKEN_SOCKET");
	(void)unsetenv("XDG_RUNTIME_DIR");
	(void)unsetenv("XDG_STATE_HOME");
	(void)unsetenv("XDG_CONFIG_HOME");
	(void)unsetenv("HOME");
	return 0;
}

static void set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0);
}

static bool has_run_user(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/run/user/%lu",
	    (unsigned long)getuid());
	return access(path, F_OK) == 0;
}

static void named_paths_are_absolute_and_fit(void **state)
{
	struct address address;
	char path[200];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_int_equal(address_set(path, &address), FAULT_NONE);
	assert_string_equal(address.path, path);

	path[107] = 'a';
	path[108] = '\0';
	assert_int_equal(address_set(path, &address), FAULT_TOO_BIG);
	assert_int_equal(address_set("run/socket", &address), FAULT_GRAMMAR);
	assert_int_equal(address_set("", &address), FAULT_GRAMMAR);
	assert_int_equal(strlen(address.path), 107);
}

static void runtime_directory_comes_first(void **state)
{
	struct address address;

	(void)state;
	set("XDG_RUNTIME_DIR", "/run/here");
	set("XDG_STATE_HOME", "/state");
	set("HOME", "/home/me");
	assert_int_equal(address_user_socket(&address), FAULT_NONE);
	assert_string_equal(address.path, "/run/here/mailtoken/socket");
}

static void state_home_is_the_last_resort(void **state)
{
	struct address address;

	(void)state;
	if (has_run_user()) {
		print_message("skipped: there is a /run/user/UID\n");
		skip();
	}
	assert_int_equal(address_user_socket(&address), FAULT_NOT_FOUND);
	set("HOME", "/home/me");
	assert_int_equal(address_user_socket(&address), FAULT_NONE);
	assert_string_equal(address.path,
	    "/home/me/.local/state/mailtoken/socket");
	set("XDG_STATE_HOME", "/state");
	assert_int_equal(address_user_socket(&address), FAULT_NONE);
	assert_string_equal(address.path, "/state/mailtoken/socket");
	/* A relative one is as if unset. */
	set("XDG_STATE_HOME", "state");
	set("XDG_RUNTIME_DIR", "run");
	assert_int_equal(address_user_socket(&address), FAULT_NONE);
	assert_string_equal(address.path,
	    "/home/me/.local/state/mailtoken/socket");
}

static void too_long_a_runtime_directory_is_a_fault(void **state)
{
	char path[ADDRESS_FILE_MAX_BYTES + 100];
	struct address address;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[107 - 17] = '\0'; /* 17: "/mailtoken/socket" */
	set("XDG_RUNTIME_DIR", path);
	assert_int_equal(address_user_socket(&address), FAULT_NONE);
	assert_int_equal(strlen(address.path), 107);
	path[107 - 17] = 'a';
	path[108 - 17] = '\0';
	set("XDG_RUNTIME_DIR", path);
	assert_int_equal(address_user_socket(&address), FAULT_TOO_BIG);
	assert_int_equal(strlen(address.path), 107);
}

static void a_named_socket_is_the_only_candidate(void **state)
{
	struct addresses addresses;

	(void)state;
	set("XDG_RUNTIME_DIR", "/run/here");
	set("MAILTOKEN_SOCKET", "/tmp/socket");
	assert_int_equal(address_candidates(&addresses), FAULT_NONE);
	assert_int_equal(addresses.n, 1);
	assert_string_equal(addresses.at[0].path, "/tmp/socket");
}

static void a_bad_named_socket_is_a_fault(void **state)
{
	struct addresses addresses = { .n = 7 };
	char path[200];

	(void)state;
	set("MAILTOKEN_SOCKET", "relative/socket");
	assert_int_equal(address_candidates(&addresses), FAULT_GRAMMAR);
	set("MAILTOKEN_SOCKET", "");
	assert_int_equal(address_candidates(&addresses), FAULT_GRAMMAR);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	set("MAILTOKEN_SOCKET", path);
	assert_int_equal(address_candidates(&addresses), FAULT_TOO_BIG);
	assert_int_equal(addresses.n, 7);
}

/* 0 when root is asked the system's only, others their own first. */
static int candidates_as_they_are(void)
{
	struct addresses addresses;
	struct address system;
	const char *last;

	if (address_candidates(&addresses) != FAULT_NONE)
		return 1;
	address_system_socket(&system);
	last = addresses.at[addresses.n - 1].path;
	if (strcmp(last, system.path) != 0)
		return 2;
	if (getuid() == 0)
		return addresses.n == 1 ? 0 : 3;
	return addresses.n == 2 &&
		strcmp(addresses.at[0].path, "/run/here/mailtoken/socket") ==
		    0 ?
	    0 :
	    4;
}

static int in_child(uid_t real, uid_t effective, int (*step)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (real != getuid() &&
		    setresuid(real, effective, effective) != 0)
			_exit(99);
		if (real == getuid() && effective != geteuid() &&
		    seteuid(effective) != 0)
			_exit(99);
		_exit(step());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void root_asks_the_system_helper_only(void **state)
{
	(void)state;
	set("XDG_RUNTIME_DIR", "/run/here");
	assert_int_equal(candidates_as_they_are(), 0);
	if (getuid() == 0)
		assert_int_equal(in_child(1, 1, candidates_as_they_are), 0);
}

static void user_paths_follow_xdg(void **state)
{
	char path[ADDRESS_FILE_MAX_BYTES];

	(void)state;
	assert_int_equal(address_user_keyring(path), FAULT_NOT_FOUND);
	assert_int_equal(address_user_config(path), FAULT_NOT_FOUND);
	set("HOME", "/home/me");
	assert_int_equal(address_user_keyring(path), FAULT_NONE);
	assert_string_equal(path, "/home/me/.local/state/mailtoken/keyring");
	assert_int_equal(address_user_config(path), FAULT_NONE);
	assert_string_equal(path, "/home/me/.config/mailtoken/mailtoken.conf");
	set("XDG_STATE_HOME", "/state");
	set("XDG_CONFIG_HOME", "/config");
	assert_int_equal(address_user_keyring(path), FAULT_NONE);
	assert_string_equal(path, "/state/mailtoken/keyring");
	assert_int_equal(address_user_config(path), FAULT_NONE);
	assert_string_equal(path, "/config/mailtoken/mailtoken.conf");
}

static void too_long_a_home_is_a_fault(void **state)
{
	char home[2 * ADDRESS_FILE_MAX_BYTES], path[ADDRESS_FILE_MAX_BYTES];

	(void)state;
	memset(home, 'a', sizeof(home));
	home[0] = '/';
	home[sizeof(home) - 1] = '\0';
	set("HOME", home);
	assert_int_equal(address_user_keyring(path), FAULT_TOO_BIG);
	set("XDG_STATE_HOME", home);
	assert_int_equal(address_user_keyring(path), FAULT_TOO_BIG);
}

static int trusts_environment(void)
{
	char path[ADDRESS_FILE_MAX_BYTES];
	struct address address;

	return address_user_keyring(path) == FAULT_NOT_FOUND &&
		address_user_config(path) == FAULT_NOT_FOUND &&
		address_user_socket(&address) == FAULT_NOT_FOUND ?
	    0 :
	    1;
}

static void more_rights_mean_no_environment(void **state)
{
	(void)state;
	if (getuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	set("HOME", "/home/me");
	set("XDG_RUNTIME_DIR", "/run/here");
	assert_int_equal(in_child(0, 1, trusts_environment), 0);
	assert_int_equal(in_child(1, 0, trusts_environment), 0);
}

static void owner_is_that_of_the_directory(void **state)
{
	char dir[SCRATCH_BYTES], path[SCRATCH_BYTES];
	struct address address;
	struct why why;
	uid_t owner = 12345;

	(void)state;
	scratch_new(dir);
	scratch_path(dir, "socket", path);
	assert_int_equal(address_set(path, &address), FAULT_NONE);
	assert_int_equal(address_owner(&address, &owner, &why), FAULT_NONE);
	assert_int_equal(owner, geteuid());

	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(address_owner(&address, &owner, &why),
	    FAULT_UNTRUSTED);
	assert_non_null(strstr(why.text, "chmod go-w "));
	assert_non_null(strstr(why.text, dir));
	assert_int_equal(chmod(dir, 0702), 0);
	assert_int_equal(address_owner(&address, &owner, &why),
	    FAULT_UNTRUSTED);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(address_owner(&address, &owner, &why), FAULT_NONE);
	if (getuid() == 0) {
		assert_int_equal(chown(dir, 1, 1), 0);
		assert_int_equal(address_owner(&address, &owner, &why),
		    FAULT_NONE);
		assert_int_equal(owner, 1);
	}
	scratch_drop(dir);
	assert_int_equal(address_owner(&address, &owner, &why),
	    FAULT_NOT_FOUND);
	assert_int_equal(why.err, ENOENT);

	assert_int_equal(address_set("/socket", &address), FAULT_NONE);
	assert_int_equal(address_owner(&address, &owner, &why), FAULT_NONE);
	assert_int_equal(owner, 0);
}

static void strangers_are_not_believed(void **state)
{
	struct why why;
	int fds[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(address_check_peer(fds[0], 12345, &why), FAULT_NONE);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(address_check_peer(-1, 0, &why), FAULT_IO);
	if (getuid() != 0) {
		print_message("skipped: the rest needs root\n");
		skip();
	}
	assert_int_equal(seteuid(1), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(address_check_peer(fds[0], 0, &why), FAULT_UNTRUSTED);
	assert_non_null(strstr(why.text, "user daemon "));
	assert_int_equal(address_check_peer(fds[0], 1, &why), FAULT_NONE);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(named_paths_are_absolute_and_fit, clear),
		cmocka_unit_test_setup(runtime_directory_comes_first, clear),
		cmocka_unit_test_setup(state_home_is_the_last_resort, clear),
		cmocka_unit_test_setup(too_long_a_runtime_directory_is_a_fault,
		    clear),
		cmocka_unit_test_setup(a_named_socket_is_the_only_candidate,
		    clear),
		cmocka_unit_test_setup(a_bad_named_socket_is_a_fault, clear),
		cmocka_unit_test_setup(root_asks_the_system_helper_only, clear),
		cmocka_unit_test_setup(user_paths_follow_xdg, clear),
		cmocka_unit_test_setup(too_long_a_home_is_a_fault, clear),
		cmocka_unit_test_setup(more_rights_mean_no_environment, clear),
		cmocka_unit_test_setup(owner_is_that_of_the_directory, clear),
		cmocka_unit_test_setup(strangers_are_not_believed, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
