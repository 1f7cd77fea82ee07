/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The life of a connection.  A request that is here already when a
 * connection is accepted is answered without a turn of the event loop.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/answer.h"
#include "daemon/conn.h"

#define RECEIVE_BYTES 4096
#define OUT_MAX_BYTES (64 * 1024 * 1024)

struct uid_count {
	uid_t uid;
	unsigned n;
	struct uid_count *next;
};

struct serve {
	struct event_base *base;
	struct serve_host host;
	struct event *accepts[LISTEN_MAX];
	size_t n_accepts;
	struct event *resume;
	bool full;
	bool stopped;
	struct conn *first;
	size_t n_conns;
	size_t n_conns_max;
	int64_t last_ms; /* when the last connection came */
	struct uid_count *counts;
};

static const char not_taken[] = "the peer did not take its answer";

static void ready(evutil_socket_t fd, short events, void *ctx);

const struct serve_host *conn_host(const struct conn *conn)
{
	return &conn->serve->host;
}

static struct uid_count *count_of(struct serve *serve, uid_t uid)
{
	struct uid_count *count;

	for (count = serve->counts; count != NULL; count = count->next)
		if (count->uid == uid)
			return count;
	count = calloc(1, sizeof(*count));
	if (count == NULL)
		return NULL;
	count->uid = uid;
	count->next = serve->counts;
	serve->counts = count;
	return count;
}

static void uncount(struct serve *serve, uid_t uid)
{
	struct uid_count **at, *gone;

	for (at = &serve->counts; *at != NULL; at = &(*at)->next) {
		if ((*at)->uid != uid)
			continue;
		if (--(*at)->n == 0) {
			gone = *at;
			*at = gone->next;
			free(gone);
		}
		return;
	}
}

static void set_accepting(struct serve *serve, bool on)
{
	size_t i;

	for (i = 0; i < serve->n_accepts; i++) {
		if (on)
			(void)event_add(serve->accepts[i], NULL);
		else
			(void)event_del(serve->accepts[i]);
	}
	serve->full = !on;
}

static void log_request(const struct conn *conn)
{
	const struct request *request = &conn->request;
	struct log_line line;

	/* Those lines are limited: no stranger may fill a disk with them. */
	log_start(&line,
	    conn->outcome != FAULT_NONE && conn->trusted ? LOG_LEVEL_NOTICE :
							   LOG_LEVEL_INFO,
	    "request");
	if (conn->understood)
		log_str(&line, "verb", request_verb_word(request->verb));
	log_int(&line, "uid", (int64_t)conn->peer.uid);
	log_int(&line, "pid", (int64_t)conn->peer.pid);
	if (conn->understood) {
		log_str(&line, "account", request->folded);
		log_span(&line, "server", request->server);
		log_span(&line, "service", request->service);
		log_span(&line, "mechanism", request->mechanism);
		log_span(&line, "challenge", request->challenge);
	}
	log_str(&line, "outcome",
	    conn->cancelled ? "cancelled" : fault_word(conn->outcome));
	log_str(&line, "note", verbs_note(conn));
	log_int(&line, "ms", clock_boot_ms() - conn->started_ms);
	log_end(&line);
}

static void conn_close(struct conn *conn)
{
	if (conn->event == NULL)
		return;
	event_free(conn->event);
	conn->event = NULL;
	(void)close(conn->fd);
}

static void conn_free(struct conn *conn)
{
	struct serve *serve = conn->serve;

	conn_close(conn);
	verbs_drop(conn);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		serve->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	serve->n_conns--;
	uncount(serve, conn->peer.uid);
	buf_drop(&conn->in);
	buf_drop(&conn->more);
	buf_drop(&conn->out);
	peer_drop(&conn->peer);
	free(conn);
	if (serve->full && !serve->stopped)
		set_accepting(serve, true);
}

static int64_t request_left_ms(const struct conn *conn)
{
	return SERVE_REQUEST_MAX_MS - (clock_boot_ms() - conn->started_ms);
}

/* What to wait for now, and how long. */
static void wait_more(struct conn *conn)
{
	int64_t left_ms = request_left_ms(conn);
	struct timeval limit;
	short events = conn->deaf ? 0 : EV_READ;
	bool timed = conn->phase == CONN_READING;

	if (conn->out.n > 0)
		events |= EV_WRITE;
	if (conn->phase == CONN_CLOSING) {
		/* A peer that does not read its answer is let go. */
		events = EV_WRITE;
		left_ms = SERVE_REQUEST_MAX_MS;
		timed = true;
	}
	if (left_ms < 1)
		left_ms = 1;
	limit.tv_sec = (time_t)(left_ms / 1000);
	limit.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
	(void)event_del(conn->event);
	if (events == 0)
		return;
	(void)event_assign(conn->event, conn->serve->base, conn->fd, events,
	    ready, conn);
	(void)event_add(conn->event, timed ? &limit : NULL);
}

/* False when the connection is gone. */
static bool send_out(struct conn *conn)
{
	ssize_t n;

	while (conn->out.n > 0) {
		n = send(conn->fd, conn->out.p, conn->out.n,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return false;
		buf_consume(&conn->out, (size_t)n);
	}
	return true;
}

/* After every callback: send, then close or wait. */
static void settle(struct conn *conn)
{
	bool alive;

	if (conn->inside)
		return;
	alive = buf_fault(&conn->out) == FAULT_NONE && send_out(conn);
	if (!alive && conn->note == NULL)
		conn->note = not_taken;
	if (!alive || (conn->phase == CONN_CLOSING && conn->out.n == 0)) {
		conn_close(conn);
		log_request(conn);
		conn_free(conn);
		return;
	}
	wait_more(conn);
}

void conn_close_after(struct conn *conn, enum fault outcome)
{
	conn->outcome = outcome;
	conn->phase = CONN_CLOSING;
	settle(conn);
}

void conn_send_later(struct conn *conn)
{
	if (!conn->inside)
		wait_more(conn);
}

static void refuse(struct conn *conn, enum fault fault, const char *text)
{
	struct answer_refusal refusal = { .fault = fault,
		.text = text,
		.retry_after_s = -1 };

	answer_fault(&conn->out, &refusal);
	conn->note = text;
	conn->outcome = fault;
	conn->phase = CONN_CLOSING;
}

static void begin(struct conn *conn, const struct attrs *attrs)
{
	struct why why;
	enum fault fault;

	fault = request_read(attrs, &conn->request, &why);
	if (fault != FAULT_NONE) {
		refuse(conn, fault, why.text);
		conn->note = NULL; /* it points into why */
		return;
	}
	conn->understood = true;
	conn->phase = CONN_WORKING;
	verbs_begin(conn);
}

static bool wants_list(const struct conn *conn)
{
	return conn->phase == CONN_READING || conn->phase == CONN_DIALOGUE;
}

static void got_list(struct conn *conn, struct span list)
{
	struct attrs attrs;

	if (attr_parse(list, WIRE_FIRST, &attrs) != FAULT_NONE)
		refuse(conn, FAULT_BAD_REQUEST,
		    "the request is not an attribute list of "
		    "mailtoken-protocol(7)");
	else if (conn->phase == CONN_DIALOGUE)
		verbs_continue(conn, &attrs);
	else
		begin(conn, &attrs);
}

/* Every whole list that is here and wanted. */
static void look(struct conn *conn)
{
	while (wants_list(conn)) {
		bool first = conn->phase == CONN_READING;
		struct buf *from = first ? &conn->in : &conn->more;
		struct span list = buf_span(from);
		size_t length;

		if (attr_length(list, &length) != FAULT_NONE) {
			refuse(conn, FAULT_BAD_REQUEST,
			    "the request is too long");
			return;
		}
		if (length == 0)
			return;
		list.n = length;
		got_list(conn, list);
		if (!first)
			buf_consume(from, length);
		else if (conn->phase == CONN_DIALOGUE)
			buf_add(&conn->more,
			    (struct span){ from->p + length,
				from->n - length });
	}
}

/*
 * The end of what the peer sends.  It may still wait for its answer; a
 * sign-in, a forget or a watch ends here, that is how they are cancelled.
 */
static void hang_up(struct conn *conn)
{
	conn->deaf = true;
	if (conn->phase == CONN_CLOSING ||
	    (conn->phase == CONN_WORKING && conn->forget == NULL))
		return;
	conn->note = "the peer hung up";
	conn->cancelled = conn->signin != NULL || conn->forget != NULL;
	conn->phase = CONN_CLOSING;
}

/*
 * After the request nothing but the end, or a dialogue's next list, may come;
 * the rest is read and dropped, so that an end is seen.
 */
static void receive(struct conn *conn)
{
	struct buf *in = conn->phase == CONN_READING ? &conn->in : &conn->more;
	bool wanted = wants_list(conn);
	char drop[256];
	size_t room = sizeof(drop);
	char *p = drop;
	ssize_t n;

	if (wanted) {
		p = buf_space(in, RECEIVE_BYTES, &room);
		if (p == NULL) {
			refuse(conn, FAULT_BAD_REQUEST,
			    "the request is too long");
			return;
		}
	}
	n = recv(conn->fd, p, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (conn->phase == CONN_READING && conn->in.n > 0 && n == 0)
			refuse(conn, FAULT_BAD_REQUEST,
			    "the request ends before its empty line");
		else
			hang_up(conn);
		return;
	}
	if (wanted) {
		buf_used(in, (size_t)n);
		look(conn);
	}
}

static bool is_late(const struct conn *conn, short events)
{
	return conn->phase == CONN_READING &&
	    ((events & EV_TIMEOUT) || request_left_ms(conn) <= 0);
}

static void ready(evutil_socket_t fd, short events, void *ctx)
{
	struct conn *conn = ctx;

	(void)fd;
	conn->inside = true;
	if (conn->phase == CONN_CLOSING && events == EV_TIMEOUT) {
		buf_drop(&conn->out);
		conn->note = not_taken;
	}
	/* Even at the end of its time: it may be the helper that was late. */
	if ((events & EV_READ) || conn->phase == CONN_READING)
		receive(conn);
	if (is_late(conn, events))
		refuse(conn, FAULT_TIMEOUT,
		    "no whole request came within 2 seconds");
	conn->inside = false;
	settle(conn);
}

static bool is_over_cap(struct serve *serve, const struct peer *peer)
{
	struct uid_count *count = count_of(serve, peer->uid);
	struct engine *engine;
	struct why why;
	unsigned cap = SERVE_PER_UID_MAX;

	if (count == NULL)
		return true;
	count->n++;
	if (count->n <= cap)
		return false;
	engine = serve->host.engine(serve->host.ctx, &why);
	if (peer_is_root(peer) ||
	    (engine != NULL && config_is_known(engine->config, peer)))
		cap = SERVE_PER_UID_ALLOWED_MAX;
	return count->n > cap;
}

static void greet(struct serve *serve, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	struct why why;

	if (conn == NULL || peer_read(fd, &conn->peer, &why) != FAULT_NONE) {
		free(conn);
		(void)close(fd);
		return;
	}
	conn->event = event_new(serve->base, fd, EV_READ, ready, conn);
	if (conn->event == NULL) {
		peer_drop(&conn->peer);
		free(conn);
		(void)close(fd);
		return;
	}
	conn->serve = serve;
	conn->fd = fd;
	conn->started_ms = clock_boot_ms();
	buf_init(&conn->in, WIRE_LIST_MAX_BYTES + 1);
	buf_init(&conn->more, WIRE_LIST_MAX_BYTES + 1);
	buf_init(&conn->out, OUT_MAX_BYTES);
	conn->next = serve->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	serve->first = conn;
	serve->n_conns++;
	serve->last_ms = conn->started_ms;

	conn->inside = true;
	if (is_over_cap(serve, &conn->peer))
		refuse(conn, FAULT_BUSY,
		    "this uid has too many connections open: close some");
	else
		receive(conn);
	conn->inside = false;
	settle(conn);
}

static void resume(evutil_socket_t fd, short events, void *ctx)
{
	struct serve *serve = ctx;

	(void)fd;
	(void)events;
	if (serve->full && !serve->stopped)
		set_accepting(serve, true);
}

static void pause_accepting(struct serve *serve)
{
	static const struct timeval wait = { 0, 100000 };

	set_accepting(serve, false);
	(void)evtimer_add(serve->resume, &wait);
}

/*
 * One at a time: what happened on other connections before, an end above
 * all, is then seen before the next request.
 */
static void acceptable(evutil_socket_t listener, short events, void *ctx)
{
	struct serve *serve = ctx;
	int fd;

	(void)events;
	if (serve->n_conns >= serve->n_conns_max) {
		set_accepting(serve, false);
		return;
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		greet(serve, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_event(LOG_LEVEL_ERROR, "accept",
		    "cannot accept connections for the moment (errno %d)",
		    errno);
		pause_accepting(serve);
	}
}

enum fault serve_new(struct event_base *base, const struct listeners *listeners,
    const struct serve_host *host, struct serve **serve_out)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	struct rlimit fds;
	size_t i;

	if (serve == NULL)
		return FAULT_NOMEM;
	serve->base = base;
	serve->host = *host;
	serve->last_ms = clock_boot_ms();
	serve->n_conns_max = SERVE_PER_UID_ALLOWED_MAX;
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0 &&
	    fds.rlim_cur > 2 * SERVE_RESERVED_FDS)
		serve->n_conns_max = (size_t)fds.rlim_cur - SERVE_RESERVED_FDS;
	serve->resume = evtimer_new(base, resume, serve);
	if (serve->resume == NULL)
		goto fail;
	for (i = 0; i < listeners->n; i++) {
		(void)evutil_make_socket_nonblocking(listeners->at[i].fd);
		serve->accepts[i] = event_new(base, listeners->at[i].fd,
		    EV_READ | EV_PERSIST, acceptable, serve);
		if (serve->accepts[i] == NULL)
			goto fail;
		serve->n_accepts++;
	}
	set_accepting(serve, true);
	*serve_out = serve;
	return FAULT_NONE;
fail:
	serve_free(serve);
	return FAULT_NOMEM;
}

void serve_stop(struct serve *serve)
{
	struct conn *conn, *next;

	serve->stopped = true;
	set_accepting(serve, false);
	for (conn = serve->first; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->phase == CONN_STREAMING ||
		    conn->phase == CONN_DIALOGUE) {
			conn->inside = true;
			refuse(conn, FAULT_TRY_LATER, "the helper is stopping");
			conn->inside = false;
			settle(conn);
		}
	}
}

bool serve_is_idle(const struct serve *serve)
{
	return serve->first == NULL;
}

int64_t serve_quiet_ms(const struct serve *serve)
{
	return serve->first == NULL ? clock_boot_ms() - serve->last_ms : 0;
}

void serve_free(struct serve *serve)
{
	size_t i;

	if (serve == NULL)
		return;
	serve->stopped = true;
	while (serve->first != NULL)
		conn_free(serve->first);
	for (i = 0; i < serve->n_accepts; i++)
		event_free(serve->accepts[i]);
	if (serve->resume != NULL)
		event_free(serve->resume);
	free(serve);
}
