/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * GET /metrics and nothing else.  The helper is asked at each request, so that
 * this process keeps nothing and may be started before it.
 */
#include "operator/verbs.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "cli/command.h"
#include "wire/attr.h"

#define PAGE_MAX_BYTES	 ((size_t)16 << 20)
#define SAID_MAX_BYTES	 4096
#define HEADER_MAX_BYTES 8192
#define PEER_MAX_S	 10
#define LOOPBACK	 "127.0.0.1"

struct server {
	struct command *command;
	bool failing; /* as of the last request; said once */
};

/* Prometheus names what it can read; a browser does not. */
static bool wants_open(struct evhttp_request *request)
{
	const char *accept = evhttp_find_header(
	    evhttp_request_get_input_headers(request), "Accept");

	return accept != NULL &&
	    strstr(accept, "application/openmetrics-text") != NULL;
}

static void answer(struct evhttp_request *request, int status, const char *type,
    struct span body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *out = evhttp_request_get_output_buffer(request);

	if (evhttp_add_header(headers, "Content-Type", type) != 0 ||
	    evbuffer_add(out, body.p, body.n) != 0)
		status = HTTP_INTERNAL;
	evhttp_send_reply(request, status, NULL, NULL);
}

static void scraped(struct evhttp_request *request, void *ctx)
{
	struct buf page = BUF_INIT(PAGE_MAX_BYTES);
	struct buf said = BUF_INIT(SAID_MAX_BYTES);
	struct server *server = ctx;
	bool open = wants_open(request), failed;

	screen.said = &said;
	failed = metrics_page(server->command,
		     open ? METRICS_OPEN : METRICS_TEXT, &page) != OUTCOME_DONE;
	screen.said = NULL;
	if (failed && !server->failing)
		screen_say("%.*s", SPAN(buf_span(&said)));
	server->failing = failed;
	if (page.n == 0)
		answer(request, HTTP_SERVUNAVAIL, "text/plain; charset=utf-8",
		    buf_span(&said));
	else
		answer(request, HTTP_OK,
		    open ? "application/openmetrics-text; version=1.0.0; "
			   "charset=utf-8" :
			   "text/plain; version=0.0.4; charset=utf-8",
		    buf_span(&page));
	buf_drop(&said);
	buf_drop(&page);
}

static void elsewhere(struct evhttp_request *request, void *ctx)
{
	(void)ctx;
	answer(request, HTTP_NOTFOUND, "text/plain; charset=utf-8",
	    span_of("Metrics are at /metrics.\n"));
}

/*
 * ADDRESS:PORT, [ADDRESS]:PORT or PORT, which is loopback's.  No names: what
 * one resolves to might be all of this machine's addresses.  NULL, or for
 * freeaddrinfo().
 */
static struct addrinfo *parse(const char *where)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	const char *colon = strrchr(where, ':');
	const char *port = colon != NULL ? colon + 1 : where;
	size_t n = colon != NULL ? (size_t)(colon - where) : 0;
	bool bracket = n > 2 && where[0] == '[' && where[n - 1] == ']';
	char host[NI_MAXHOST] = LOOPBACK;
	struct addrinfo *found = NULL;
	int64_t number;

	if (n > 0)
		(void)snprintf(host, sizeof(host), "%.*s", (int)n - 2 * bracket,
		    where + bracket);
	return attr_number(span_of(port), 0, UINT16_MAX, &number) ==
		    FAULT_NONE &&
		getaddrinfo(host, port, &hints, &found) == 0 ?
	    found :
	    NULL;
}

/* Port 0 is any: which, its line says. */
static void say_where(int fd)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&at, &n) != 0 ||
	    getnameinfo((const struct sockaddr *)&at, n, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	screen_print(strchr(host, ':') != NULL ? "http://[%s]:%s/metrics\n" :
						 "http://%s:%s/metrics\n",
	    host, port);
	screen_flush();
}

enum outcome serve_metrics(struct command *command)
{
	struct server server = { command, false };
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
	struct evconnlistener *listener = NULL;
	struct addrinfo *at = parse(command->listen);
	struct why why;

	(void)signal(SIGPIPE, SIG_IGN);
	if (at == NULL) {
		screen_say("--listen takes ADDRESS:PORT, such as " LOOPBACK
			   ":9469 or [::1]:9469");
		return OUTCOME_NO;
	}
	if (http != NULL)
		listener = evconnlistener_new_bind(base, NULL, NULL,
		    LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC |
			LEV_OPT_CLOSE_ON_FREE,
		    SOMAXCONN, at->ai_addr, (int)at->ai_addrlen);
	freeaddrinfo(at);
	if (listener == NULL) {
		why_set(&why, errno, "cannot listen on %s", command->listen);
		screen_say("%s", why.text);
		return OUTCOME_NO;
	}
	if (evhttp_bind_listener(http, listener) == NULL ||
	    evhttp_set_cb(http, "/metrics", scraped, &server) != 0) {
		screen_say("%s", fault_text(FAULT_NOMEM));
		return OUTCOME_LATER;
	}
	evhttp_set_gencb(http, elsewhere, NULL);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET);
	evhttp_set_timeout(http, PEER_MAX_S);
	evhttp_set_max_headers_size(http, HEADER_MAX_BYTES);
	evhttp_set_max_body_size(http, 0);
	say_where(evconnlistener_get_fd(listener));
	(void)event_base_dispatch(base);
	return OUTCOME_NO;
}
