/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Binding and adopting.  What changes the process (uid, handed-over
 * descriptors) happens in a child that answers with its exit status.
 */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervise.h"
#include "test.h"

#define NOBODY 65534

static char folder[64];
static char path[100];
static struct listeners listeners;
static struct why why;

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/mailtoken-lsn-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	memset(&listeners, 0, sizeof(listeners));
	return 0;
}

static int remove_folder(void **state)
{
	char command[100];

	(void)state;
	listen_close(&listeners);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static int connect_to(const char *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, to, strlen(to));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static enum fault bind_path(void)
{
	return listen_bind(&listeners, path, &why);
}

static void a_socket_is_0666_whatever_the_umask(void **state)
{
	mode_t saved = umask(077);
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(bind_path(), FAULT_NONE);
	assert_int_equal(umask(saved), 077);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(listeners.n, 1);
	assert_false(listeners.adopted);
	assert_string_equal(listeners.at[0].path, path);
	assert_true(fcntl(listeners.at[0].fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listeners.at[0].fd, F_GETFD) & FD_CLOEXEC);
	fd = connect_to(path);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void missing_folders_are_made(void **state)
{
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/a/b/socket", folder);
	assert_int_equal(bind_path(), FAULT_NONE);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void a_dead_socket_is_replaced(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(bind_path(), FAULT_NONE);
	listen_close(&listeners);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(bind_path(), FAULT_NONE);
	fd = connect_to(path);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void a_live_one_is_refused_and_stays(void **state)
{
	struct listeners second = { .n = 0 };
	int fd;

	(void)state;
	assert_int_equal(bind_path(), FAULT_NONE);
	assert_int_equal(listen_bind(&second, path, &why), FAULT_LOCKED);
	assert_non_null(strstr(why.text, "another helper listens on"));
	assert_non_null(strstr(why.text, path));
	assert_int_equal(second.n, 0);
	fd = connect_to(path);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void what_is_no_socket_is_refused_and_stays(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	struct stat st;

	(void)state;
	assert_int_equal(close(fd), 0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
	assert_non_null(strstr(why.text, "no socket"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(symlink("/tmp/nonexistent", path), 0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
}

static void a_socket_of_another_kind_is_refused(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
	    0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
	assert_non_null(strstr(why.text, "another kind"));
	(void)close(fd);
}

static void a_folder_that_others_can_write_is_refused(void **state)
{
	(void)state;
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
	assert_non_null(strstr(why.text, "chmod go-w"));
	assert_int_equal(access(path, F_OK), -1);
	/* Such as /tmp, whose mode is to stay. */
	assert_int_equal(chmod(folder, 01777), 0);
	assert_int_equal(bind_path(), FAULT_UNSAFE);
	assert_null(strstr(why.text, "chmod"));
	assert_non_null(strstr(why.text, "/mailtoken/socket, whose folder"));
}

static void bad_paths_are_refused(void **state)
{
	(void)state;
	assert_int_equal(listen_bind(&listeners, "socket", &why),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(listen_bind(&listeners, "/tmp/", &why),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(
	    listen_bind(&listeners,
		"/1234567890123456789012345678901234567890123456789012345678901234"
		"56789012345678901234567890123456789012345678",
		&why),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(listeners.n, 0);
}

static int run_child(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int become_nobody(void)
{
	return setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
	    setuid(NOBODY) != 0;
}

static int child_without_root(void)
{
	struct stat st;

	if (become_nobody())
		return 1;
	/* Somebody else's folder. */
	if (bind_path() == FAULT_NONE)
		return 2;
	(void)snprintf(path, sizeof(path), "%s/mine/x/socket", folder);
	if (bind_path() != FAULT_NONE)
		return 3;
	*strrchr(path, '/') = '\0';
	if (stat(path, &st) != 0 || (st.st_mode & 07777) != 0700)
		return 4;
	return 0;
}

static void without_root_only_own_folders_will_do(void **state)
{
	char mine[100];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(folder, 0755), 0);
	(void)snprintf(mine, sizeof(mine), "%s/mine", folder);
	assert_int_equal(mkdir(mine, 0755), 0);
	assert_int_equal(chown(mine, NOBODY, NOBODY), 0);
	assert_int_equal(run_child(child_without_root), 0);
}

/* As systemd does it: bound and listened by root, used by somebody else. */
static int hand_over(int fd, const char *count)
{
	char pid[24];

	if (fd != 3 && dup2(fd, 3) != 3)
		return 1;
	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	return setenv("LISTEN_PID", pid, 1) != 0 ||
	    setenv("LISTEN_FDS", count, 1) != 0;
}

static int child_adopts(void)
{
	struct ucred seen = { 0, NOBODY, NOBODY };
	socklen_t n = sizeof(seen);
	int fd;

	if (bind_path() != FAULT_NONE || hand_over(listeners.at[0].fd, "1") ||
	    become_nobody())
		return 1;
	memset(&listeners, 0, sizeof(listeners));
	if (listen_adopt(&listeners, &why) != FAULT_NONE)
		return 2;
	if (!listeners.adopted || listeners.n != 1 || listeners.at[0].fd != 3 ||
	    strcmp(listeners.at[0].path, path) != 0)
		return 3;
	if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 ||
	    (fcntl(3, F_GETFL) & O_NONBLOCK) == 0)
		return 4;
	if (getenv("LISTEN_FDS") != NULL || supervise_fds() != 1)
		return 5;
	/* The client must still see root: it trusts whom it connects to. */
	fd = connect_to(path);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &seen, &n) != 0 ||
	    seen.uid != 0)
		return 6;
	return accept(3, NULL, NULL) >= 0 ? 0 : 7;
}

static void an_adopted_socket_keeps_its_creators_credentials(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(run_child(child_adopts), 0);
}

static int child_adopts_wrong(void)
{
	int fd = open("/dev/null", O_RDONLY);

	if (hand_over(fd, "1"))
		return 1;
	return listen_adopt(&listeners, &why) == FAULT_CONFIG_ERROR &&
		strstr(why.text, "ListenStream=") != NULL ?
	    0 :
	    2;
}

static int child_adopts_not_listening(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (hand_over(fd, "1"))
		return 1;
	return listen_adopt(&listeners, &why) == FAULT_CONFIG_ERROR ? 0 : 2;
}

static void only_listening_stream_sockets_are_adopted(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_adopts_wrong), 0);
	assert_int_equal(run_child(child_adopts_not_listening), 0);
}

static int child_adopts_none(void)
{
	return listen_adopt(&listeners, &why) == FAULT_NONE &&
		listeners.n == 0 && !listeners.adopted ?
	    0 :
	    1;
}

static void nothing_handed_over_is_no_fault(void **state)
{
	(void)state;
	assert_int_equal(run_child(child_adopts_none), 0);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_is_0666_whatever_the_umask),
		TEST(missing_folders_are_made),
		TEST(a_dead_socket_is_replaced),
		TEST(a_live_one_is_refused_and_stays),
		TEST(what_is_no_socket_is_refused_and_stays),
		TEST(a_socket_of_another_kind_is_refused),
		TEST(a_folder_that_others_can_write_is_refused),
		TEST(bad_paths_are_refused),
		TEST(without_root_only_own_folders_will_do),
		TEST(an_adopted_socket_keeps_its_creators_credentials),
		TEST(only_listening_stream_sockets_are_adopted),
		TEST(nothing_handed_over_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
