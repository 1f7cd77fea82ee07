/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * curl's multi handle on the event loop: one timer, one event a socket.
 * Nothing of curl is called from inside its own callbacks.
 *
 * A turn of the loop gives curl TURN_US: many exchanges at once must not keep
 * those waiting who only want what is there.  What it did not come to is
 * still ready in the next turn.
 */
#include "oauth/http_impl.h"

#include <stdlib.h>

struct http_socket {
	struct http *http;
	struct event *event;
};

#define TURN_US 2000

static bool turn_is_over(struct http *http)
{
	struct timeval now, turn, used;

	(void)event_base_gettimeofday_cached(http->base, &turn);
	(void)evutil_gettimeofday(&now, NULL);
	if (evutil_timercmp(&turn, &http->turn, !=)) {
		http->turn = turn;
		http->began = now;
		return false;
	}
	evutil_timersub(&now, &http->began, &used);
	return used.tv_sec != 0 || used.tv_usec > TURN_US;
}

static void work(struct http *http, curl_socket_t fd, int bits)
{
	int running;

	http->reap(http,
	    curl_multi_socket_action(http->multi, fd, bits, &running));
}

static void socket_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http_socket *socket = ctx;
	struct http *http = socket->http;
	int bits = 0;

	if (turn_is_over(http))
		return;
	if (what & EV_READ)
		bits |= CURL_CSELECT_IN;
	if (what & EV_WRITE)
		bits |= CURL_CSELECT_OUT;
	/* socket may be gone afterwards. */
	work(http, fd, bits);
}

void http_timer_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http *http = ctx;

	(void)fd;
	(void)what;
	if (turn_is_over(http))
		(void)evtimer_add(http->timer, &(struct timeval){ 0 });
	else
		work(http, CURL_SOCKET_TIMEOUT, 0);
}

static struct http_exchange *longest_waiting(const struct http *http)
{
	struct http_exchange *exchange, *found = NULL;

	for (exchange = http->first; exchange; exchange = exchange->next)
		if (!exchange->begun)
			found = exchange;
	return found;
}

void http_start_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http *http = ctx;
	struct http_exchange *exchange;

	(void)fd;
	(void)what;
	while ((exchange = longest_waiting(http)) != NULL) {
		if (turn_is_over(http)) {
			(void)evtimer_add(http->starter,
			    &(struct timeval){ 0 });
			return;
		}
		exchange->begun = true;
		if (curl_multi_add_handle(http->multi, exchange->easy))
			exchange->broken = true;
		work(http, CURL_SOCKET_TIMEOUT, 0);
	}
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
