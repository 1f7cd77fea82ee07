/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exchanges: made, started, finished, cancelled.  An exchange is in the list
 * of its http from http_start() until its done function is called or it is
 * cancelled; callbacks may post and cancel, so the list is never walked
 * across one.
 *
 * Then curl's multi handle on the event loop: one timer, one event a socket.
 * Nothing of curl is called from inside its own callbacks.  What is ready
 * waits in a line for turn_event(), which works TURN_MS in a turn of the loop
 * and ends one exchange at most: many at once must not keep those waiting who
 * only want what is there.
 */
#include "oauth/http.h"

#include <event2/event.h>
#include <stdlib.h>

#include "oauth/http_impl.h"
#include "oauth/url.h"
#include "wire/ask.h"

#define HTTP_SENT_MAX_BYTES 262144
#define TURN_MS		    2

struct http {
	struct event_base *base;
	CURLM *multi;
	struct event *timer; /* curl's */
	struct event *turn;  /* active while there is work */
	struct http_exchange *first;
	struct http_socket *ready; /* the line of those */
	unsigned made;		   /* exchanges */
	bool due;		   /* curl's timer fired */
	bool in_doubt;		   /* the last verification failed */
};

struct http_socket {
	struct http *http;
	struct event *event;
	curl_socket_t fd;
	int bits; /* what it is ready for; 0: not in the line */
	struct http_socket *next;
};

/* From the list and from curl, before what is sent is freed: curl reads that
 * without a copy of its own. */
static void exchange_unlink(struct http_exchange *exchange)
{
	struct http_exchange **at = &exchange->http->first;

	while (*at != exchange)
		at = &(*at)->next;
	*at = exchange->next;
	(void)curl_multi_remove_handle(exchange->http->multi, exchange->easy);
}

static void fields_free(struct http_exchange *exchange)
{
	struct curl_slist *one;

	for (one = exchange->fields; one != NULL; one = one->next)
		secret_wipe(one->data, strlen(one->data));
	curl_slist_free_all(exchange->fields);
}

static void exchange_free(struct http_exchange *exchange)
{
	curl_easy_cleanup(exchange->easy);
	fields_free(exchange);
	buf_drop(&exchange->sent);
	buf_drop(&exchange->body);
	free(exchange->host);
	free(exchange);
}

enum fault http_start(struct http *http, const struct http_request *request,
    http_done_fn *done, void *ctx, struct http_exchange **exchange_out)
{
	struct http_exchange *exchange;
	enum fault fault;

	exchange = calloc(1, sizeof(*exchange));
	if (exchange == NULL)
		return FAULT_NOMEM;
	exchange->http = http;
	exchange->number = http->made++;
	exchange->doubts = http->in_doubt;
	exchange->done = done;
	exchange->ctx = ctx;
	exchange->may_send = request->may_send;
	exchange->may_send_ctx = request->may_send_ctx;
	exchange->piece = request->piece;
	exchange->clear = request->clear;
	exchange->max_ms = request->max_ms != 0 ? request->max_ms :
						  HTTP_TOTAL_MAX_MS;
	exchange->named_trust = request->ca_file != NULL ||
	    request->ca_path != NULL;
	buf_init(&exchange->sent, HTTP_SENT_MAX_BYTES);
	buf_init(&exchange->body, HTTP_BODY_MAX_BYTES);
	buf_add(&exchange->sent, request->body);
	fault = buf_fault(&exchange->sent);
	if (!fault)
		fault = request->clear ?
		    url_host_clear(request->url, &exchange->host) :
		    url_host(request->url, &exchange->host);
	if (!fault) {
		exchange->easy = curl_easy_init();
		if (exchange->easy == NULL)
			fault = FAULT_NOMEM;
	}
	if (!fault) {
		http_set(exchange, request);
		if (exchange->set)
			fault = exchange->set == CURLE_OUT_OF_MEMORY ?
			    FAULT_NOMEM :
			    FAULT_INTERNAL;
	}
	if (!fault && evtimer_add(http->turn, &(struct timeval){ 0 }))
		fault = FAULT_NOMEM;
	if (fault) {
		exchange_free(exchange);
		return fault;
	}
	exchange->next = http->first;
	http->first = exchange;
	*exchange_out = exchange;
	return FAULT_NONE;
}

void http_cancel(struct http_exchange *exchange)
{
	if (exchange == NULL)
		return;
	exchange_unlink(exchange);
	exchange_free(exchange);
}

static void exchange_finish(struct http_exchange *exchange, CURLcode code)
{
	struct http_answer answer;

	exchange->http->in_doubt = code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_CACERT_BADFILE;
	http_answer_make(exchange, code, &answer);
	exchange_unlink(exchange);
	exchange->done(exchange->ctx, &answer);
	exchange_free(exchange);
}

/* Delivers one that is finished; false: none is. */
static bool finish_one(struct http *http)
{
	struct http_exchange *exchange = http->first;
	const CURLMsg *message;
	void *of;
	int left;

	while (exchange != NULL && !exchange->broken)
		exchange = exchange->next;
	if (exchange != NULL) {
		exchange_finish(exchange, CURLE_OUT_OF_MEMORY);
		return true;
	}
	message = curl_multi_info_read(http->multi, &left);
	if (message == NULL)
		return false;
	if (message->msg == CURLMSG_DONE &&
	    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of) ==
		CURLE_OK)
		exchange_finish(of, message->data.result);
	return true;
}

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

static void timer_event(evutil_socket_t fd, short what, void *ctx)
{
	struct http *http = ctx;

	(void)fd;
	(void)what;
	http->due = true;
	/* In the next turn: this one may be used up. */
	(void)evtimer_add(http->turn, &(struct timeval){ 0 });
}

/* One piece of work; false: there is none. */
static bool work(struct http *http)
{
	struct http_exchange *at, *exchange = NULL;
	struct http_socket *socket = http->ready;
	int bits;

	if (socket != NULL) {
		bits = socket->bits;
		leave_line(socket);
		/* socket may be gone afterwards. */
		action(http, socket->fd, bits);
		return true;
	}
	if (!http->due) {
		/* The one that has waited longest. */
		for (at = http->first; at != NULL; at = at->next)
			if (!at->begun)
				exchange = at;
		if (exchange == NULL)
			return false;
		exchange->begun = true;
		if (curl_multi_add_handle(http->multi, exchange->easy))
			exchange->broken = true;
	}
	http->due = false;
	action(http, CURL_SOCKET_TIMEOUT, 0);
	return true;
}

static void turn_event(evutil_socket_t fd, short what, void *ctx)
{
	int64_t until_ms = ask_now_ms() + TURN_MS;
	struct http *http = ctx;

	(void)fd;
	(void)what;
	/* What an exchange ends with is saved, which may be slow. */
	while (!finish_one(http)) {
		if (!work(http))
			return;
		if (ask_now_ms() >= until_ms)
			break;
	}
	(void)evtimer_add(http->turn, &(struct timeval){ 0 });
}

static int timer_cb(CURLM *multi, long timeout_ms, void *ctx)
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
	leave_line(socket);
	if (socket->event != NULL)
		event_free(socket->event);
	free(socket);
}

/*
 * A fault here must not be returned: curl would give up on every exchange.
 * The one that cannot be watched is marked, and ends at the next reaping.
 */
static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx,
    void *old)
{
	struct http_socket *socket = old;
	struct http_exchange *exchange;
	short bits = EV_PERSIST;
	struct http *http = ctx;
	void *of = NULL;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		bits |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		bits |= EV_WRITE;
	if (socket == NULL && what != CURL_POLL_REMOVE)
		socket = calloc(1, sizeof(*socket));
	if (socket != NULL) {
		if (socket->event != NULL)
			event_free(socket->event);
		socket->http = http;
		socket->fd = fd;
		socket->event = what == CURL_POLL_REMOVE ?
		    NULL :
		    event_new(http->base, fd, bits, socket_event, socket);
		if (socket->event == NULL ||
		    event_add(socket->event, NULL) != 0) {
			socket_free(socket);
			socket = NULL;
		}
	}
	if (socket == NULL && what != CURL_POLL_REMOVE &&
	    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &of) == CURLE_OK &&
	    of != NULL) {
		exchange = of;
		exchange->broken = true;
	}
	(void)curl_multi_assign(http->multi, fd, socket);
	return 0;
}

/*
 * Since 8.20 resolvers are a pool of the multi handle's, 20 of them: dead
 * names would keep the others' from being looked up.  One for each exchange,
 * and for what hangs of those that have ended.  A libcurl that has none does
 * not know the options.
 */
#if LIBCURL_VERSION_NUM >= 0x081400
static void set_resolvers(CURLM *multi)
{
	(void)curl_multi_setopt(multi, CURLMOPT_RESOLVE_THREADS_MAX, 128L);
	(void)curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L);
}
#else
static void set_resolvers(CURLM *multi)
{
	(void)multi;
}
#endif

enum fault http_new(struct event_base *base, struct http **http_out)
{
	enum fault fault = FAULT_NONE;
	struct http *http;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return FAULT_INTERNAL;
	http = calloc(1, sizeof(*http));
	if (http == NULL) {
		curl_global_cleanup();
		return FAULT_NOMEM;
	}
	http->base = base;
	http->timer = evtimer_new(base, timer_event, http);
	http->turn = evtimer_new(base, turn_event, http);
	http->multi = curl_multi_init();
	if (http->timer == NULL || http->turn == NULL || http->multi == NULL)
		fault = FAULT_NOMEM;
	else if (curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
		     socket_cb) ||
	    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) ||
	    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, timer_cb) ||
	    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http))
		fault = FAULT_INTERNAL;
	else
		set_resolvers(http->multi);
	if (fault)
		http_free(http);
	else
		*http_out = http;
	return fault;
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	while (http->first != NULL)
		http_cancel(http->first);
	/* It closes idle connections, and says so to the socket callback. */
	if (http->multi != NULL)
		(void)curl_multi_cleanup(http->multi);
	if (http->timer != NULL)
		event_free(http->timer);
	if (http->turn != NULL)
		event_free(http->turn);
	free(http);
	curl_global_cleanup();
}
