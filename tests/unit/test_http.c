/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exchanges that end before a name is resolved.  getaddrinfo() is ours here
 * and does not return before the test lets it: a name server that is dead.
 * Whole exchanges are in tests/flows.
 */
#include "test.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "oauth/http.h"

#define RESOLVER_GIVES_UP_MS 10000

static int entered[2] = { -1, -1 };
static int may_leave[2] = { -1, -1 };
static atomic_bool gave_up;

/* libcurl's threads come here, so libcurl must see it. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node,
    const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	struct pollfd gate = { .fd = may_leave[0], .events = POLLIN };

	(void)node;
	(void)service;
	(void)hints;
	(void)found;
	(void)!write(entered[1], "x", 1);
	if (poll(&gate, 1, RESOLVER_GIVES_UP_MS) == 0)
		atomic_store(&gave_up, true);
	return EAI_AGAIN;
}

static void on_done(void *ctx, const struct http_answer *answer)
{
	(void)ctx;
	(void)answer;
	fail();
}

static void on_entered(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(base);
}

/* A helper that waited here would answer nobody for as long. */
static void ending_an_exchange_does_not_wait_for_the_resolver(void **state)
{
	const struct http_request request = {
		.method = HTTP_GET,
		.url = "https://a-name.invalid/x",
		.proxy = "",
	};
	const struct timeval deadline = { 10, 0 };
	struct event_base *base = event_base_new();
	struct http_exchange *exchange = NULL;
	struct http *http = NULL;
	struct event *seen;

	(void)state;
	if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075700)
		skip();
	assert_non_null(base);
	assert_int_equal(pipe(entered), 0);
	assert_int_equal(pipe(may_leave), 0);
	seen = event_new(base, entered[0], EV_READ, on_entered, base);
	assert_non_null(seen);
	assert_int_equal(event_add(seen, &deadline), 0);
	assert_int_equal(http_new(base, &http), FAULT_NONE);
	assert_int_equal(http_start(http, &request, on_done, NULL, &exchange),
	    FAULT_NONE);
	assert_int_equal(event_base_dispatch(base), 0);
	assert_true(event_base_got_break(base));

	http_cancel(exchange);
	http_free(http);
	assert_false(atomic_load(&gave_up));

	(void)!write(may_leave[1], "x", 1);
	event_free(seen);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    ending_an_exchange_does_not_wait_for_the_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
