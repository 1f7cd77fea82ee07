/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * GET /metrics and nothing else.  The helper is asked at each request, so that
 * this process keeps nothing and may be started before it.
 */
#include "operator/serve.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/metrics.h"
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

/* ADDRESS:PORT, [ADDRESS]:PORT or PORT, which is loopback's. */
static bool split(const char *where, char host[SERVER_MAX_BYTES + 1],
    const char **port)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon != NULL ? (size_t)(colon - where) : 0;
	int64_t number;

	*port = colon != NULL ? colon + 1 : where;
	if (n > 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (n == 0) {
		where = LOOPBACK;
		n = strlen(where);
	}
	if (n > SERVER_MAX_BYTES)
		return false;
	memcpy(host, where, n);
	host[n] = '\0';
	return attr_number(span_of(*port), 0, UINT16_MAX, &number) ==
	    FAULT_NONE;
}

/* A name of one machine only: what it resolves to might be all of them. */
static int listen_at(const char *host, const char *port, struct why *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	int fd, one = 1;

	if (getaddrinfo(host, port, &hints, &found) != 0) {
		why_set(why, 0,
		    "--listen takes ADDRESS:PORT, such as " LOOPBACK ":9469 or "
		    "[::1]:9469");
		return -1;
	}
	fd = socket(found->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
	    listen(fd, SOMAXCONN) != 0) {
		why_set(why, errno, "cannot listen on %s port %s", host, port);
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
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

static enum outcome serve(struct server *server, int fd)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;

	if (http == NULL || evhttp_accept_socket(http, fd) != 0 ||
	    evhttp_set_cb(http, "/metrics", scraped, server) != 0) {
		screen_say("%s", fault_text(FAULT_NOMEM));
		return OUTCOME_LATER;
	}
	evhttp_set_gencb(http, elsewhere, NULL);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET);
	evhttp_set_timeout(http, PEER_MAX_S);
	evhttp_set_max_headers_size(http, HEADER_MAX_BYTES);
	evhttp_set_max_body_size(http, 0);
	say_where(fd);
	(void)event_base_dispatch(base);
	return OUTCOME_NO;
}

enum outcome serve_metrics(struct command *command)
{
	struct server server = { command, false };
	char host[SERVER_MAX_BYTES + 1] = "";
	const char *port = "";
	struct why why;
	int fd;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!split(command->listen, host, &port))
		host[0] = '\0';
	fd = listen_at(host, port, &why);
	if (fd < 0) {
		screen_say("%s", why.text);
		return OUTCOME_NO;
	}
	return serve(&server, fd);
}
