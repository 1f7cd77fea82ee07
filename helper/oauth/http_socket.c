/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * curl's multi handle on the event loop: one timer, one event a socket.
 * Nothing of curl is called from inside its own callbacks.
 *
 * What is ready waits in a line for http_turn(), which works TURN_MS in a
 * turn of the loop and ends one exchange at most: many at once must not keep
 * those waiting who only want what is there.
 */
#include "oauth/http_impl.h"

#include <stdlib.h>

#include "wire/ask.h"

struct http_socket {
	struct http *http;
	struct event *event;
	curl_socket_t fd;
	int bits; /* what it is ready for; 0: not in the line */
	struct http_socket *next;
};

#define TURN_MS 2

static void action(struct http *http, curl_socket_t fd, int bits)
{
	struct http_exchange *exchange;
	int running;

	if (curl_multi_socket_action(http->multi, fd, bits, &running))
		for (exchange = http->first; exchange;
		     exchange = exchange->next)
			exchange->broken = true;
}

static void leave_line(struct http_socket *socket)
{
	struct http_socket **at = &socket->http->ready;

	while (*at != NULL && *at != socket)
		at = &(*at)->next;
	if (*at != NULL)
		*at = socket->next;
	socket->bits = 0;
}

static void socket_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http_socket *socket = ctx, **at = &socket->http->ready;

	(void)fd;
	if (socket->bits == 0) {
		while (*at != NULL)
			at = &(*at)->next;
		*at = socket;
		socket->next = NULL;
	}
	if (what & EV_READ)
		socket->bits |= CURL_CSELECT_IN;
	if (what & EV_WRITE)
		socket->bits |= CURL_CSELECT_OUT;
	event_active(socket->http->turn, EV_TIMEOUT, 1);
}

void http_timer_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http *http = ctx;

	(void)fd;
	(void)what;
	http->due = true;
	/* In the next turn: this one may be used up. */
	(void)evtimer_add(http->turn, &(struct timeval){ 0 });
}

static struct http_exchange *longest_waiting(const struct http *http)
{
	struct http_exchange *exchange, *found = NULL;

	for (exchange = http->first; exchange; exchange = exchange->next)
		if (!exchange->begun)
			found = exchange;
	return found;
}

/* One piece of work; false: there is none. */
static bool work(struct http *http)
{
	struct http_socket *socket = http->ready;
	struct http_exchange *exchange;
	int bits;

	if (socket != NULL) {
		bits = socket->bits;
		leave_line(socket);
		/* socket may be gone afterwards. */
		action(http, socket->fd, bits);
	} else if (http->due) {
		http->due = false;
		action(http, CURL_SOCKET_TIMEOUT, 0);
	} else if ((exchange = longest_waiting(http)) != NULL) {
		exchange->begun = true;
		if (curl_multi_add_handle(http->multi, exchange->easy))
			exchange->broken = true;
		action(http, CURL_SOCKET_TIMEOUT, 0);
	} else {
		return false;
	}
	return true;
}

void http_turn_event(evutil_socket_t fd, short what, void *ctx)
{
	int64_t until_ms = ask_now_ms() + TURN_MS;
	struct http *http = ctx;

	(void)fd;
	(void)what;
	/* What an exchange ends with is saved, which may be slow. */
	while (!http->finish_one(http)) {
		if (!work(http))
			return;
		if (ask_now_ms() >= until_ms)
			break;
	}
	(void)evtimer_add(http->turn, &(struct timeval){ 0 });
}

int http_timer_cb(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;
	struct timeval timeout;

	(void)multi;
	if (timeout_ms < 0) {
		(void)evtimer_del(http->timer);
		return 0;
	}
	timeout.tv_sec = timeout_ms / 1000;
	timeout.tv_usec = (timeout_ms % 1000) * 1000;
	(void)evtimer_add(http->timer, &timeout);
	return 0;
}

static void socket_free(struct http_socket *socket)
{
	if (socket == NULL)
		return;
	leave_line(socket);
	if (socket->event != NULL)
		event_free(socket->event);
	free(socket);
}

/* A new event for fd, in place of that in old; NULL if there is no memory. */
static struct http_socket *socket_watch(struct http *http, curl_socket_t fd,
    int what, struct http_socket *old)
{
	struct http_socket *socket = old;
	short bits = EV_PERSIST;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		bits |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		bits |= EV_WRITE;
	if (socket == NULL)
		socket = calloc(1, sizeof(*socket));
	if (socket == NULL)
		return NULL;
	if (socket->event != NULL)
		event_free(socket->event);
	socket->http = http;
	socket->fd = fd;
	socket->event = event_new(http->base, fd, bits, socket_event, socket);
	if (socket->event == NULL || event_add(socket->event, NULL) != 0) {
		socket_free(socket);
		return NULL;
	}
	return socket;
}

/*
 * A fault here must not be returned: curl would give up on every exchange.
 * The one that cannot be watched is marked, and ends at the next reaping.
 */
int http_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *old)
{
	struct http *http = ctx;
	struct http_exchange *exchange;
	struct http_socket *socket = NULL;
	void *of = NULL;

	if (what == CURL_POLL_REMOVE) {
		socket_free(old);
	} else {
		socket = socket_watch(http, fd, what, old);
		if (socket == NULL &&
		    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &of) ==
			CURLE_OK &&
		    of != NULL) {
			exchange = of;
			exchange->broken = true;
		}
	}
	(void)curl_multi_assign(http->multi, fd, socket);
	return 0;
}
