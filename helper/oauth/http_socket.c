/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * curl's multi handle on the event loop: one timer, one event a socket.
 * Nothing of curl is called from inside its own callbacks.
 */
#include "oauth/http_impl.h"

#include <stdlib.h>

struct http_socket {
	struct http *http;
	struct event *event;
};

static void socket_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http_socket *socket = ctx;
	struct http *http = socket->http;
	int bits = 0, running;

	if (what & EV_READ)
		bits |= CURL_CSELECT_IN;
	if (what & EV_WRITE)
		bits |= CURL_CSELECT_OUT;
	/* socket may be gone afterwards. */
	http_reap(http,
	    curl_multi_socket_action(http->multi, fd, bits, &running));
}

void http_timer_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http *http = ctx;
	int running;

	(void)fd;
	(void)what;
	http_reap(http,
	    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
		&running));
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
