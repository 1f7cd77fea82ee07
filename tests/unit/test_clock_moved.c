/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tests' own clocks move when they are told to.
 */
#include "daemon/clock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

static char folder[] = "/tmp/mailtoken-clock-XXXXXX";
static struct sockaddr_un control = { .sun_family = AF_UNIX };
static int jumps;

static void on_jump(void *ctx)
{
	(void)ctx;
	jumps++;
}

static void send_and_expect(struct event_base *base, int fd,
    const char *message, const char *answer)
{
	char got[16];

	assert_int_equal(send(fd, message, strlen(message), 0),
	    (ssize_t)strlen(message));
	assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT),
	    (ssize_t)strlen(answer));
	assert_memory_equal(got, answer, strlen(answer));
}

static void both_clocks_move_when_told(void **state)
{
	struct event_base *base = event_base_new();
	struct clock_watch *watch = NULL;
	int64_t wall = clock_wall_s(), boot = clock_boot_ms();
	struct why why;
	int listener, fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(control.sun_path, sizeof(control.sun_path), "%s/clock",
	    folder);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&control, sizeof(control)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(setenv("MAILTOKEN_TEST_CLOCK", control.sun_path, 1),
	    0);
	assert_int_equal(clock_watch_new(base, on_jump, NULL, &watch, &why),
	    FAULT_NONE);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);

	send_and_expect(base, fd, "wall 100000", "ok");
	assert_true(clock_wall_s() - wall >= 100000);
	assert_true(clock_boot_ms() - boot < 100000000);
	send_and_expect(base, fd, "boot 200000000", "ok");
	assert_true(clock_boot_ms() - boot >= 200000000);
	send_and_expect(base, fd, "wall -200000", "ok");
	assert_true(clock_wall_s() < wall);
	assert_int_equal(jumps, 3);
	send_and_expect(base, fd, "wall x", "bad");
	send_and_expect(base, fd, "moon 1", "bad");
	assert_int_equal(jumps, 3);

	send_and_expect(base, fd, "hold", "ok");
	wall = clock_wall_s();
	boot = clock_boot_ms();
	send_and_expect(base, fd, "boot 5", "ok");
	assert_int_equal(clock_boot_ms(), boot + 5);
	assert_int_equal(clock_wall_s(), wall);
	assert_int_equal(jumps, 4);

	/* A test that has ended does not keep the helper busy. */
	assert_int_equal(close(fd), 0);
	assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 1);

	clock_watch_free(watch);
	event_base_free(base);
	assert_int_equal(close(listener), 0);
	assert_int_equal(unlink(control.sun_path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_clocks_move_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
