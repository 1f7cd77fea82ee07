/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two descriptors, one poll.
 */
#include "cli/paste.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "wire/peerio.h"

#define QUIET_MS    300 /* after a line, before it is whole */
#define WAIT_MAX_MS 60000

void paste_open(struct paste *paste)
{
	paste->open = true;
	paste->line = false;
	buf_drop(&paste->in);
}

void paste_close(struct paste *paste)
{
	paste->open = false;
	paste->line = false;
	buf_drop(&paste->in);
}

/* A job in the background would be stopped by reading its terminal. */
static bool is_ours(void)
{
	pid_t front = tcgetpgrp(STDIN_FILENO);

	return front == -1 || front == getpgrp();
}

static void add_bytes(struct paste *paste, struct span bytes, bool *whole)
{
	size_t i;

	for (i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		if (c == '\n') {
			*whole = *whole ||
			    (paste->line && (i == 0 || bytes.p[i - 1] == '\n'));
			paste->line = paste->in.n > 0;
		} else if ((unsigned char)c > 0x20 && c != 0x7f) {
			buf_add(&paste->in, (struct span){ &c, 1 });
		}
	}
	/* Too long for any address: the helper says so of what fits. */
	paste->in.fault = FAULT_NONE;
}

/* True when an empty line, or the end, makes it whole. */
static bool read_some(struct paste *paste)
{
	char bytes[4096];
	bool whole = false;
	ssize_t n;

	n = read(STDIN_FILENO, bytes, sizeof(bytes));
	paste->quiet_ms = peerio_now_ms() + QUIET_MS;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		paste->ended = true;
		return paste->in.n > 0;
	}
	add_bytes(paste, (struct span){ bytes, (size_t)n }, &whole);
	explicit_bzero(bytes, sizeof(bytes));
	return whole && paste->in.n > 0;
}

static int wait_ms(const struct paste *paste, int64_t wake_ms)
{
	int64_t left_ms;

	if (paste->line && wake_ms > paste->quiet_ms)
		wake_ms = paste->quiet_ms;
	if (wake_ms == PEERIO_FOREVER)
		return WAIT_MAX_MS;
	left_ms = wake_ms - peerio_now_ms();
	if (left_ms > WAIT_MAX_MS)
		return WAIT_MAX_MS;
	return left_ms > 0 ? (int)left_ms : 0;
}

bool paste_wait(struct paste *paste, int fd, int64_t wake_ms)
{
	struct pollfd polls[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int n;

	if (paste->ended || !is_ours())
		polls[1].fd = -1;
	n = poll(polls, 2, wait_ms(paste, wake_ms));
	if (n < 0)
		return false;
	if (n > 0 && polls[1].fd >= 0 && polls[1].revents != 0)
		return read_some(paste);
	return paste->line && peerio_now_ms() >= paste->quiet_ms;
}

struct span paste_text(const struct paste *paste)
{
	return buf_span(&paste->in);
}
