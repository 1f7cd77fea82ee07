/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the helper gives up stays given up.  Every case is a child, because
 * nothing of this can be undone; its exit status says which check failed.
 */
#include "daemon/harden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static struct why why;
static char base[64], keyring[100], config[100], elsewhere[100];

static void run_child(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int child_starts(void)
{
	struct rlimit core, files;
	struct sigaction pipe_action;

	if (dup2(1, 3) != 3 || dup2(1, 4) != 4 || dup2(1, 5) != 5 ||
	    dup2(1, 700) != 700)
		return 1;
	if (harden_start(2, &why) != FAULT_NONE)
		return 2;
	if (!is_open(3) || !is_open(4) || is_open(5) || is_open(700))
		return 3;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 ||
	    core.rlim_max != 0)
		return 4;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 5;
	if (umask(0) != 077)
		return 6;
	if (sigaction(SIGPIPE, NULL, &pipe_action) != 0 ||
	    pipe_action.sa_handler != SIG_IGN)
		return 7;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    (files.rlim_cur < 8192 && files.rlim_cur != files.rlim_max))
		return 8;
	return 0;
}

static void a_start_leaves_no_core_and_no_stray_descriptor(void **state)
{
	(void)state;
	run_child(child_starts);
}

static int child_without_standard(void)
{
	struct stat null, st;
	int fd;

	(void)close(0);
	(void)close(2);
	if (harden_start(0, &why) != FAULT_NONE ||
	    stat("/dev/null", &null) != 0)
		return 1;
	for (fd = 0; fd <= 2; fd += 2)
		if (fstat(fd, &st) != 0 || st.st_rdev != null.st_rdev)
			return 2;
	/* A file opened now must not become the log. */
	fd = open("/", O_RDONLY);
	return fd == 3 ? 0 : 3;
}

static void missing_standard_descriptors_are_filled(void **state)
{
	(void)state;
	run_child(child_without_standard);
}

static int child_limits_files(void)
{
	struct rlimit files = { 256, 10000 };

	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return 77;
	if (harden_start(0, &why) != FAULT_NONE ||
	    getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 1;
	return files.rlim_cur == 8192 ? 0 : 2;
}

static void the_descriptor_limit_is_raised(void **state)
{
	(void)state;
	run_child(child_limits_files);
}

static int child_drops(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	gid_t groups[8];
	uid_t uid;

	if (nobody == NULL)
		return 77;
	uid = nobody->pw_uid;
	if (harden_drop("nobody", &why) != FAULT_NONE)
		return 1;
	if (getuid() != uid || geteuid() != uid)
		return 2;
	if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0 ||
	    setgid(0) == 0)
		return 3;
	if (getgroups(8, groups) != 1 || groups[0] == 0)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_DUMPABLE) != 0)
		return 5;
	return access("/root", R_OK) == 0 ? 6 : 0;
}

static void roots_rights_cannot_be_had_again(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	run_child(child_drops);
}

static void an_unknown_user_is_said_with_the_cure(void **state)
{
	(void)state;
	assert_int_equal(harden_drop("nosuchuser", &why), FAULT_NOT_FOUND);
	assert_non_null(strstr(why.text, "useradd --system"));
	assert_non_null(strstr(why.text, "nosuchuser"));
}

static void the_helper_does_not_work_as_root(void **state)
{
	(void)state;
	assert_int_equal(harden_drop("root", &why), FAULT_DENIED);
	assert_non_null(strstr(why.text, "refuses to work as root"));
}

static int write_small(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return -1;
	if (write(fd, "x", 1) != 1)
		return -1;
	return close(fd);
}

static int make_tree(void **state)
{
	char name[128];

	(void)state;
	(void)snprintf(base, sizeof(base), "/tmp/mailtoken-harden-XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	(void)snprintf(keyring, sizeof(keyring), "%s/keyring", base);
	(void)snprintf(config, sizeof(config), "%s/config", base);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", base);
	if (mkdir(keyring, 0700) != 0 || mkdir(config, 0700) != 0 ||
	    mkdir(elsewhere, 0700) != 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%s/ca.pem", config);
	if (write_small(name) != 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%s/mail", elsewhere);
	return write_small(name);
}

static int remove_tree(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static int enter_sandbox(void)
{
	char nowhere[] = "/nonexistent/x";
	char *files[] = { config, nowhere };
	struct harden_paths paths = { keyring, files, 2, NULL };
	char word[32];

	if (harden_sandbox(&paths, word, sizeof(word), &why) != FAULT_NONE)
		return 1;
	if (strcmp(word, "no-landlock") == 0)
		return 77;
	if (strncmp(word, "landlock-abi-", 13) != 0)
		return 1;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static bool can_read(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static int child_reads(void)
{
	static const char *const denied[] = {
		"/root",
		"/home",
		"/tmp",
	};
	static const char *const allowed[] = {
		"/etc/passwd",
		"/etc/nsswitch.conf",
		"/etc/ssl/certs",
		"/usr/lib",
		"/run",
		"/var/lib",
		"/dev/urandom",
		"/dev/null",
		"/proc/sys/kernel/ostype",
	};
	char name[128];
	int status = enter_sandbox();
	size_t i;

	if (status != 0)
		return status;
	for (i = 0; i < COUNT(denied); i++)
		if (can_read(denied[i]))
			return 10 + (int)i;
	for (i = 0; i < COUNT(allowed); i++)
		if (!can_read(allowed[i]) && errno != ENOENT)
			return 20 + (int)i;
	(void)snprintf(name, sizeof(name), "%s/mail", elsewhere);
	if (can_read(name))
		return 30;
	(void)snprintf(name, sizeof(name), "%s/ca.pem", config);
	return can_read(name) ? 0 : 31;
}

static void the_sandbox_reads_what_is_needed_only(void **state)
{
	(void)state;
	run_child(child_reads);
}

static int child_writes(void)
{
	char name[128], to[128];
	int status = enter_sandbox();

	if (status != 0)
		return status;
	(void)snprintf(name, sizeof(name), "%s/.tmp-1", keyring);
	(void)snprintf(to, sizeof(to), "%s/alice", keyring);
	if (write_small(name) != 0 || rename(name, to) != 0)
		return 10;
	if (truncate(to, 0) != 0 || !can_read(to) || !can_read(keyring))
		return 11;
	(void)snprintf(name, sizeof(name), "%s/alice", elsewhere);
	if (rename(to, name) == 0 || link(to, name) == 0)
		return 12;
	if (unlink(to) != 0)
		return 13;
	(void)snprintf(name, sizeof(name), "%s/x", keyring);
	if (mkdir(name, 0700) == 0 || symlink("/etc", name) == 0)
		return 14;
	(void)snprintf(name, sizeof(name), "%s/ca.pem", config);
	if (write_small(name) == 0 || unlink(name) == 0 ||
	    truncate(name, 0) == 0)
		return 15;
	(void)snprintf(name, sizeof(name), "%s/x", elsewhere);
	if (write_small(name) == 0 || write_small("/etc/mailtoken-x") == 0)
		return 16;
	if (execl("/bin/true", "true", (char *)NULL) == 0)
		return 17;
	return errno == EACCES ? 0 : 18;
}

static void the_sandbox_writes_the_keyring_only_and_runs_nothing(void **state)
{
	(void)state;
	run_child(child_writes);
}

static int child_rotates(void)
{
	char name[128], next[128];
	int go[2], done[2], status;
	char byte;
	pid_t pid;

	(void)snprintf(name, sizeof(name), "%s/ca.pem", config);
	(void)snprintf(next, sizeof(next), "%s/ca.new", config);
	if (pipe(go) != 0 || pipe(done) != 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		/* Outside of the sandbox: a new file under the old name. */
		if (read(go[0], &byte, 1) != 1 || write_small(next) != 0 ||
		    rename(next, name) != 0 || write(done[1], "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	status = enter_sandbox();
	if (write(go[1], "x", 1) != 1 || read(done[0], &byte, 1) != 1 ||
	    waitpid(pid, NULL, 0) != pid)
		return 2;
	if (status != 0)
		return status;
	return can_read(name) ? 0 : 3;
}

static void a_rotated_file_can_be_opened_again(void **state)
{
	(void)state;
	run_child(child_rotates);
}

static int child_resolves(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof(address);
	struct addrinfo *found = NULL;
	int listener, client, status = enter_sandbox();

	if (status != 0)
		return status;
	if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
		return 10;
	freeaddrinfo(found);
	if (getpwnam("nobody") == NULL)
		return 11;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, n) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &n) != 0)
		return 12;
	return connect(client, (struct sockaddr *)&address, n) == 0 ? 0 : 13;
}

static void names_resolve_and_connections_work_inside(void **state)
{
	(void)state;
	run_child(child_resolves);
}

#define SANDBOX(name) \
	cmocka_unit_test_setup_teardown(name, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_start_leaves_no_core_and_no_stray_descriptor),
		cmocka_unit_test(missing_standard_descriptors_are_filled),
		cmocka_unit_test(the_descriptor_limit_is_raised),
		cmocka_unit_test(roots_rights_cannot_be_had_again),
		cmocka_unit_test(an_unknown_user_is_said_with_the_cure),
		cmocka_unit_test(the_helper_does_not_work_as_root),
		SANDBOX(the_sandbox_reads_what_is_needed_only),
		SANDBOX(the_sandbox_writes_the_keyring_only_and_runs_nothing),
		SANDBOX(a_rotated_file_can_be_opened_again),
		SANDBOX(names_resolve_and_connections_work_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
