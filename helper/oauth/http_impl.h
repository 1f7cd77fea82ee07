/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * http_impl - an exchange, for http.c, which drives it, and http_answer.c,
 * which says what came of it
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
	struct buf body; /* of the answer */
	bool broken;	 /* the event loop could not take its socket */
	long max_ms;
	int64_t date_s;	  /* of the answer, or 0 */
	bool named_trust; /* by ca_file or ca_path */
	bool begun;	  /* curl has it */
	CURLcode set;	  /* the first option that could not be set */
	char reason[CURL_ERROR_SIZE];
	http_done_fn *done;
	void *ctx;
};

/* http_answer_make - what came of it, in numbers and in one sentence. */
void http_answer_make(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer_out);

#endif
