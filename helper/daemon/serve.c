/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The connections there are, and whether there may be more.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/answer.h"
#include "wire/ids.h"

#define FEW		    32 /* connections: below all limits */
#define PER_UID_MAX	    32
#define PER_UID_ALLOWED_MAX 1024
#define RESERVED_FDS	    128
#define RESERVED_FOR_ROOT   64 /* connections; the helper's own uid too */
#define STRANGERS_MAX	    64 /* of all uids that stand in no list */
#define STRANGERS_MAX_BYTES (1024 * 1024) /* of their unfinished requests */
#define KNOWN_MAX_BYTES	    (16 * 1024 * 1024) /* ... of all others' */
#define STRANGERS_LOG_MS    60000

struct serve {
	struct engine *engine;
	const struct conn_calls *calls;
	struct event accepts[LISTEN_MAX];
	size_t n_accepts;
	struct event resume;
	bool full;
	bool stopped;
	struct conn *first; /* the newest first */
	size_t n_conns;
	size_t n_conns_max;
	int64_t last_ms; /* when the last connection came */
	int64_t said_ms; /* when it was logged that strangers go */
};

struct census {
	size_t of_uid;
	size_t of_uid_bytes;
	size_t known_bytes;
	size_t strangers;
	size_t strangers_bytes;
	struct conn *oldest; /* stranger */
};

static struct census count(const struct serve *serve, uid_t uid)
{
	struct census census = { .oldest = NULL };
	struct conn *conn;
	size_t bytes;

	for (conn = serve->first; conn != NULL; conn = conn->next) {
		bytes = conn->in.room - CONN_FIRST_BYTES;
		if (conn->peer.uid == uid) {
			census.of_uid++;
			census.of_uid_bytes += bytes;
		}
		if (!conn->stranger) {
			census.known_bytes += bytes;
			continue;
		}
		census.strangers++;
		census.strangers_bytes += bytes;
		census.oldest = conn;
	}
	return census;
}

static void set_accepting(struct serve *serve, bool on)
{
	size_t i;

	for (i = 0; i < serve->n_accepts; i++) {
		if (on)
			(void)event_add(&serve->accepts[i], NULL);
		else
			(void)event_del(&serve->accepts[i]);
	}
	serve->full = !on;
}

static void left(struct conn *conn)
{
	struct serve *serve = conn->serve;

	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		serve->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	serve->n_conns--;
	if (serve->full && !serve->stopped)
		set_accepting(serve, true);
}

/* Not how many: those of the next minute are not known yet. */
static void say_let_go(struct serve *serve, uid_t uid)
{
	int64_t now_ms = clock_boot_ms();

	if (serve->said_ms != 0 && now_ms - serve->said_ms < STRANGERS_LOG_MS)
		return;
	log_event(LOG_LEVEL_WARNING, "strangers",
	    "too much at once from users that no allow or admin names: their "
	    "oldest connections are closed, one of %s just now; this is told "
	    "once a minute",
	    ids_user(uid).text);
	serve->said_ms = now_ms;
}

/* The oldest goes first, so that one who is quick is still answered.  It is
 * told so where that can be sent at once. */
static void let_go(struct conn *oldest)
{
	say_let_go(oldest->serve, oldest->peer.uid);
	if (oldest->out.n == 0) {
		answer_fault(&oldest->out, FAULT_BUSY,
		    "the helper has too many connections of users that no "
		    "allow or admin names: try again",
		    -1);
		(void)send(oldest->fd, oldest->out.p, oldest->out.n,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	conn_free(oldest);
}

/* conn holds more of an unfinished request.  Strangers make room for it; of
 * the others none has more than is free for the rest, root aside. */
static bool grown(struct conn *conn)
{
	struct census census = count(conn->serve, conn->peer.uid);

	while (conn->stranger && census.oldest != conn &&
	    census.strangers_bytes > STRANGERS_MAX_BYTES) {
		let_go(census.oldest);
		census = count(conn->serve, conn->peer.uid);
	}
	return conn->stranger || conn->peer.root ||
	    census.known_bytes + census.of_uid_bytes <= KNOWN_MAX_BYTES;
}

/* Whether there is no room for more, nor for as many. */
static bool is_full(const struct serve *serve, const struct conn *conn,
    size_t more)
{
	return !conn->peer.root &&
	    serve->n_conns + more + RESERVED_FOR_ROOT > serve->n_conns_max;
}

/* Why a connection cannot be, or NULL.  All strangers together have a limit
 * and make room for those who stand in a list; of these none has more than are
 * free for the rest; root and the helper's own user have connections of their
 * own. */
static const char *place(struct serve *serve, struct conn *conn)
{
	struct census census = count(serve, conn->peer.uid);

	while (conn->stranger ?
		census.strangers > STRANGERS_MAX :
		census.strangers > 0 && is_full(serve, conn, census.of_uid)) {
		let_go(census.oldest);
		census = count(serve, conn->peer.uid);
	}
	if (is_full(serve, conn, 0))
		return "the helper has too many connections open: try again";
	if (census.of_uid >
		(conn->stranger ? PER_UID_MAX : PER_UID_ALLOWED_MAX) ||
	    is_full(serve, conn, conn->stranger ? 0 : census.of_uid))
		return "this uid has too many connections open: close some";
	return NULL;
}

static void not_accepted(struct serve *serve)
{
	static const struct timeval pause = { 0, 100000 };

	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	log_event(LOG_LEVEL_ERROR, "accept",
	    "cannot accept connections for the moment (errno %d)", errno);
	set_accepting(serve, false);
	(void)event_add(&serve->resume, &pause);
}

static void resume(evutil_socket_t fd, short events, void *ctx)
{
	struct serve *serve = ctx;

	(void)fd;
	(void)events;
	if (serve->full && !serve->stopped)
		set_accepting(serve, true);
}

/*
 * One at a time: what happened on other connections before, an end above
 * all, is then seen before the next request.
 */
static void acceptable(evutil_socket_t listener, short events, void *ctx)
{
	struct serve *serve = ctx;
	const struct engine *engine = serve->engine;
	const char *refusal = NULL;
	struct conn *conn;
	int fd;

	(void)events;
	if (serve->n_conns >= serve->n_conns_max) {
		set_accepting(serve, false);
		return;
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		not_accepted(serve);
		return;
	}
	conn = conn_new(serve->engine, fd);
	if (conn == NULL)
		return;
	conn->serve = serve;
	conn->calls = serve->calls;
	conn->grown = grown;
	conn->gone = left;
	conn->next = serve->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	serve->first = conn;
	serve->n_conns++;
	serve->last_ms = conn->started_ms;
	conn->stranger = !conn->peer.root &&
	    !(engine->working && peer_in(&conn->peer, &engine->config->known));
	conn->trusted = !conn->stranger;
	if (serve->n_conns > FEW)
		refusal = place(serve, conn);
	if (refusal != NULL)
		conn_refuse(conn, FAULT_BUSY, refusal);
	else
		conn_start(conn);
}

enum fault serve_new(struct engine *engine, const struct listeners *listeners,
    const struct conn_calls *calls, struct serve **serve_out)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	struct rlimit fds;
	int fd;

	if (serve == NULL)
		return FAULT_NOMEM;
	serve->engine = engine;
	serve->calls = calls;
	serve->last_ms = clock_boot_ms();
	serve->n_conns_max = PER_UID_ALLOWED_MAX;
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0 &&
	    fds.rlim_cur > 2 * RESERVED_FDS)
		serve->n_conns_max = (size_t)fds.rlim_cur - RESERVED_FDS;
	(void)evtimer_assign(&serve->resume, engine->base, resume, serve);
	while (serve->n_accepts < listeners->n) {
		fd = listeners->at[serve->n_accepts].fd;
		(void)evutil_make_socket_nonblocking(fd);
		(void)event_assign(&serve->accepts[serve->n_accepts++],
		    engine->base, fd, EV_READ | EV_PERSIST, acceptable, serve);
	}
	set_accepting(serve, true);
	*serve_out = serve;
	return FAULT_NONE;
}

/* Those in a phase of the set are told why. */
static void end_all(struct serve *serve, unsigned phases, const char *text)
{
	struct conn *conn, *next;

	for (conn = serve->first; conn != NULL; conn = next) {
		next = conn->next;
		if (phases & 1U << conn->phase)
			conn_refuse(conn, FAULT_TRY_LATER, text);
	}
}

void serve_stop(struct serve *serve)
{
	serve->stopped = true;
	set_accepting(serve, false);
	end_all(serve, 1U << CONN_STREAMING | 1U << CONN_DIALOGUE,
	    "the helper is stopping");
}

void serve_give_up(struct serve *serve)
{
	end_all(serve, 1U << CONN_WORKING,
	    "the helper is stopping, and the provider has not answered yet");
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
	if (serve == NULL)
		return;
	serve->stopped = true;
	while (serve->first != NULL)
		conn_free(serve->first);
	set_accepting(serve, false);
	(void)event_del(&serve->resume);
	free(serve);
}
