/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocking with a deadline: poll before every call, MSG_DONTWAIT in it.
 */
#include "wire/peerio.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define RECEIVE_BYTES 4095 /* with its NUL, buf needs a block of 4096 */

int64_t peerio_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What poll(2) takes: -1 for ever, 0 when it is too late. */
static int left_ms(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == PEERIO_FOREVER)
		return -1;
	left = deadline_ms - peerio_now_ms();
	if (left < 0)
		return 0;
	return left > 60000 ? 60000 : (int)left;
}

void peerio_pause(int ms, int64_t deadline_ms)
{
	int left = left_ms(deadline_ms);

	(void)poll(NULL, 0, left >= 0 && left < ms ? left : ms);
}

/* Ready, or an error or a hang-up that the next call will tell. */
static enum fault await(int fd, short events, int64_t deadline_ms,
    struct why *why)
{
	struct pollfd poller = { .fd = fd, .events = events };
	int left, n;

	for (;;) {
		left = left_ms(deadline_ms);
		n = poll(&poller, 1, left);
		if (n > 0)
			return FAULT_NONE;
		if (n < 0 && errno != EINTR) {
			why_set(why, errno, "poll");
			return FAULT_IO;
		}
		if (left == 0) {
			why_set(why, 0, "the time ran out");
			return FAULT_TIMEOUT;
		}
	}
}

bool peerio_readable(int fd, int64_t deadline_ms)
{
	struct why why;

	return await(fd, POLLIN, deadline_ms, &why) == FAULT_NONE;
}

enum fault peerio_send(int fd, struct span bytes, int64_t deadline_ms,
    struct why *why)
{
	enum fault fault;
	ssize_t n;

	while (bytes.n > 0) {
		n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			bytes.p += n;
			bytes.n -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET) {
			why_set(why, errno, "the helper hung up");
			return FAULT_NO_HELPER;
		}
		if (errno != EAGAIN) {
			why_set(why, errno, "send");
			return FAULT_IO;
		}
		fault = await(fd, POLLOUT, deadline_ms, why);
		if (fault != FAULT_NONE)
			return fault;
	}
	return FAULT_NONE;
}

/* Some more bytes; *closed_out when the other side has sent its last. */
static enum fault receive_some(int fd, struct buf *in, int64_t deadline_ms,
    bool *closed_out, struct why *why)
{
	enum fault fault;
	size_t room;
	ssize_t n;
	char *p;

	p = buf_space(in, RECEIVE_BYTES, &room);
	if (p == NULL) {
		why_set(why, 0, "%s", fault_text(buf_fault(in)));
		return buf_fault(in) == FAULT_NOMEM ? FAULT_NOMEM :
						      FAULT_GARBLED;
	}
	for (;;) {
		n = recv(fd, p, room, MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == ECONNRESET) {
			n = 0;
			break;
		}
		if (errno != EAGAIN && errno != EINTR) {
			why_set(why, errno, "recv");
			return FAULT_IO;
		}
		fault = await(fd, POLLIN, deadline_ms, why);
		if (fault != FAULT_NONE)
			return fault;
	}
	buf_used(in, (size_t)n);
	*closed_out = n == 0;
	return FAULT_NONE;
}

enum fault peerio_receive(int fd, struct buf *in, int64_t deadline_ms,
    struct attrs *attrs_out, struct why *why)
{
	struct span list;
	bool closed = false;
	size_t length;
	enum fault fault;

	for (;;) {
		if (attr_length(buf_span(in), &length) != FAULT_NONE)
			break;
		if (length > 0) {
			list.p = in->p;
			list.n = length;
			if (attr_parse(list, WIRE_FIRST, attrs_out) !=
			    FAULT_NONE)
				break;
			return FAULT_NONE;
		}
		if (closed && in->n == 0) {
			why_set(why, 0,
			    "the helper closed the connection without an "
			    "answer");
			return FAULT_NO_HELPER;
		}
		if (closed)
			break;
		fault = receive_some(fd, in, deadline_ms, &closed, why);
		if (fault == FAULT_GARBLED)
			break;
		if (fault != FAULT_NONE)
			return fault;
	}
	why_set(why, 0,
	    closed ? "the helper's answer is cut short" :
		     "the helper's answer is not an attribute list");
	return FAULT_GARBLED;
}

void peerio_next(struct buf *in)
{
	size_t length;

	if (attr_length(buf_span(in), &length) == FAULT_NONE)
		buf_consume(in, length);
}
