/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * http - bounded HTTPS exchanges on a curl multi handle
 *
 * Owns the multi handle and its timers and sockets on the event loop.  Always
 * HTTP/1.1, verified, TLS 1.2 or newer, no redirects, 10 s to connect.  Unless
 * a request says otherwise: https only, a connection for each request, which is
 * sent once, 20 s in all, bodies up to HTTP_BODY_MAX_BYTES.  Request and answer
 * bodies are wiped; curl's own buffers cannot be.
 */
#ifndef MAILTOKEN_OAUTH_HTTP_H
#define MAILTOKEN_OAUTH_HTTP_H

#include "wire/buf.h"

struct event_base;
struct http;
struct http_exchange;

#define HTTP_BODY_MAX_BYTES 262144
#define HTTP_CONNECT_MAX_MS 10000
#define HTTP_TOTAL_MAX_MS   20000
#define HTTP_PATIENT_MAX_MS 60000
#define HTTP_ENDLESS	    (-1)

/* Whether there is a status. */
enum http_trouble {
	HTTP_ANSWERED,
	HTTP_TOO_BIG, /* the body of the answer */
	HTTP_LOST,    /* no connection, no TLS, no or no whole answer */
	HTTP_LOCAL    /* this machine cannot ask: no memory, no CA file, ... */
};

/* What was under way when an exchange ended. */
enum http_stage {
	HTTP_NAME,    /* looking for addresses */
	HTTP_CONNECT, /* to the host or, and through, the proxy */
	HTTP_TLS,
	HTTP_ANSWER
};

enum http_method {
	HTTP_POST_FORM, /* application/x-www-form-urlencoded */
	HTTP_POST_JSON,
	HTTP_GET,
	HTTP_GET_BEARER /* body is the token (RFC 6750 section 2.1) */
};

struct http_request {
	enum http_method method;
	const char *url;     /* https; copied */
	struct span body;    /* copied into a wiping buffer */
	const char *basic;   /* "user:password" for HTTP Basic (RFC 7617), the
				colon in neither; NULL: none */
	const char *ca_file; /* NULL: the system's */
	const char *ca_path;
	const char *proxy; /* NULL: from the environment; "" for none */
	long max_ms;	   /* 0: HTTP_TOTAL_MAX_MS; HTTP_ENDLESS: no limit */
	const char *fields[2];	 /* more of the header, "Name: value", without
				      line ends; copied; NULL: none */
	const char *certificate; /* PEM files of the client; copied */
	const char *certificate_key;
	bool clear; /* http:// will do as well */
	bool keeps; /* its connection may be a kept one and is kept: then
		       libcurl may send it twice */
	/* Of a POST, when its body is about to leave: false holds it back, and
	 * it ends with HTTP_LOCAL, not reached.  NULL: it may. */
	bool (*may_send)(void *ctx);
	void *may_send_ctx;
	/* Takes the answer's body as it comes, in place of http_answer, with
	 * the ctx of done; false ends the exchange.  It must neither start nor
	 * cancel one. */
	bool (*piece)(void *ctx, struct span piece);
};

struct http_answer {
	enum http_trouble trouble;
	enum http_stage stage;
	const char *host;      /* of the URL; until the callback returns */
	char address[46];      /* connected to, maybe the proxy's; or "" */
	int64_t date_s;	       /* its Date field, unix seconds; 0: none */
	long status;	       /* 0 unless HTTP_ANSWERED */
	struct span body;      /* until the callback returns; unless
				  HTTP_ANSWERED what came of one with 2xx */
	bool reached;	       /* the request may have arrived */
	struct span sent;      /* the request's, likewise */
	int64_t retry_after_s; /* from now on; -1: not said */
	bool wants_basic;      /* status 401, WWW-Authenticate says Basic */
	bool redirect;	       /* 3xx; text names the target host only */
	char text[256];	       /* one sentence, free of secrets */
};

/*
 * Called once for each exchange, from the event loop, never from inside
 * http_start(); the exchange is gone when it returns.
 */
typedef void http_done_fn(void *ctx, const struct http_answer *answer);

/*
 * http_new - FAULT_NOMEM, FAULT_INTERNAL.  http_free cancels all; not from
 * inside a done function.
 */
enum fault http_new(struct event_base *base, struct http **http_out) MUST_CHECK;
void http_free(struct http *http);

/*
 * http_start - begin an exchange (Accept: application/json)
 *
 * exchange_out  out: for http_cancel(); owned by http
 *
 * FAULT_GRAMMAR for an url that is not allowed; FAULT_NOMEM;
 * FAULT_INTERNAL.
 */
enum fault http_start(struct http *http, const struct http_request *request,
    http_done_fn *done, void *ctx,
    struct http_exchange **exchange_out) MUST_CHECK;

/* http_cancel - forget it; done is not called. */
void http_cancel(struct http_exchange *exchange);

#endif
