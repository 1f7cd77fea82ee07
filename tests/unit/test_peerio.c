/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole lists over a socket pair, whatever the other end does.
 */
#include "wire/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define LIST	"mailtoken=1\nverb=token\n\n"
#define SOON_MS 50
#define LONG_MS 20000

struct pair {
	int ours, theirs;
	struct buf in;
	struct attrs attrs;
	struct why why;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int fds[2];

	if (pair == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	pair->ours = fds[0];
	pair->theirs = fds[1];
	buf_init(&pair->in, WIRE_LIST_MAX_BYTES);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	buf_drop(&pair->in);
	(void)close(pair->ours);
	if (pair->theirs >= 0)
		(void)close(pair->theirs);
	free(pair);
	return 0;
}

static void say(const struct pair *pair, struct span bytes)
{
	assert_int_equal(send(pair->theirs, bytes.p, bytes.n, MSG_NOSIGNAL),
	    (ssize_t)bytes.n);
}

static void hang_up(struct pair *pair)
{
	assert_int_equal(close(pair->theirs), 0);
	pair->theirs = -1;
}

static enum fault receive(struct pair *pair, int64_t ms)
{
	return ask_receive(pair->ours, &pair->in, ask_now_ms() + ms,
	    &pair->attrs, &pair->why);
}

static void a_list_is_received(void **state)
{
	struct pair *pair = *state;

	say(pair, BYTES(LIST));
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
	assert_span(attr_get(&pair->attrs, "verb"), "token");
}

static void lists_that_come_together_are_told_apart(void **state)
{
	struct pair *pair = *state;

	say(pair, BYTES(LIST "mailtoken=1\nverb=watch\n\nmail"));
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
	assert_span(attr_get(&pair->attrs, "verb"), "token");
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
	assert_span(attr_get(&pair->attrs, "verb"), "watch");
	say(pair, BYTES("token=1\nverb=last\n\n"));
	hang_up(pair);
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
	assert_span(attr_get(&pair->attrs, "verb"), "last");
	assert_int_equal(receive(pair, LONG_MS), FAULT_NO_HELPER);
}

static void dribbled_bytes_make_a_list(void **state)
{
	struct pair *pair = *state;
	static const char list[] = LIST;
	size_t i;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (i = 0; i < sizeof(list) - 1; i++)
			if (send(pair->theirs, list + i, 1, 0) != 1 ||
			    poll(NULL, 0, 1) != 0)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
	assert_span(attr_get(&pair->attrs, "verb"), "token");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_cut_list_is_garbled(void **state)
{
	struct pair *pair = *state;

	say(pair, BYTES("mailtoken=1\nverb=token\n"));
	hang_up(pair);
	assert_int_equal(receive(pair, LONG_MS), FAULT_GARBLED);
	assert_string_equal(pair->why.text, "the helper's answer is cut short");
}

static void nothing_at_all_is_no_helper(void **state)
{
	struct pair *pair = *state;

	hang_up(pair);
	assert_int_equal(receive(pair, LONG_MS), FAULT_NO_HELPER);
}

static void what_is_no_list_is_garbled(void **state)
{
	struct pair *pair = *state;

	say(pair, BYTES("HTTP/1.0 400 Bad Request\r\n\n\n"));
	assert_int_equal(receive(pair, LONG_MS), FAULT_GARBLED);
	assert_non_null(strstr(pair->why.text, "not an attribute list"));
}

static void too_long_a_line_is_garbled_before_it_ends(void **state)
{
	struct pair *pair = *state;
	char x[4096];
	int i;

	memset(x, 'x', sizeof(x));
	for (i = 0; i < 16; i++)
		say(pair, (struct span){ x, sizeof(x) });
	assert_int_equal(receive(pair, SOON_MS), FAULT_TIMEOUT);
	assert_int_equal(pair->in.n, 65536);
	say(pair, BYTES("x"));
	assert_int_equal(receive(pair, LONG_MS), FAULT_GARBLED);
}

static void an_endless_list_is_garbled(void **state)
{
	struct pair *pair = *state;
	char line[8192];
	pid_t pid = fork();
	int i;

	memset(line, 'x', sizeof(line));
	line[1] = '=';
	line[sizeof(line) - 1] = '\n';
	assert_true(pid >= 0);
	if (pid == 0) {
		for (i = 0; i < 40; i++)
			if (send(pair->theirs, line, sizeof(line),
				MSG_NOSIGNAL) < 0)
				break;
		_exit(0);
	}
	hang_up(pair);
	assert_int_equal(receive(pair, LONG_MS), FAULT_GARBLED);
	assert_true(pair->in.n <= WIRE_LIST_MAX_BYTES);
	assert_int_equal(shutdown(pair->ours, SHUT_RDWR), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void silence_is_a_timeout(void **state)
{
	struct pair *pair = *state;

	say(pair, BYTES("mailtoken=1\n"));
	assert_int_equal(receive(pair, SOON_MS), FAULT_TIMEOUT);
	assert_int_equal(receive(pair, -1), FAULT_TIMEOUT);
	/* What came is kept; the list may still be finished. */
	say(pair, BYTES("verb=x\n\n"));
	assert_int_equal(receive(pair, LONG_MS), FAULT_NONE);
}

static void on_alarm(int number)
{
	(void)number;
}

static void signals_do_not_end_a_wait(void **state)
{
	struct itimerval timer = { { 0, 3000 }, { 0, 3000 } };
	struct sigaction action = { .sa_handler = on_alarm }, old;
	struct pair *pair = *state;
	enum fault fault;

	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	fault = receive(pair, SOON_MS);
	memset(&timer, 0, sizeof(timer));
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(fault, FAULT_TIMEOUT);
}

static void sending_to_nobody_is_no_helper_and_no_signal(void **state)
{
	struct pair *pair = *state;

	hang_up(pair);
	assert_int_equal(ask_send(pair->ours, BYTES(LIST),
			     ask_now_ms() + LONG_MS, &pair->why),
	    FAULT_NO_HELPER);
	assert_int_equal(pair->why.err, EPIPE);
}

static void sending_to_who_does_not_read_is_a_timeout(void **state)
{
	struct pair *pair = *state;
	struct span big = { NULL, 8000000 };
	char *bytes = calloc(1, big.n);

	assert_non_null(bytes);
	big.p = bytes;
	assert_int_equal(
	    ask_send(pair->ours, big, ask_now_ms() + SOON_MS, &pair->why),
	    FAULT_TIMEOUT);
	free(bytes);
}

static void large_sends_arrive_whole(void **state)
{
	struct pair *pair = *state;
	struct span big = { NULL, 3000000 };
	char *bytes = calloc(1, big.n);
	size_t left = big.n;
	int status;
	pid_t pid;

	assert_non_null(bytes);
	big.p = bytes;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		while (left > 0) {
			ssize_t n = read(pair->theirs, bytes, left);

			if (n <= 0)
				_exit(1);
			left -= (size_t)n;
		}
		_exit(0);
	}
	assert_int_equal(
	    ask_send(pair->ours, big, ask_now_ms() + LONG_MS, &pair->why),
	    FAULT_NONE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(bytes);
}

static void bad_descriptors_are_io(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(
	    ask_send(-1, BYTES(LIST), ask_now_ms() + LONG_MS, &pair->why),
	    FAULT_IO);
	assert_int_equal(pair->why.err, EBADF);
	assert_int_equal(ask_receive(-1, &pair->in, ask_now_ms() + LONG_MS,
			     &pair->attrs, &pair->why),
	    FAULT_IO);
	assert_int_equal(pair->why.err, EBADF);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(a_list_is_received),
		PAIR_TEST(lists_that_come_together_are_told_apart),
		PAIR_TEST(dribbled_bytes_make_a_list),
		PAIR_TEST(a_cut_list_is_garbled),
		PAIR_TEST(nothing_at_all_is_no_helper),
		PAIR_TEST(what_is_no_list_is_garbled),
		PAIR_TEST(too_long_a_line_is_garbled_before_it_ends),
		PAIR_TEST(an_endless_list_is_garbled),
		PAIR_TEST(silence_is_a_timeout),
		PAIR_TEST(signals_do_not_end_a_wait),
		PAIR_TEST(sending_to_nobody_is_no_helper_and_no_signal),
		PAIR_TEST(sending_to_who_does_not_read_is_a_timeout),
		PAIR_TEST(large_sends_arrive_whole),
		PAIR_TEST(bad_descriptors_are_io),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
