/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One connection: reading, sending, the end of it.  A request that is here
 * already when a connection begins is answered without a turn of the event
 * loop.
 */
#include "daemon/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/answer.h"

#define REQUEST_MAX_MS 2000
#define SEND_MAX_MS    2000 /* that a peer takes nothing */
#define RECEIVE_BYTES  4096
#define WALK_BYTES     8192
#define OUT_MAX_BYTES  (64 * 1024 * 1024)

static const char too_long[] = "the request is too long";
static const char not_taken[] = "the peer did not take its answer";

static void ready(evutil_socket_t fd, short events, void *ctx);

void conn_note(struct conn *conn, const char *text)
{
	(void)snprintf(conn->note, sizeof(conn->note), "%s", text);
}

static void log_request(const struct conn *conn)
{
	const struct request *request = &conn->request;
	struct log_line line;

	/* What a line says must not cost one who gets none.
	 * Those lines are limited: no stranger may fill a disk with them. */
	log_request_start(&line,
	    conn->outcome != FAULT_NONE && conn->trusted ? LOG_LEVEL_NOTICE :
							   LOG_LEVEL_INFO,
	    conn->stranger ? LOG_STRANGERS : (int64_t)conn->peer.uid);
	if (!line.on)
		return;
	log_str(&line, "verb", request->verb);
	log_int(&line, "uid", (int64_t)conn->peer.uid);
	log_int(&line, "pid", (int64_t)conn->peer.pid);
	log_str(&line, "account", request->folded);
	log_span(&line, "provider", request->provider);
	log_span(&line, "server", request->server);
	log_span(&line, "service", request->service);
	log_span(&line, "mechanism", request->mechanism);
	log_span(&line, "challenge", request->challenge);
	log_str(&line, "outcome",
	    conn->cancelled ? "cancelled" : fault_word(conn->outcome));
	log_plain(&line, "note", conn->calls->note(conn));
	log_int(&line, "ms", clock_boot_ms() - conn->started_ms);
	log_end(&line);
}

static void close_fd(struct conn *conn)
{
	(void)event_del(&conn->event);
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->fd = -1;
}

void conn_free(struct conn *conn)
{
	close_fd(conn);
	conn->calls->on_drop(conn);
	conn->gone(conn);
	buf_drop(&conn->in);
	buf_drop(&conn->out);
	peer_drop(&conn->peer);
	free(conn);
}

/* Sets the events to wait for, and the time: an answer has it anew with every
 * byte that is taken, a watch with an empty buffer only. */
static void wait_more(struct conn *conn)
{
	short events = 0;
	struct timeval limit;
	int64_t left_ms;

	if (!conn->deaf && conn->phase != CONN_CLOSING)
		events |= EV_READ;
	if (conn->out.n > 0) {
		events |= EV_WRITE;
		if (conn->until_ms == 0)
			conn->until_ms = clock_boot_ms() + SEND_MAX_MS;
	}
	(void)event_del(&conn->event);
	if (events == 0)
		return;
	left_ms = conn->until_ms - clock_boot_ms();
	if (left_ms < 1)
		left_ms = 1;
	limit = clock_span(left_ms);
	(void)event_assign(&conn->event, event_get_base(&conn->event), conn->fd,
	    events, ready, conn);
	(void)event_add(&conn->event, conn->until_ms > 0 ? &limit : NULL);
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
		if (conn->out.n == 0 || conn->phase != CONN_STREAMING)
			conn->until_ms = 0;
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
	if (!alive && conn->note[0] == '\0')
		conn_note(conn, not_taken);
	if (!alive || (conn->phase == CONN_CLOSING && conn->out.n == 0)) {
		close_fd(conn);
		log_request(conn);
		conn_free(conn);
		return;
	}
	if (conn->out.n == 0)
		slices_go_on(&conn->work);
	wait_more(conn);
}

void conn_close_after(struct conn *conn, enum fault outcome)
{
	conn->outcome = outcome;
	if (conn->phase == CONN_READING)
		conn->until_ms = 0;
	conn->phase = CONN_CLOSING;
	settle(conn);
}

void conn_send_later(struct conn *conn)
{
	if (!conn->inside)
		wait_more(conn);
}

void conn_answer_fault(struct conn *conn, enum fault fault, const char *text,
    int64_t retry_after_s)
{
	if (text == NULL || text[0] == '\0')
		text = fault_text(fault);
	conn_note(conn, text);
	answer_fault(&conn->out, fault, text, retry_after_s);
	conn_close_after(conn, fault);
}

void conn_refuse(struct conn *conn, enum fault fault, const char *text)
{
	conn_answer_fault(conn, fault, text, 1); /* it is the helper's */
}

void conn_answer_ok(struct conn *conn)
{
	struct attr_writer writer;

	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	answer_end(&writer);
	conn_close_after(conn, FAULT_NONE);
}

/* When there is enough to send, the next slice waits until all has left. */
static void rest(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->out.n < WALK_BYTES)
		slices_go_on(&conn->work);
	else
		conn_send_later(conn);
}

void conn_walk(struct conn *conn, bool (*step)(void *ctx),
    void (*end)(void *ctx))
{
	conn->work = (struct slices_work){ .uid = conn->peer.uid,
		.step = step,
		.rest = rest,
		.end = end,
		.ctx = conn };
	slices_begin(&conn->engine->slices, &conn->work);
}

/* Every whole list that is here and wanted. */
static void look(struct conn *conn)
{
	struct attrs attrs;
	struct span list;

	do {
		list = buf_span(&conn->in);
		if (attr_length(list, &list.n)) {
			conn_refuse(conn, FAULT_BAD_REQUEST, too_long);
			return;
		}
		if (list.n == 0)
			return;
		if (attr_parse(list, WIRE_FIRST, &attrs)) {
			conn_refuse(conn, FAULT_BAD_REQUEST,
			    "the request is not an attribute list of "
			    "mailtoken-protocol(7)");
			return;
		}
		if (conn->phase == CONN_READING) {
			conn->list = list;
			conn->phase = CONN_WORKING;
			conn->until_ms = 0;
		}
		conn->calls->on_request(conn, &attrs);
		if (conn->phase != CONN_DIALOGUE)
			return;
		/* Nothing points into it any more. */
		buf_consume(&conn->in, list.n);
	} while (conn->in.n > 0);
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
	conn_note(conn, "the peer hung up");
	conn->cancelled = conn->signin != NULL || conn->forget != NULL ||
	    conn->probe != NULL;
	conn->phase = CONN_CLOSING;
}

/*
 * After the request nothing but the end, or a dialogue's next list, may come;
 * the rest is read and dropped, so that an end is seen.
 */
static void receive(struct conn *conn)
{
	bool wanted = conn->phase == CONN_READING ||
	    conn->phase == CONN_DIALOGUE;
	char drop[256];
	size_t room = sizeof(drop);
	char *p = drop;
	ssize_t n;

	if (wanted) {
		room = conn->in.room - conn->in.n - 1;
		p = buf_space(&conn->in, room > 0 ? room : RECEIVE_BYTES,
		    &room);
		if (conn->in.room > CONN_FIRST_BYTES && !conn->grown(conn)) {
			conn_refuse(conn, FAULT_BUSY,
			    "this uid has too many unfinished requests: try "
			    "again");
			return;
		}
	}
	if (p == NULL && buf_fault(&conn->in) == FAULT_NOMEM)
		conn_refuse(conn, FAULT_BUSY,
		    "the helper has no memory for the request: try again");
	else if (p == NULL)
		conn_refuse(conn, FAULT_BAD_REQUEST, too_long);
	if (p == NULL)
		return;
	n = recv(conn->fd, p, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && conn->phase == CONN_READING && conn->in.n > 0) {
		conn_refuse(conn, FAULT_BAD_REQUEST,
		    "the request ends before its empty line");
	} else if (n <= 0) {
		hang_up(conn);
	} else if (wanted) {
		buf_used(&conn->in, (size_t)n);
		look(conn);
	}
}

static void ready(evutil_socket_t fd, short events, void *ctx)
{
	struct conn *conn = ctx;
	bool late = conn->until_ms > 0 && clock_boot_ms() >= conn->until_ms;

	(void)fd;
	conn->inside = true;
	/* Late or not, all is tried: it may be the helper that was late. */
	if (conn->phase == CONN_READING) {
		receive(conn);
		if (conn->phase == CONN_READING &&
		    (late || (events & EV_TIMEOUT)))
			conn_refuse(conn, FAULT_TIMEOUT,
			    "no whole request came within 2 seconds");
	} else {
		/* One that does not read is let go, a watcher too. */
		if (late && (!send_out(conn) || conn->until_ms > 0)) {
			buf_drop(&conn->out);
			conn_note(conn, not_taken);
			conn->phase = CONN_CLOSING;
		}
		if (events & EV_READ)
			receive(conn);
	}
	conn->inside = false;
	settle(conn);
}

struct conn *conn_new(struct engine *engine, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL || peer_read(fd, &conn->peer) != FAULT_NONE) {
		free(conn);
		(void)close(fd);
		return NULL;
	}
	(void)event_assign(&conn->event, engine->base, fd, EV_READ, ready,
	    conn);
	conn->engine = engine;
	conn->fd = fd;
	conn->started_ms = clock_now().boot_ms;
	conn->until_ms = conn->started_ms + REQUEST_MAX_MS;
	buf_init(&conn->in, WIRE_LIST_MAX_BYTES + 1);
	buf_lend(&conn->in, conn->first, sizeof(conn->first));
	buf_init(&conn->out, OUT_MAX_BYTES);
	return conn;
}

void conn_start(struct conn *conn)
{
	conn->inside = true;
	receive(conn);
	conn->inside = false;
	settle(conn);
}
