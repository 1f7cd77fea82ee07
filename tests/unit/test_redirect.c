/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The loopback listener, by requests read and by sockets.
 */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "oauth/redirect.h"

#define ROUNDS_MAX 2000 /* of the loop, before a test is given up */

struct fixture {
	struct event_base *base;
	struct redirect *redirect;
	bool takes;
	unsigned came;
	char query[200];
};

static enum fault on_came(void *ctx, struct span query, struct why *why)
{
	struct fixture *f = ctx;

	f->came++;
	(void)snprintf(f->query, sizeof(f->query), "%.*s", (int)query.n,
	    query.p);
	if (f->takes)
		return FAULT_NONE;
	why_set(why, 0, "it is <not> ours");
	return FAULT_GRAMMAR;
}

static struct redirect_wish wish_of(struct fixture *f)
{
	return (struct redirect_wish){
		.base = f->base,
		.path = "/back",
		.came = on_came,
		.ctx = f,
	};
}

static int set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct redirect_wish wish;
	struct why why;

	memset(f, 0, sizeof(*f));
	f->takes = true;
	f->base = event_base_new();
	wish = wish_of(f);
	*state = f;
	return f->base == NULL ||
	    redirect_new(&wish, &f->redirect, &why) != FAULT_NONE;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	redirect_free(f->redirect);
	event_base_free(f->base);
	return 0;
}

static void turn(struct fixture *f)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

static int dial(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int begin(struct fixture *f, struct span request)
{
	int fd = dial(redirect_port(f->redirect));

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request.p, request.n, MSG_NOSIGNAL),
	    request.n);
	return fd;
}

/* The whole answer, while the listener's loop turns. */
static const char *answer_of(struct fixture *f, int fd)
{
	static char answer[32768];
	size_t used = 0;
	int rounds;

	for (rounds = 0; rounds < ROUNDS_MAX; rounds++) {
		ssize_t n;

		turn(f);
		n = recv(fd, answer + used, sizeof(answer) - 1 - used,
		    MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			(void)usleep(1000);
			continue;
		}
		used += (size_t)n;
	}
	assert_true(rounds < ROUNDS_MAX);
	answer[used] = '\0';
	(void)close(fd);
	return answer;
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, text);
}

static const char *ask(struct fixture *f, struct span request)
{
	return answer_of(f, begin(f, request));
}

/* Until came has been called so often. */
static void wait_came(struct fixture *f, unsigned n)
{
	int rounds;

	for (rounds = 0; f->came < n && rounds < ROUNDS_MAX; rounds++) {
		turn(f);
		(void)usleep(1000);
	}
	assert_int_equal(f->came, n);
}

static struct span good(const struct fixture *f)
{
	static char request[100];

	(void)snprintf(request, sizeof(request),
	    "GET /back?code=a&state=b HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
	    (unsigned int)redirect_port(f->redirect));
	return span_of(request);
}

static void the_browser_waits_for_the_end_and_is_told_of_it(void **state)
{
	struct fixture *f = *state;
	const char *answer;
	char byte;
	int fd;

	fd = begin(f, good(f));
	wait_came(f, 1);
	assert_string_equal(f->query, "code=a&state=b");
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	redirect_finish(f->redirect, NULL);
	answer = answer_of(f, fd);
	has(answer, "HTTP/1.1 200 OK\r\n");
	has(answer, "<h1>Signed in</h1>");
	has(answer, "\r\nConnection: close\r\n");
}

static void a_failure_is_told_in_harmless_words(void **state)
{
	struct fixture *f = *state;
	const char *answer;
	int fd;

	fd = begin(f, good(f));
	wait_came(f, 1);
	redirect_finish(f->redirect, "the <b> said \"no\" & 'never'\001");
	answer = answer_of(f, fd);
	has(answer, "HTTP/1.1 400 ");
	has(answer,
	    "<p>The &lt;b&gt; said &quot;no&quot; &amp; "
	    "&#39;never&#39;?.</p>");
}

static void freeing_tells_who_waits(void **state)
{
	struct fixture *f = *state;
	char answer[16384];
	ssize_t n;
	int fd;

	fd = begin(f, good(f));
	wait_came(f, 1);
	redirect_free(f->redirect);
	f->redirect = NULL;
	n = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
	assert_true(n > 0);
	answer[n] = '\0';
	has(answer, "The sign-in was ended in the terminal.");
	(void)close(fd);
}

static void what_is_not_taken_is_told_why(void **state)
{
	struct fixture *f = *state;
	const char *answer;

	f->takes = false;
	answer = ask(f, good(f));
	has(answer, "HTTP/1.1 400 ");
	has(answer, "It is &lt;not&gt; ours.");
	answer = ask(f, good(f));
	has(answer, "It is &lt;not&gt; ours.");
	assert_int_equal(f->came, 2);
}

static void a_request_may_come_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct span request = good(f);
	size_t i;
	int fd;

	fd = begin(f, (struct span){ request.p, 1 });
	for (i = 1; i < request.n; i++) {
		turn(f);
		assert_int_equal(f->came, 0);
		assert_int_equal(send(fd, request.p + i, 1, MSG_NOSIGNAL), 1);
	}
	wait_came(f, 1);
	(void)close(fd);
}

static void the_oldest_visitor_makes_room_but_not_the_one_who_waits(
    void **state)
{
	struct fixture *f = *state;
	int waits, silent[REDIRECT_VISITORS_MAX * 2], i;
	char byte;

	waits = begin(f, good(f));
	wait_came(f, 1);
	for (i = 0; i < REDIRECT_VISITORS_MAX * 2; i++) {
		silent[i] = begin(f, BYTES("G"));
		turn(f);
		turn(f);
	}
	(void)usleep(1000);
	turn(f);
	assert_int_equal(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(silent[i - 1], &byte, 1, MSG_DONTWAIT), -1);
	redirect_finish(f->redirect, NULL);
	has(answer_of(f, waits), "<h1>Signed in</h1>");
	for (i = 0; i < REDIRECT_VISITORS_MAX * 2; i++)
		(void)close(silent[i]);
}

static void one_who_waited_may_leave(void **state)
{
	struct fixture *f = *state;
	int rounds, fd;

	fd = begin(f, good(f));
	wait_came(f, 1);
	(void)close(fd);
	for (rounds = 0; rounds < 20; rounds++) {
		turn(f);
		(void)usleep(1000);
	}
	redirect_finish(f->redirect, NULL);
}

static void a_port_that_is_taken_is_busy(void **state)
{
	struct fixture *f = *state;
	struct redirect_wish wish = wish_of(f);
	struct redirect *other = NULL;
	struct why why = { 0, "" };

	wish.port = redirect_port(f->redirect);
	assert_int_equal(redirect_new(&wish, &other, &why), FAULT_BUSY);
	assert_null(other);
	has(why.text, "redirect_port");
}

static void nobody_listens_afterwards(void **state)
{
	struct fixture *f = *state;
	uint16_t port = redirect_port(f->redirect);

	redirect_free(f->redirect);
	f->redirect = NULL;
	assert_int_equal(dial(port), -1);
}

static enum fault listen_once(void *ctx)
{
	struct fixture *f = ctx;
	struct redirect_wish wish = wish_of(f);
	struct redirect *redirect = NULL;
	struct why why;
	enum fault fault;

	fault = redirect_new(&wish, &redirect, &why);
	redirect_free(redirect);
	return fault;
}

static void no_memory_is_a_fault(void **state)
{
	assert_true(failing_malloc_each(listen_once, *state) >= 1);
}

#define HOST "Host: localhost:7\r\n\r\n"

static void requests_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		enum redirect_page page;
	} rows[] = {
		{ "", REDIRECT_PAGE_NONE },
		{ "G", REDIRECT_PAGE_NONE },
		{ "GET /back?a HTTP/1.1\r\n", REDIRECT_PAGE_NONE },
		{ "GET /back?a HTTP/1.1\r\nA: b\r\n", REDIRECT_PAGE_NONE },
		{ "GET /back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_QUERY },
		{ "GET /back?a HTTP/1.0\n" HOST, REDIRECT_PAGE_QUERY },
		{ "GET /back? HTTP/1.1\r\n" HOST, REDIRECT_PAGE_QUERY },
		{ "GET /back?a HTTP/1.1\r\n\r\n", REDIRECT_PAGE_HOST },
		{ "GET /back?a HTTP/1.0\n\n", REDIRECT_PAGE_HOST },
		{ "GET /back?a HTTP/1.1\nHOST:[::1]:7\n\n",
		    REDIRECT_PAGE_QUERY },
		{ "GET /back?a HTTP/1.1\r\nHost: evil.test:7\r\n\r\n",
		    REDIRECT_PAGE_HOST },
		{ "GET /back?a HTTP/1.1\r\nHost: evil.test\r\n" HOST,
		    REDIRECT_PAGE_HOST },
		{ "GET /back HTTP/1.1\r\n" HOST, REDIRECT_PAGE_ELSEWHERE },
		{ "GET /back/?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_ELSEWHERE },
		{ "GET /Back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_ELSEWHERE },
		{ "GET /bac?k HTTP/1.1\r\n" HOST, REDIRECT_PAGE_ELSEWHERE },
		{ "GET //back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_ELSEWHERE },
		{ "POST /back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_METHOD },
		{ "HEAD /back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_HEAD },
		{ "GET  /back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_GARBAGE },
		{ "GET /back?a  HTTP/1.1\r\n" HOST, REDIRECT_PAGE_GARBAGE },
		{ "GET /back?a b HTTP/1.1\r\n" HOST, REDIRECT_PAGE_GARBAGE },
		{ "GET /back?a HTTP/1.1 \r\n\r\n", REDIRECT_PAGE_GARBAGE },
		{ "GET back?a HTTP/1.1\r\n" HOST, REDIRECT_PAGE_GARBAGE },
		{ "GET /back?a\r\n\r\n", REDIRECT_PAGE_GARBAGE },
		{ "GET\r\n\r\n", REDIRECT_PAGE_GARBAGE },
		{ "\r\n\r\n", REDIRECT_PAGE_GARBAGE },
		{ "\x16", REDIRECT_PAGE_GARBAGE },
	};
	struct span query;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (redirect_request_read(span_of(rows[i].bytes), "/back", 7,
			&query) != rows[i].page)
			fail_msg("row %zu", i);
}

static void requests_have_limits(void **state)
{
	static char bytes[REDIRECT_REQUEST_MAX_BYTES + 1];
	static const struct {
		size_t n, line; /* where the line ends; 0: it does not */
		enum redirect_page page;
	} rows[] = {
		{ REDIRECT_LINE_MAX_BYTES, 0, REDIRECT_PAGE_NONE },
		{ REDIRECT_LINE_MAX_BYTES + 1, 0, REDIRECT_PAGE_LONG },
		{ REDIRECT_REQUEST_MAX_BYTES - 1, 100, REDIRECT_PAGE_NONE },
		{ REDIRECT_REQUEST_MAX_BYTES, 100, REDIRECT_PAGE_LONG },
	};
	struct span query;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		memset(bytes, 'G', rows[i].n);
		bytes[rows[i].n] = '\0';
		if (rows[i].line > 0)
			bytes[rows[i].line] = '\n';
		assert_int_equal(
		    redirect_request_read((struct span){ bytes, rows[i].n },
			"/", 7, &query),
		    rows[i].page);
	}
}

#define with_listener(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_listener(the_browser_waits_for_the_end_and_is_told_of_it),
		with_listener(a_failure_is_told_in_harmless_words),
		with_listener(freeing_tells_who_waits),
		with_listener(what_is_not_taken_is_told_why),
		with_listener(a_request_may_come_in_pieces),
		with_listener(
		    the_oldest_visitor_makes_room_but_not_the_one_who_waits),
		with_listener(one_who_waited_may_leave),
		with_listener(a_port_that_is_taken_is_busy),
		with_listener(nobody_listens_afterwards),
		with_listener(no_memory_is_a_fault),
		cmocka_unit_test(requests_are_told_apart),
		cmocka_unit_test(requests_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
