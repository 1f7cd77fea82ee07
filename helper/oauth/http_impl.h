/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * http_impl - what the files of http share among themselves
 *
 * Included by http*.c only.  http.c drives exchanges, http_socket.c joins
 * curl's multi handle and the event loop, http_answer.c says what came of
 * an exchange.
 */
#ifndef MAILTOKEN_OAUTH_HTTP_IMPL_H
#define MAILTOKEN_OAUTH_HTTP_IMPL_H

#include <curl/curl.h>
#include <event2/event.h>

#include "oauth/http.h"

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
	/* Delivers what is finished, one exchange; false: nothing is. */
	bool (*finish_one)(struct http *http);
};

struct http_exchange {
	struct http *http;
	struct http_exchange *next;
	CURL *easy;
	struct curl_slist *headers;
	char *host; /* of the URL, for sentences */
	struct buf sent;
	struct buf body; /* of the answer */
	bool broken;	 /* the event loop could not take its socket */
	bool patient;
	bool named_trust; /* by ca_file or ca_path */
	bool begun;	  /* curl has it */
	CURLcode set;	  /* the first option that could not be set */
	char reason[CURL_ERROR_SIZE];
	http_done_fn *done;
	void *ctx;
};

/* http_socket_cb, http_timer_cb - for the multi handle. */
int http_socket_cb(CURL *easy, curl_socket_t fd, int what, void *http,
    void *socket);
int http_timer_cb(CURLM *multi, long timeout_ms, void *http);

/* http_timer_event, http_turn_event - the events of timer and turn. */
void http_timer_event(evutil_socket_t fd, short what, void *http);
void http_turn_event(evutil_socket_t fd, short what, void *http);

/* http_answer_make - what came of it, in numbers and in one sentence. */
void http_answer_make(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer_out);

#endif
