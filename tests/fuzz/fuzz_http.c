/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Header fields of an answer, line by line, and what is made of them: a
 * number of seconds that can be waited, and a sentence.  A first byte '!'
 * makes the rest the words of the TLS library instead.
 */
#include "oauth/http_impl.h"

#include "fuzz.h"

const char fuzz_name[] = "http";

static char host[] = "id.example.org";

static void give_lines(struct http_exchange *exchange, struct span rest)
{
	while (rest.n > 0) {
		struct span line = rest;
		size_t left = rest.n;
		char *copy;

		(void)fuzz_line(&rest);
		line.n = left - rest.n;
		copy = fuzz_string(line);
		FUZZ_CHECK(http_header_cb(copy, 1, line.n, exchange) == line.n);
		free(copy);
	}
}

static CURLcode fill(struct http_exchange *exchange, struct span input)
{
	size_t n = input.n < sizeof(exchange->reason) ?
	    input.n :
	    sizeof(exchange->reason);

	if (input.n == 0 || input.p[0] != '!') {
		give_lines(exchange, input);
		return CURLE_OK;
	}
	memcpy(exchange->reason, input.p + 1, n - 1);
	return CURLE_PEER_FAILED_VERIFICATION;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct http_exchange exchange = { .host = host };
	struct http_answer answer;
	CURLcode code;

	buf_init(&exchange.body, HTTP_BODY_MAX_BYTES);
	exchange.easy = curl_easy_init();
	FUZZ_CHECK(exchange.easy != NULL);
	code = fill(&exchange, fuzz_span(bytes, n));
	http_answer_make(&exchange, code, &answer);
	FUZZ_CHECK(answer.retry_after_s >= -1);
	FUZZ_CHECK(answer.text[0] != '\0' && fuzz_is_printable(answer.text));
	curl_easy_cleanup(exchange.easy);
	return 0;
}
