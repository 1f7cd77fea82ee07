/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The listener and its visitors.  A visitor reads, is answered once, and is
 * then read out until it closes, so that the page is not lost by a reset; a
 * timer ends whoever takes longer.
 */
#include "oauth/redirect.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_WAIT_S 1
#define FAMILIES    2  /* 127.0.0.1 and ::1, never another one */
#define TRIES_MAX   16 /* for a port that is free in both families */

struct visitor {
	struct redirect *redirect;
	int fd; /* -1: nobody */
	unsigned number;
	struct event ready;
	struct event limit;
	struct buf in;
	bool answered;
};

struct redirect {
	struct redirect_wish wish;
	uint16_t port;
	struct evconnlistener *doors[FAMILIES];
	struct event *full;    /* when to accept again */
	struct visitor *waits; /* for the end of the sign-in */
	unsigned n_came;
	struct visitor visitors[REDIRECT_VISITORS_MAX];
};

static void visitor_close(struct visitor *visitor)
{
	if (visitor->redirect->waits == visitor)
		visitor->redirect->waits = NULL;
	(void)event_del(&visitor->ready);
	(void)event_del(&visitor->limit);
	(void)close(visitor->fd);
	visitor->fd = -1;
	buf_drop(&visitor->in);
}

/* A page fits into the buffer of a fresh socket; a peer that made it smaller
 * gets less. */
static void answer(struct visitor *visitor, enum redirect_page page,
    const char *text)
{
	struct buf out = BUF_INIT(REDIRECT_PAGE_MAX_BYTES + 1024);

	visitor->answered = true;
	buf_drop(&visitor->in);
	redirect_page_write(&out, page, text);
	(void)!send(visitor->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_drop(&out);
	(void)shutdown(visitor->fd, SHUT_WR);
}

/* What nobody reads, as a second request that may hold a code, too, is
 * discarded by the kernel and does not come into the buffer: tcp(7). */
static ssize_t read_out(int fd)
{
	char drop[2048];

	return recv(fd, drop, sizeof(drop), MSG_DONTWAIT | MSG_TRUNC);
}

static void visitor_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct visitor *visitor = ctx;
	struct redirect *redirect = visitor->redirect;
	bool wanted = !visitor->answered && redirect->waits != visitor;
	struct span query = { NULL, 0 };
	struct why why = { .err = 0, .text = "" };
	enum redirect_page page;
	size_t room = 0;
	char *p = NULL;
	ssize_t n;

	(void)what;
	if (wanted)
		p = buf_space(&visitor->in, 1024, &room);
	n = p != NULL ? recv(fd, p, room, MSG_DONTWAIT) : read_out(fd);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (wanted && p == NULL)) {
		visitor_close(visitor);
		return;
	}
	if (!wanted)
		return;
	buf_used(&visitor->in, (size_t)n);
	page = redirect_request_read(buf_span(&visitor->in),
	    redirect->wish.path, redirect->port, &query);
	if (page == REDIRECT_PAGE_QUERY &&
	    !redirect->wish.came(redirect->wish.ctx, query, &why)) {
		redirect->waits = visitor;
		buf_drop(&visitor->in);
		/* How long the exchange takes is the exchange's matter. */
		(void)event_del(&visitor->limit);
	} else if (page == REDIRECT_PAGE_QUERY) {
		answer(visitor, REDIRECT_PAGE_LEFT, why.text);
	} else if (page != REDIRECT_PAGE_NONE) {
		answer(visitor, page, NULL);
	}
}

static void visitor_late(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	visitor_close(ctx);
}

static bool limit_visit(struct visitor *visitor)
{
	static const struct timeval limit = { REDIRECT_VISIT_MAX_S, 0 };

	return evtimer_add(&visitor->limit, &limit) == 0;
}

static void knock(struct evconnlistener *door, evutil_socket_t fd,
    struct sockaddr *peer, int peer_bytes, void *ctx)
{
	struct redirect *redirect = ctx;
	struct event_base *base = redirect->wish.base;
	struct visitor *visitor = NULL, *at;
	size_t i;

	(void)door;
	(void)peer;
	(void)peer_bytes;
	/* Where nobody is, or the oldest goes, unless it waits for the end. */
	for (i = 0; i < REDIRECT_VISITORS_MAX; i++) {
		at = &redirect->visitors[i];
		if (at->fd < 0 ||
		    (at != redirect->waits &&
			(visitor == NULL || at->number < visitor->number)))
			visitor = at;
		if (at->fd < 0)
			break;
	}
	if (visitor->fd >= 0)
		visitor_close(visitor);
	visitor->fd = fd;
	visitor->number = redirect->n_came++;
	visitor->answered = false;
	(void)event_assign(&visitor->ready, base, fd, EV_READ | EV_PERSIST,
	    visitor_ready, visitor);
	(void)evtimer_assign(&visitor->limit, base, visitor_late, visitor);
	if (event_add(&visitor->ready, NULL) != 0 || !limit_visit(visitor))
		visitor_close(visitor);
}

/* No descriptors: not again at once, and for ever. */
static void full(struct evconnlistener *door, void *ctx)
{
	static const struct timeval wait = { FULL_WAIT_S, 0 };
	struct redirect *redirect = ctx;
	size_t i;

	(void)door;
	if (evtimer_add(redirect->full, &wait) != 0)
		return;
	for (i = 0; i < FAMILIES; i++)
		if (redirect->doors[i] != NULL)
			(void)evconnlistener_disable(redirect->doors[i]);
}

static void again(evutil_socket_t fd, short what, void *ctx)
{
	struct redirect *redirect = ctx;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < FAMILIES; i++)
		if (redirect->doors[i] != NULL)
			(void)evconnlistener_enable(redirect->doors[i]);
}

/* Listen in one family; 0 or an errno.  A fixed port must not wait for the
 * last sign-in's connections. */
static int open_one(struct redirect *redirect, size_t family)
{
	struct sockaddr_storage address;
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
	struct evconnlistener *door;
	int bytes = sizeof(address);
	socklen_t n = sizeof(address);

	if (evutil_parse_sockaddr_port(family == 0 ? "127.0.0.1" : "::1",
		(struct sockaddr *)&address, &bytes) != 0)
		return EAFNOSUPPORT;
	/* It stands in the same place in both. */
	four->sin_port = htons(redirect->port);
	errno = ENOMEM;
	door = evconnlistener_new_bind(redirect->wish.base, knock, redirect,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    REDIRECT_VISITORS_MAX, (struct sockaddr *)&address, bytes);
	if (door == NULL)
		return errno;
	redirect->doors[family] = door;
	evconnlistener_set_error_cb(door, full);
	if (getsockname(evconnlistener_get_fd(door),
		(struct sockaddr *)&address, &n) != 0)
		return errno;
	redirect->port = ntohs(four->sin_port);
	return 0;
}

/*
 * Both or none: where the browser is sent to localhost it may go to ::1, and
 * then nobody else may listen there.  A machine may have no IPv6.  The faults
 * of redirect_new().
 */
static enum fault open_port(struct redirect *redirect, struct why *why)
{
	unsigned port = redirect->wish.port;
	int err = EADDRINUSE, tries;

	for (tries = 0; err == EADDRINUSE && tries < TRIES_MAX; tries++) {
		redirect->port = redirect->wish.port;
		err = open_one(redirect, 0);
		if (err != 0)
			break;
		err = open_one(redirect, 1);
		if (err == 0 || err == EAFNOSUPPORT || err == EADDRNOTAVAIL ||
		    err == EPROTONOSUPPORT)
			return FAULT_NONE;
		evconnlistener_free(redirect->doors[0]);
		redirect->doors[0] = NULL;
		if (port != 0)
			break;
	}
	if (err == ENOMEM)
		return FAULT_NOMEM;
	if (err == EADDRINUSE && port != 0) {
		why_set(why, 0,
		    "port %u of this computer is in use, so the browser cannot "
		    "come back: wait for the other sign-in, or write another "
		    "redirect_port",
		    port);
		return FAULT_BUSY;
	}
	if (err == EACCES && port != 0) {
		why_set(why, 0,
		    "the helper may not listen on port %u: write a "
		    "redirect_port above 1023",
		    port);
		return FAULT_CONFIG_ERROR;
	}
	why_set(why, err, "listening for the browser on 127.0.0.1");
	return FAULT_IO;
}

enum fault redirect_new(const struct redirect_wish *wish,
    struct redirect **redirect_out, struct why *why)
{
	struct redirect *redirect = calloc(1, sizeof(*redirect));
	enum fault fault = FAULT_NOMEM;
	size_t i;

	if (redirect != NULL) {
		redirect->wish = *wish;
		for (i = 0; i < REDIRECT_VISITORS_MAX; i++) {
			redirect->visitors[i].redirect = redirect;
			redirect->visitors[i].fd = -1;
			buf_init(&redirect->visitors[i].in,
			    REDIRECT_REQUEST_MAX_BYTES + 1);
		}
		redirect->full = evtimer_new(wish->base, again, redirect);
		if (redirect->full != NULL)
			fault = open_port(redirect, why);
	}
	if (fault == FAULT_NOMEM)
		why_set(why, 0, "%s", fault_text(fault));
	if (fault)
		redirect_free(redirect);
	else
		*redirect_out = redirect;
	return fault;
}

uint16_t redirect_port(const struct redirect *redirect)
{
	return redirect->port;
}

void redirect_finish(struct redirect *redirect, const char *reason)
{
	struct visitor *visitor = redirect->waits;

	if (visitor == NULL)
		return;
	redirect->waits = NULL;
	(void)limit_visit(visitor);
	answer(visitor,
	    reason == NULL ? REDIRECT_PAGE_SIGNED_IN : REDIRECT_PAGE_FAILED,
	    reason);
}

void redirect_free(struct redirect *redirect)
{
	struct visitor *visitor;
	size_t i;

	if (redirect == NULL)
		return;
	redirect_finish(redirect, "the sign-in was ended in the terminal");
	for (i = 0; i < REDIRECT_VISITORS_MAX; i++) {
		visitor = &redirect->visitors[i];
		if (visitor->fd < 0)
			continue;
		/* What a browser has sent already would turn the close into a
		 * reset. */
		while (read_out(visitor->fd) > 0)
			;
		visitor_close(visitor);
	}
	for (i = 0; i < FAMILIES; i++)
		if (redirect->doors[i] != NULL)
			evconnlistener_free(redirect->doors[i]);
	if (redirect->full != NULL)
		event_free(redirect->full);
	free(redirect);
}
