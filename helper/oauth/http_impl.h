/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * http_impl - an exchange, for http.c, which drives it, http_set.c, which
 * tells libcurl of it, and http_answer.c, which says what came of it
 */
#ifndef MAILTOKEN_OAUTH_HTTP_IMPL_H
#define MAILTOKEN_OAUTH_HTTP_IMPL_H

#include <curl/curl.h>

#include "oauth/http.h"

struct http_exchange {
	struct http *http;
	struct http_exchange *next;
	CURL *easy;
	char *host; /* of the URL, for sentences */
	struct buf sent;
	size_t sent_n;	 /* how much of it curl has, if that asks */
	struct buf body; /* of the answer */
	bool broken;	 /* the event loop could not take its socket */
	long max_ms;
	int64_t date_s;	  /* of the answer, or 0 */
	bool named_trust; /* by ca_file or ca_path */
	bool begun;	  /* curl has it */
	unsigned number;  /* of this exchange */
	bool doubts;	  /* the last verification failed */
	bool clear;	  /* as asked */
	bool held;	  /* may_send said no */
	bool (*may_send)(void *ctx);
	void *may_send_ctx;
	bool (*piece)(void *ctx, struct span piece);
	struct curl_slist *fields;
	CURLcode set; /* the first option that could not be set */
	char reason[CURL_ERROR_SIZE];
	http_done_fn *done;
	void *ctx;
};

/* http_set - all options; exchange->set is the first that could not be. */
void http_set(struct http_exchange *exchange,
    const struct http_request *request);

/* http_answer_make - what came of it, in numbers and in one sentence. */
void http_answer_make(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer_out);

#endif
