/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The listener and its visitors.  A visitor reads, is answered once, and is
 * then read out until it closes, so that the page is not lost by a reset; a
 * timer ends whoever takes longer.  The newest is first in the list.
 */
#include "oauth/redirect.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oauth/redirect_http.h"
#include "wire/secret.h"

#define FULL_WAIT_S 1
#define FAMILIES    2  /* 127.0.0.1 and ::1, never another one */
#define TRIES_MAX   16 /* for a port that is free in both families */

struct visitor {
	struct redirect *redirect;
	struct visitor *next;
	int fd;
	struct event *ready;
	struct event *limit;
	struct buf in;
	bool answered;
};

struct redirect {
	struct redirect_wish wish;
	uint16_t port;
	int fds[FAMILIES];
	struct event *listening[FAMILIES];
	struct event *full; /* when to accept again */
	struct visitor *first;
	struct visitor *waits; /* for the end of the sign-in */
	size_t n_visitors;
};

static void visitor_free(struct visitor *visitor)
{
	struct redirect *redirect = visitor->redirect;
	struct visitor **at = &redirect->first;

	while (*at != NULL && *at != visitor)
		at = &(*at)->next;
	if (*at == visitor) {
		*at = visitor->next;
		redirect->n_visitors--;
	}
	if (redirect->waits == visitor)
		redirect->waits = NULL;
	if (visitor->ready != NULL)
		event_free(visitor->ready);
	if (visitor->limit != NULL)
		event_free(visitor->limit);
	(void)close(visitor->fd);
	buf_drop(&visitor->in);
	free(visitor);
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

static void answer_came(struct visitor *visitor, struct span query)
{
	struct redirect *redirect = visitor->redirect;
	struct why why = { .err = 0, .text = "" };

	if (redirect->wish.came(redirect->wish.ctx, query, &why)) {
		redirect->waits = visitor;
		buf_drop(&visitor->in);
		/* How long the exchange takes is the exchange's matter. */
		(void)evtimer_del(visitor->limit);
	} else {
		answer(visitor, REDIRECT_PAGE_LEFT, why.text);
	}
}

static void look(struct visitor *visitor)
{
	struct span query = { NULL, 0 };
	enum redirect_page page;

	page = redirect_request_read(buf_span(&visitor->in),
	    visitor->redirect->wish.path, visitor->redirect->port, &query);
	if (page == REDIRECT_PAGE_QUERY)
		answer_came(visitor, query);
	else if (page != REDIRECT_PAGE_NONE)
		answer(visitor, page, NULL);
}

static void visitor_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct visitor *visitor = ctx;
	bool wanted = !visitor->answered && visitor->redirect->waits != visitor;
	char drop[2048];
	size_t room = sizeof(drop);
	char *p = drop;
	ssize_t n;

	(void)what;
	if (wanted) {
		p = buf_space(&visitor->in, 1024, &room);
		if (p == NULL) {
			visitor_free(visitor);
			return;
		}
	}
	n = recv(fd, p, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		visitor_free(visitor);
		return;
	}
	if (!wanted) {
		/* A second request on the connection may hold a code, too. */
		secret_wipe(drop, sizeof(drop));
		return;
	}
	buf_used(&visitor->in, (size_t)n);
	look(visitor);
}

static void visitor_late(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	visitor_free(ctx);
}

/* Room for one more: the oldest goes, unless it waits for the end. */
static void make_room(struct redirect *redirect)
{
	struct visitor *at, *oldest = NULL;

	if (redirect->n_visitors < REDIRECT_VISITORS_MAX)
		return;
	for (at = redirect->first; at != NULL; at = at->next)
		if (at != redirect->waits)
			oldest = at;
	if (oldest != NULL)
		visitor_free(oldest);
}

static void greet(struct redirect *redirect, int fd)
{
	static const struct timeval limit = { REDIRECT_VISIT_MAX_S, 0 };
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	if (visitor == NULL) {
		(void)close(fd);
		return;
	}
	make_room(redirect);
	visitor->redirect = redirect;
	visitor->fd = fd;
	buf_init(&visitor->in, REDIRECT_REQUEST_MAX_BYTES + 1);
	visitor->ready = event_new(redirect->wish.base, fd,
	    EV_READ | EV_PERSIST, visitor_ready, visitor);
	visitor->limit = evtimer_new(redirect->wish.base, visitor_late,
	    visitor);
	visitor->next = redirect->first;
	redirect->first = visitor;
	redirect->n_visitors++;
	if (visitor->ready == NULL || visitor->limit == NULL ||
	    event_add(visitor->ready, NULL) != 0 ||
	    evtimer_add(visitor->limit, &limit) != 0)
		visitor_free(visitor);
}

static void knock(evutil_socket_t fd, short what, void *ctx)
{
	static const struct timeval wait = { FULL_WAIT_S, 0 };
	struct redirect *redirect = ctx;
	size_t i;
	int peer;

	(void)what;
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer >= 0) {
		greet(redirect, peer);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
	    errno != ENOMEM)
		return;
	/* No descriptors: not again at once, and for ever. */
	if (evtimer_add(redirect->full, &wait) != 0)
		return;
	for (i = 0; i < FAMILIES; i++)
		if (redirect->listening[i] != NULL)
			(void)event_del(redirect->listening[i]);
}

static void again(evutil_socket_t fd, short what, void *ctx)
{
	struct redirect *redirect = ctx;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < FAMILIES; i++)
		if (redirect->listening[i] != NULL)
			(void)event_add(redirect->listening[i], NULL);
}

/* Listen in one family; 0 or an errno.  A port of 0 becomes the real one. */
static int open_one(size_t family, uint16_t *port, int *fd_out)
{
	struct sockaddr_storage address;
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
	int fd, err = 0, one = 1, bytes = sizeof(address);
	socklen_t n = sizeof(address);

	if (evutil_parse_sockaddr_port(family == 0 ? "127.0.0.1" : "::1",
		(struct sockaddr *)&address, &bytes) != 0)
		return EAFNOSUPPORT;
	/* It stands in the same place in both. */
	four->sin_port = htons(*port);
	fd = socket(address.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	/* A fixed port must not wait for the last sign-in's connections. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    (family == 1 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) !=
		    0) ||
	    bind(fd, (struct sockaddr *)&address, (socklen_t)bytes) != 0 ||
	    listen(fd, REDIRECT_VISITORS_MAX) != 0)
		err = errno;
	if (err == 0 && *port == 0) {
		if (getsockname(fd, (struct sockaddr *)&address, &n) != 0)
			err = errno;
		*port = ntohs(four->sin_port);
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
static int open_both(uint16_t wanted, int fds[FAMILIES], uint16_t *port_out)
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

/* The faults of redirect_new(). */
static enum fault open_port(struct redirect *redirect, struct why *why)
{
	uint16_t port = redirect->wish.port;
	int err = open_both(port, redirect->fds, &redirect->port);

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

static enum fault listen_all(struct redirect *redirect)
{
	size_t i;

	redirect->full = evtimer_new(redirect->wish.base, again, redirect);
	if (redirect->full == NULL)
		return FAULT_NOMEM;
	for (i = 0; i < FAMILIES; i++) {
		if (redirect->fds[i] < 0)
			continue;
		redirect->listening[i] = event_new(redirect->wish.base,
		    redirect->fds[i], EV_READ | EV_PERSIST, knock, redirect);
		if (redirect->listening[i] == NULL ||
		    event_add(redirect->listening[i], NULL) != 0)
			return FAULT_NOMEM;
	}
	return FAULT_NONE;
}

enum fault redirect_new(const struct redirect_wish *wish,
    struct redirect **redirect_out, struct why *why)
{
	struct redirect *redirect = calloc(1, sizeof(*redirect));
	enum fault fault;

	if (redirect == NULL) {
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	redirect->wish = *wish;
	redirect->fds[0] = redirect->fds[1] = -1;
	fault = open_port(redirect, why);
	if (fault == FAULT_NONE) {
		fault = listen_all(redirect);
		if (fault != FAULT_NONE)
			why_set(why, 0, "%s", fault_text(fault));
	}
	if (fault != FAULT_NONE) {
		redirect_free(redirect);
		return fault;
	}
	*redirect_out = redirect;
	return FAULT_NONE;
}

uint16_t redirect_port(const struct redirect *redirect)
{
	return redirect->port;
}

void redirect_finish(struct redirect *redirect, const char *reason)
{
	static const struct timeval limit = { REDIRECT_VISIT_MAX_S, 0 };
	struct visitor *visitor = redirect->waits;

	if (visitor == NULL)
		return;
	redirect->waits = NULL;
	(void)evtimer_add(visitor->limit, &limit);
	answer(visitor,
	    reason == NULL ? REDIRECT_PAGE_SIGNED_IN : REDIRECT_PAGE_FAILED,
	    reason);
}

/* What a browser has sent already would turn the close into a reset. */
static void read_out(int fd)
{
	char drop[2048];

	while (recv(fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	secret_wipe(drop, sizeof(drop));
}

void redirect_free(struct redirect *redirect)
{
	size_t i;

	if (redirect == NULL)
		return;
	redirect_finish(redirect, "the sign-in was ended in the terminal");
	while (redirect->first != NULL) {
		read_out(redirect->first->fd);
		visitor_free(redirect->first);
	}
	for (i = 0; i < FAMILIES; i++) {
		if (redirect->listening[i] != NULL)
			event_free(redirect->listening[i]);
		if (redirect->fds[i] >= 0)
			(void)close(redirect->fds[i]);
	}
	if (redirect->full != NULL)
		event_free(redirect->full);
	free(redirect);
}
