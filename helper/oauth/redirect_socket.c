/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One port, two families.
 */
#include "oauth/redirect_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oauth/redirect.h"

#define TRIES_MAX 16 /* for a port that is free in both families */

static socklen_t set_address(size_t family, uint16_t port,
    struct sockaddr_storage *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)address;

	memset(address, 0, sizeof(*address));
	if (family == 0) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	six->sin6_addr = in6addr_loopback;
	return sizeof(*six);
}

/* Listen in one family; 0 or an errno.  A port of 0 becomes the real one. */
static int open_one(size_t family, uint16_t *port, int *fd_out)
{
	struct sockaddr_storage address;
	socklen_t n = set_address(family, *port, &address);
	int fd, err = 0, one = 1;

	fd = socket(address.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	/* A fixed port must not wait for the last sign-in's connections. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    (family == 1 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) !=
		    0) ||
	    bind(fd, (struct sockaddr *)&address, n) != 0 ||
	    listen(fd, REDIRECT_VISITORS_MAX) != 0)
		err = errno;
	if (err == 0 && *port == 0) {
		n = sizeof(address);
		if (getsockname(fd, (struct sockaddr *)&address, &n) != 0)
			err = errno;
		*port = ntohs(
		    ((struct sockaddr_in *)(void *)&address)->sin_port);
	}
	if (err != 0)
		(void)close(fd);
	else
		*fd_out = fd;
	return err;
}

/* A machine without IPv6. */
static bool is_absent(int err)
{
	return err == EAFNOSUPPORT || err == EADDRNOTAVAIL ||
	    err == EPROTONOSUPPORT;
}

/*
 * Both or none: where the browser is sent to localhost it may go to ::1, and
 * then nobody else may listen there.
 */
static int open_both(uint16_t wanted, int fds[REDIRECT_FAMILIES],
    uint16_t *port_out)
{
	int err = 0, tries;

	for (tries = 0; tries < TRIES_MAX; tries++) {
		*port_out = wanted;
		err = open_one(0, port_out, &fds[0]);
		if (err != 0)
			return err;
		err = open_one(1, port_out, &fds[1]);
		if (err == 0 || is_absent(err))
			return 0;
		(void)close(fds[0]);
		fds[0] = -1;
		if (err != EADDRINUSE || wanted != 0)
			return err;
	}
	return err;
}

enum fault redirect_open(uint16_t port, int fds_out[REDIRECT_FAMILIES],
    uint16_t *port_out, struct why *why)
{
	int err = open_both(port, fds_out, port_out);

	if (err == 0)
		return FAULT_NONE;
	if (err == EADDRINUSE && port != 0) {
		why_set(why, 0,
		    "port %u of this computer is in use, so the browser cannot "
		    "come back: wait for the other sign-in, or write another "
		    "redirect_port",
		    (unsigned)port);
		return FAULT_BUSY;
	}
	if (err == EACCES && port != 0) {
		why_set(why, 0,
		    "the helper may not listen on port %u: write a "
		    "redirect_port above 1023",
		    (unsigned)port);
		return FAULT_CONFIG_ERROR;
	}
	why_set(why, err, "listening for the browser on 127.0.0.1");
	return FAULT_IO;
}
