/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A helper that is started keeps nothing of who started it.
 */
#include "cli/start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "test.h"
#include "wire/peerio.h"

#define WAIT_MS 20000

static char dir[SCRATCH_BYTES];

static int setup(void **state)
{
	(void)state;
	scratch_new(dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_drop(dir);
	return 0;
}

/* A shell script in place of mailtokend; out gets its path. */
static void script(const char *body, char *out)
{
	char text[2048];
	int n;

	scratch_path(dir, "mailtokend", out);
	n = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	scratch_write(out, text, (size_t)n, 0700);
}

static enum fault start(const char *program, struct why *why)
{
	return start_helper(program, peerio_now_ms() + WAIT_MS, why);
}

static void read_file(const char *leaf, char *out, size_t room)
{
	char path[SCRATCH_BYTES];
	FILE *file;
	size_t n;

	scratch_path(dir, leaf, path);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(out, 1, room - 1, file);
	out[n] = '\0';
	(void)fclose(file);
}

static void it_keeps_no_descriptor_and_no_signal(void **state)
{
	char program[SCRATCH_BYTES], body[1024], got[4096];
	struct why why;
	uint64_t ignored;
	int fd;

	(void)state;
	(void)snprintf(body, sizeof(body),
	    "cd '%s'; pwd=$PWD; echo \"$@\" >args; env >env; "
	    "readlink /proc/self/fd/0 >fds; "
	    "for n in 3 4 5 6 7 8 9 77; do "
	    "[ -e /proc/$$/fd/$n ] && readlink /proc/$$/fd/$n >>fds; done; "
	    "grep SigIgn /proc/self/status >signals; exit 0",
	    dir);
	script(body, program);
	assert_int_equal(setenv("HOME", dir, 1), 0);
	fd = open("/etc/passwd", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 77), 77);
	(void)signal(SIGPIPE, SIG_IGN);

	assert_int_equal(start(program, &why), FAULT_NONE);

	(void)signal(SIGPIPE, SIG_DFL);
	(void)close(77);
	(void)close(fd);
	read_file("args", got, sizeof(got));
	assert_string_equal(got, "--background\n");
	read_file("env", got, sizeof(got));
	assert_non_null(strstr(got, "HOME="));
	read_file("fds", got, sizeof(got));
	assert_non_null(strstr(got, "/dev/null"));
	assert_null(strstr(got, "passwd"));
	read_file("signals", got, sizeof(got));
	/* 32 and 33 are the C library's own: no program can set them. */
	ignored = strtoull(got + strlen("SigIgn:\t"), NULL, 16);
	assert_int_equal(ignored & ~(UINT64_C(3) << 31), 0);
}

static void a_start_that_fails_is_told_with_its_status(void **state)
{
	char program[SCRATCH_BYTES];
	struct why why;

	(void)state;
	script("exit 3", program);
	assert_int_equal(start(program, &why), FAULT_NO_HELPER);
	assert_non_null(strstr(why.text, "status 3"));
}

static void a_program_that_is_not_there_is_told(void **state)
{
	char program[SCRATCH_BYTES];
	struct why why;

	(void)state;
	scratch_path(dir, "none", program);
	assert_int_equal(start(program, &why), FAULT_NOT_FOUND);
}

static void a_start_that_hangs_ends_at_the_deadline(void **state)
{
	char program[SCRATCH_BYTES], fifo[SCRATCH_BYTES], body[600];
	struct why why;
	int fd;

	(void)state;
	scratch_path(dir, "fifo", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	(void)snprintf(body, sizeof(body), "read line <'%s'", fifo);
	script(body, program);
	assert_int_equal(start_helper(program, peerio_now_ms(), &why),
	    FAULT_TIMEOUT);
	/* Opens when the script does; closing it lets the script end. */
	fd = open(fifo, O_WRONLY);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void an_option_decides_which_helper(void **state)
{
	struct command command;
	struct why why;

	(void)state;
	(void)setenv("MAILTOKEN_SOCKET", "/from/env", 1);
	command = (struct command){ .verb = NULL };
	command.socket = "/some/where";
	assert_int_equal(start_choose(&command, &why), FAULT_NONE);
	assert_string_equal(command.address.path, "/some/where");
	command = (struct command){ .verb = NULL };
	assert_int_equal(start_choose(&command, &why), FAULT_NONE);
	assert_string_equal(command.address.path, "/from/env");
	command = (struct command){ .verb = NULL };
	command.system = true;
	assert_int_equal(start_choose(&command, &why), FAULT_NONE);
	assert_string_equal(command.address.path, MAILTOKEN_SYSTEM_SOCKET);
	command = (struct command){ .verb = NULL };
	command.user = true;
	(void)setenv("XDG_RUNTIME_DIR", dir, 1);
	assert_int_equal(start_choose(&command, &why), FAULT_NONE);
	assert_int_equal(command.helper, COMMAND_OWN);
	assert_non_null(strstr(command.address.path, dir));
	(void)unsetenv("MAILTOKEN_SOCKET");
}

static void a_bad_socket_path_is_told(void **state)
{
	struct command command;
	struct why why;
	char path[200];

	(void)state;
	command = (struct command){ .verb = NULL };
	command.socket = "relative";
	assert_int_equal(start_choose(&command, &why), FAULT_GRAMMAR);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	command.socket = path;
	assert_int_equal(start_choose(&command, &why), FAULT_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    it_keeps_no_descriptor_and_no_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_start_that_fails_is_told_with_its_status, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_program_that_is_not_there_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_start_that_hangs_ends_at_the_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(an_option_decides_which_helper,
		    setup, teardown),
		cmocka_unit_test(a_bad_socket_path_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
