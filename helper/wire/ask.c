/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocking with a deadline: poll before every call, MSG_DONTWAIT in it; then
 * connecting with patience, and the simple round trip on top.
 */
#include "wire/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BYTES  4095 /* with its NUL, buf needs a block of 4096 */
#define RETRY_PAUSE_MS 50
#define SILENT_MS      250 /* until the holder of the keyring is looked for */

int64_t ask_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What poll(2) takes: -1 for ever, 0 when it is too late. */
static int left_ms(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == ASK_FOREVER)
		return -1;
	left = deadline_ms - ask_now_ms();
	if (left < 0)
		return 0;
	return left > 60000 ? 60000 : (int)left;
}

void ask_pause(int ms, int64_t deadline_ms)
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

enum fault ask_send(int fd, struct span bytes, int64_t deadline_ms,
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

enum fault ask_receive(int fd, struct buf *in, int64_t deadline_ms,
    struct attrs *attrs, struct why *why)
{
	bool closed = false;
	struct span last;
	size_t length;
	enum fault fault;

	if (attrs->n > 0) { /* the list before */
		last = attrs->at[attrs->n - 1].value;
		buf_consume(in, (size_t)(last.p + last.n - in->p) + 2);
		attrs->n = 0;
	}
	while (attr_length(buf_span(in), &length) == FAULT_NONE) {
		if (length > 0) {
			fault = attr_parse((struct span){ in->p, length },
			    WIRE_FIRST, attrs);
			if (fault != FAULT_NONE)
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

/* 0 and a descriptor, or the errno that says why not. */
static int connect_once(const struct address *address, int *fd_out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, err;

	_Static_assert(sizeof(sun.sun_path) >= sizeof(address->path),
	    "a checked path fits");
	memcpy(sun.sun_path, address->path, sizeof(address->path));

	/*
	 * Non-blocking: a full listen queue then says EAGAIN at once, and no
	 * other wait exists for a unix socket.
	 */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		err = errno;
		(void)close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}

enum fault ask_open(const struct ask *ask, int *fd_out, struct why *why)
{
	int64_t until_ms = ask_now_ms() + ask->retry_ms;
	uid_t owner = 0;
	enum fault fault;
	int fd = -1, err;

	if (until_ms > ask->deadline_ms)
		until_ms = ask->deadline_ms;
	for (;;) {
		fault = address_owner(&ask->address, &owner, why);
		if (fault != FAULT_NONE && fault != FAULT_NOT_FOUND)
			return fault;
		err = fault == FAULT_NONE ? connect_once(&ask->address, &fd) :
					    ENOENT;
		if (err == 0)
			break;
		if ((err != ENOENT && err != ECONNREFUSED && err != EAGAIN &&
			err != EINTR) ||
		    ask_now_ms() >= until_ms) {
			why_set(why, err, "%s", ask->address.path);
			return FAULT_NO_HELPER;
		}
		ask_pause(RETRY_PAUSE_MS, until_ms);
	}

	fault = address_check_peer(fd, owner, why);
	if (fault != FAULT_NONE) {
		(void)close(fd);
		return fault;
	}
	*fd_out = fd;
	return FAULT_NONE;
}

/*
 * A supervisor may hold the socket of a helper that waits for the keyring.
 * Patience is the rule: an answer that needs its time has no other holder.
 */
static bool has_gone_elsewhere(int fd, const struct ask *ask)
{
	struct address holder;

	return ask->address.own &&
	    await(fd, POLLIN, ask_now_ms() + SILENT_MS, NULL) != FAULT_NONE &&
	    address_holder(&ask->address, &holder);
}

static enum fault ask_there(const struct ask *ask, struct buf *answer,
    struct attrs *attrs_out, struct why *why)
{
	enum fault fault;
	int fd = -1;

	attrs_out->n = 0;
	fault = ask_open(ask, &fd, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = ask_send(fd, ask->request, ask->deadline_ms, why);
	/* A helper that refuses at once may have answered before it closed. */
	if (fault != FAULT_NONE && fault != FAULT_NO_HELPER)
		goto out;
	if (has_gone_elsewhere(fd, ask)) {
		why_set(why, 0, "the helper there waits for the keyring");
		fault = FAULT_NO_HELPER;
		goto out;
	}
	fault = ask_receive(fd, answer, ask->deadline_ms, attrs_out, why);
	if (fault == FAULT_NONE && ask_result(attrs_out) == FAULT_GARBLED) {
		why_set(why, 0, "the helper's answer has no known result");
		attrs_out->n = 0;
		fault = FAULT_GARBLED;
	}
out:
	(void)close(fd);
	return fault;
}

enum fault ask(const struct ask *ask, struct buf *answer,
    struct attrs *attrs_out, struct why *why)
{
	struct ask second = *ask;
	enum fault fault;

	fault = ask_there(ask, answer, attrs_out, why);
	if (!ask->address.own ||
	    (fault != FAULT_NO_HELPER && fault != FAULT_UNTRUSTED &&
		fault != FAULT_IO) ||
	    !address_holder(&ask->address, &second.address))
		return fault;
	buf_drop(answer);
	return ask_there(&second, answer, attrs_out, why);
}

enum fault ask_result(const struct attrs *attrs)
{
	return fault_from_word(attr_get(attrs, ATTR_RESULT));
}
