/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A client against a scripted helper, one process each.
 */
#include "wire/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "test.h"

#define REQUEST	  "mailtoken=1\nverb=version\n\n"
#define SOON_MS	  100
#define LONG_MS	  20000
#define QUEUE_MAX 64

struct bed {
	char dir[SCRATCH_BYTES];
	int listener;
	pid_t pid;
	struct ask ask;
	struct buf answer;
	struct attrs attrs;
	struct why why;
};

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char path[SCRATCH_BYTES];

	if (bed == NULL)
		return -1;
	scratch_new(bed->dir);
	scratch_path(bed->dir, "socket", path);
	bed->listener = -1;
	buf_init(&bed->answer, WIRE_LIST_MAX_BYTES);
	bed->ask.request = BYTES(REQUEST);
	*state = bed;
	return address_set(path, &bed->ask.address) == FAULT_NONE ? 0 : -1;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	if (bed->pid > 0) {
		(void)kill(bed->pid, SIGKILL);
		(void)waitpid(bed->pid, NULL, 0);
	}
	if (bed->listener >= 0)
		(void)close(bed->listener);
	buf_drop(&bed->answer);
	scratch_drop(bed->dir);
	free(bed);
	return 0;
}

/* In a child too, so without assertions. */
static int bind_socket(const struct bed *bed, int backlog)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, bed->ask.address.path, sizeof(sun.sun_path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    (backlog >= 0 && listen(fd, backlog) != 0))
		return -1;
	return fd;
}

static int accept_request(int listener)
{
	char request[sizeof(REQUEST) - 1];
	size_t n = 0;
	ssize_t got;
	int fd = accept(listener, NULL, NULL);

	while (n < sizeof(request)) {
		got = read(fd, request + n, sizeof(request) - n);
		if (got <= 0)
			_exit(2);
		n += (size_t)got;
	}
	if (memcmp(request, REQUEST, sizeof(request)) != 0)
		_exit(3);
	return fd;
}

/* A helper that answers one request with these bytes and hangs up. */
static void answer_with(struct bed *bed, struct span bytes)
{
	int fd;

	bed->listener = bind_socket(bed, 8);
	assert_true(bed->listener >= 0);
	bed->pid = fork();
	assert_true(bed->pid >= 0);
	if (bed->pid == 0) {
		fd = accept_request(bed->listener);
		_exit(write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n ? 0 : 1);
	}
}

static enum fault do_ask(struct bed *bed, int64_t ms, int64_t retry_ms)
{
	bed->ask.deadline_ms = ask_now_ms() + ms;
	bed->ask.retry_ms = retry_ms;
	return ask(&bed->ask, &bed->answer, &bed->attrs, &bed->why);
}

static void an_answer_is_read(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=1\nresult=ok\nversion=7\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NONE);
	assert_int_equal(ask_result(&bed->attrs), FAULT_NONE);
	assert_span(attr_get(&bed->attrs, "version"), "7");
}

static void an_outcome_is_an_answer(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=1\nresult=login-needed\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NONE);
	assert_int_equal(ask_result(&bed->attrs), FAULT_LOGIN_NEEDED);
}

static void garbage_is_garbled(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("\0\1\2 garbage\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_GARBLED);
}

static void another_version_is_garbled(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=2\nresult=ok\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_GARBLED);
}

static void no_result_is_garbled(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=1\nversion=7\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_GARBLED);
}

static void an_unknown_result_is_garbled(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=1\nresult=perhaps\n\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_GARBLED);
	assert_null(strstr(bed->why.text, "perhaps"));
}

static void a_cut_answer_is_garbled(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES("mailtoken=1\nresult=ok\n"));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_GARBLED);
}

static void a_hang_up_is_no_helper(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES(""));
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NO_HELPER);
}

static void an_early_refusal_is_read(void **state)
{
	struct bed *bed = *state;
	static const char busy[] = "mailtoken=1\nresult=busy\n\n";
	int fd;

	bed->listener = bind_socket(bed, 8);
	assert_true(bed->listener >= 0);
	bed->pid = fork();
	assert_true(bed->pid >= 0);
	if (bed->pid == 0) {
		/* Closes with nothing read of what was sent. */
		fd = accept(bed->listener, NULL, NULL);
		_exit(write(fd, busy, sizeof(busy) - 1) < 0);
	}
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NONE);
	assert_int_equal(ask_result(&bed->attrs), FAULT_BUSY);
}

static void silence_is_a_timeout(void **state)
{
	struct bed *bed = *state;

	bed->listener = bind_socket(bed, 8);
	assert_true(bed->listener >= 0);
	assert_int_equal(do_ask(bed, SOON_MS, 0), FAULT_TIMEOUT);
}

static void nobody_there_is_no_helper(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, ENOENT);
	assert_non_null(strstr(bed->why.text, bed->dir));
	assert_int_equal(do_ask(bed, LONG_MS, SOON_MS), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, ENOENT);
	/* The deadline ends the patience. */
	assert_int_equal(do_ask(bed, SOON_MS, LONG_MS), FAULT_NO_HELPER);
}

static void no_directory_is_no_helper(void **state)
{
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];

	scratch_path(bed->dir, "missing/socket", path);
	assert_int_equal(address_set(path, &bed->ask.address), FAULT_NONE);
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, ENOENT);
}

static void an_old_socket_is_no_helper(void **state)
{
	struct bed *bed = *state;
	int fd = bind_socket(bed, -1);

	assert_true(fd >= 0);
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, ECONNREFUSED);
	(void)close(fd);
	assert_int_equal(do_ask(bed, LONG_MS, SOON_MS), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, ECONNREFUSED);
}

static void a_late_helper_is_found(void **state)
{
	static const char ok[] = "mailtoken=1\nresult=ok\n\n";
	struct bed *bed = *state;
	int fd;

	bed->pid = fork();
	assert_true(bed->pid >= 0);
	if (bed->pid == 0) {
		/* Late on purpose. */
		(void)poll(NULL, 0, SOON_MS);
		fd = accept_request(bind_socket(bed, 8));
		_exit(write(fd, ok, sizeof(ok) - 1) < 0);
	}
	assert_int_equal(do_ask(bed, LONG_MS, LONG_MS), FAULT_NONE);
}

/* Connections that wait until the queue takes no more; how many. */
static int fill_queue(const struct bed *bed, int *fds)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int n;

	memcpy(sun.sun_path, bed->ask.address.path, sizeof(sun.sun_path));
	for (n = 0; n < QUEUE_MAX; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(fds[n] >= 0);
		if (connect(fds[n], (struct sockaddr *)&sun, sizeof(sun)) == 0)
			continue;
		assert_int_equal(errno, EAGAIN);
		(void)close(fds[n]);
		return n;
	}
	fail_msg("the queue does not fill");
	return 0;
}

static void a_full_queue_is_waited_for(void **state)
{
	static const char ok[] = "mailtoken=1\nresult=ok\n\n";
	struct bed *bed = *state;
	int fds[QUEUE_MAX], n, i, fd;

	bed->listener = bind_socket(bed, 1);
	assert_true(bed->listener >= 0);
	n = fill_queue(bed, fds);
	assert_true(n > 0);
	assert_int_equal(do_ask(bed, LONG_MS, 0), FAULT_NO_HELPER);
	assert_int_equal(bed->why.err, EAGAIN);

	bed->pid = fork();
	assert_true(bed->pid >= 0);
	if (bed->pid == 0) {
		(void)poll(NULL, 0, SOON_MS);
		for (i = 0; i < n; i++)
			(void)close(accept(bed->listener, NULL, NULL));
		fd = accept_request(bed->listener);
		_exit(write(fd, ok, sizeof(ok) - 1) < 0);
	}
	assert_int_equal(do_ask(bed, LONG_MS, LONG_MS), FAULT_NONE);
	for (i = 0; i < n; i++)
		(void)close(fds[i]);
}

static void a_directory_others_may_write_is_untrusted(void **state)
{
	struct bed *bed = *state;

	bed->listener = bind_socket(bed, 8);
	assert_true(bed->listener >= 0);
	assert_int_equal(chmod(bed->dir, 0770), 0);
	assert_int_equal(do_ask(bed, SOON_MS, 0), FAULT_UNTRUSTED);
	assert_int_equal(chmod(bed->dir, 0700), 0);
}

static void a_strange_helper_is_untrusted(void **state)
{
	struct bed *bed = *state;

	if (getuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	assert_int_equal(chmod(bed->dir, 0755), 0);
	bed->listener = bind_socket(bed, -1);
	assert_true(bed->listener >= 0);
	/* The kernel notes who calls listen(). */
	assert_int_equal(seteuid(1), 0);
	assert_int_equal(listen(bed->listener, 8), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(do_ask(bed, SOON_MS, 0), FAULT_UNTRUSTED);
	assert_int_equal(chown(bed->dir, 1, 1), 0);
	assert_int_equal(do_ask(bed, SOON_MS, 0), FAULT_TIMEOUT);
}

static void descriptors_are_closed_in_programs_and_after_use(void **state)
{
	struct bed *bed = *state;
	int before, after, fd = -1;

	bed->listener = bind_socket(bed, 8);
	assert_true(bed->listener >= 0);
	before = scratch_count("/proc/self/fd", "");
	assert_int_equal(do_ask(bed, SOON_MS, 0), FAULT_TIMEOUT);
	after = scratch_count("/proc/self/fd", "");
	assert_int_equal(before, after);
	bed->ask.deadline_ms = ask_now_ms() + LONG_MS;
	assert_int_equal(ask_open(&bed->ask, &fd, &bed->why), FAULT_NONE);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	(void)close(fd);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(an_answer_is_read),
		BED_TEST(an_outcome_is_an_answer),
		BED_TEST(garbage_is_garbled),
		BED_TEST(another_version_is_garbled),
		BED_TEST(no_result_is_garbled),
		BED_TEST(an_unknown_result_is_garbled),
		BED_TEST(a_cut_answer_is_garbled),
		BED_TEST(a_hang_up_is_no_helper),
		BED_TEST(an_early_refusal_is_read),
		BED_TEST(silence_is_a_timeout),
		BED_TEST(nobody_there_is_no_helper),
		BED_TEST(no_directory_is_no_helper),
		BED_TEST(an_old_socket_is_no_helper),
		BED_TEST(a_late_helper_is_found),
		BED_TEST(a_full_queue_is_waited_for),
		BED_TEST(a_directory_others_may_write_is_untrusted),
		BED_TEST(a_strange_helper_is_untrusted),
		BED_TEST(descriptors_are_closed_in_programs_and_after_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
