/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Connecting with patience, and the simple round trip on top.
 */
#include "wire/ask.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_PAUSE_MS 50
#define SILENT_MS      250 /* until the holder of the keyring is looked for */

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

static bool may_pass(int err)
{
	return err == ENOENT || err == ECONNREFUSED || err == EAGAIN ||
	    err == EINTR;
}

enum fault ask_open(const struct ask *ask, int *fd_out, struct why *why)
{
	int64_t until_ms = peerio_now_ms() + ask->retry_ms;
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
		if (!may_pass(err) || peerio_now_ms() >= until_ms) {
			why_set(why, err, "%s", ask->address.path);
			return FAULT_NO_HELPER;
		}
		peerio_pause(RETRY_PAUSE_MS, until_ms);
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
	    !peerio_readable(fd, peerio_now_ms() + SILENT_MS) &&
	    address_holder(&ask->address, &holder);
}

static enum fault ask_there(const struct ask *ask, struct buf *answer,
    struct attrs *attrs_out, struct why *why)
{
	struct attrs attrs;
	enum fault fault;
	int fd = -1;

	fault = ask_open(ask, &fd, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = peerio_send(fd, ask->request, ask->deadline_ms, why);
	/* A helper that refuses at once may have answered before it closed. */
	if (fault != FAULT_NONE && fault != FAULT_NO_HELPER)
		goto out;
	if (has_gone_elsewhere(fd, ask)) {
		why_set(why, 0, "the helper there waits for the keyring");
		fault = FAULT_NO_HELPER;
		goto out;
	}
	fault = peerio_receive(fd, answer, ask->deadline_ms, &attrs, why);
	if (fault != FAULT_NONE)
		goto out;
	if (ask_result(&attrs) == FAULT_GARBLED) {
		why_set(why, 0, "the helper's answer has no known result");
		fault = FAULT_GARBLED;
		goto out;
	}
	*attrs_out = attrs;
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
	if (!attr_has(attrs, ATTR_RESULT))
		return FAULT_GARBLED;
	return fault_from_word(attr_get(attrs, ATTR_RESULT));
}
