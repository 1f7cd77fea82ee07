/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The connections there are, and whether there may be more.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/answer.h"
#include "daemon/conn.h"
#include "wire/ids.h"

#define PER_UID_MAX	    32
#define PER_UID_ALLOWED_MAX 1024
#define RESERVED_FDS	    128
#define RESERVED_FOR_ROOT   64 /* connections; the helper's own uid too */
#define STRANGERS_MAX	    64 /* of all uids that stand in no list */
#define STRANGERS_MAX_BYTES (1024 * 1024) /* of their unfinished requests */
#define STRANGERS_LOG_MS    60000

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
	struct conn *strangers[STRANGERS_MAX]; /* the oldest first */
	size_t n_strangers;
	int64_t n_let_go; /* of them, not logged yet */
	int64_t said_ms;  /* when that was logged */
};

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

static void forget_stranger(struct serve *serve, const struct conn *conn)
{
	size_t i;

	for (i = 0; i < serve->n_strangers; i++)
		if (serve->strangers[i] == conn)
			break;
	if (i == serve->n_strangers)
		return;
	serve->n_strangers--;
	memmove(&serve->strangers[i], &serve->strangers[i + 1],
	    (serve->n_strangers - i) * sizeof(serve->strangers[0]));
}

void serve_leave(struct serve *serve, const struct conn *conn)
{
	if (conn->stranger)
		forget_stranger(serve, conn);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		serve->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	serve->n_conns--;
	uncount(serve, conn->peer.uid);
	if (serve->full && !serve->stopped)
		set_accepting(serve, true);
}

static void say_let_go(struct serve *serve, uid_t uid)
{
	int64_t now_ms = clock_boot_ms();

	serve->n_let_go++;
	if (serve->said_ms != 0 && now_ms - serve->said_ms < STRANGERS_LOG_MS)
		return;
	log_event(LOG_LEVEL_WARNING, "strangers",
	    "too much at once from users that no allow or admin names: %lld "
	    "of their connections were closed, the last of %s",
	    (long long)serve->n_let_go, ids_user(uid).text);
	serve->said_ms = now_ms;
	serve->n_let_go = 0;
}

/* The oldest goes first, so that one who is quick is still answered.  It is
 * told so where that can be sent at once. */
static void let_go_oldest(struct serve *serve)
{
	static const struct answer_refusal refusal = { .fault = FAULT_BUSY,
		.text = "the helper has too many connections of users that no "
			"allow or admin names: try again",
		.retry_after_s = 1 };
	struct conn *oldest = serve->strangers[0];

	say_let_go(serve, oldest->peer.uid);
	if (oldest->out.n == 0) {
		answer_fault(&oldest->out, &refusal);
		(void)send(oldest->fd, oldest->out.p, oldest->out.n,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	conn_free(oldest);
}

void serve_charge(struct serve *serve, const struct conn *conn)
{
	size_t bytes, i;

	if (!conn->stranger)
		return;
	for (;;) {
		for (bytes = 0, i = 0; i < serve->n_strangers; i++)
			bytes += serve->strangers[i]->in.room +
			    serve->strangers[i]->more.room;
		if (bytes <= STRANGERS_MAX_BYTES || serve->strangers[0] == conn)
			return;
		let_go_oldest(serve);
	}
}

static bool stands_in_a_list(const struct serve *serve, const struct peer *peer)
{
	struct engine *engine;
	struct why why;

	if (peer_is_root(peer))
		return true;
	return serve->host.engine(serve->host.ctx, false, &engine, &why) ==
	    FAULT_NONE &&
	    config_is_known(engine->config, peer);
}

static bool is_full(const struct serve *serve, const struct conn *conn)
{
	return !peer_is_root(&conn->peer) &&
	    serve->n_conns + RESERVED_FOR_ROOT > serve->n_conns_max;
}

/* Why a connection cannot be, or NULL.  All strangers together have a limit
 * and make room for those who stand in a list; root and the helper's own user
 * have connections of their own. */
static const char *place(struct serve *serve, struct conn *conn)
{
	struct uid_count *count = count_of(serve, conn->peer.uid);

	if (count == NULL)
		return "the helper is out of memory: try again";
	count->n++;
	conn->stranger = !stands_in_a_list(serve, &conn->peer);
	if (conn->stranger) {
		if (serve->n_strangers == STRANGERS_MAX)
			let_go_oldest(serve);
		serve->strangers[serve->n_strangers++] = conn;
	} else {
		conn->trusted = true;
	}
	if (conn->trusted && is_full(serve, conn) && serve->n_strangers > 0)
		let_go_oldest(serve);
	if (is_full(serve, conn))
		return "the helper has too many connections open: try again";
	if (count->n > (conn->stranger ? PER_UID_MAX : PER_UID_ALLOWED_MAX))
		return "this uid has too many connections open: close some";
	return NULL;
}

static void greet(struct serve *serve, int fd)
{
	struct conn_birth birth = {
		.serve = serve,
		.host = &serve->host,
		.base = serve->base,
		.fd = fd,
	};
	const char *refusal;
	struct conn *conn;
	struct why why;

	if (peer_read(fd, &birth.peer, &why) != FAULT_NONE ||
	    conn_new(&birth, &conn) != FAULT_NONE) {
		peer_drop(&birth.peer);
		(void)close(fd);
		return;
	}
	conn->next = serve->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	serve->first = conn;
	serve->n_conns++;
	serve->last_ms = conn->started_ms;
	refusal = place(serve, conn);
	if (refusal != NULL)
		conn_refuse(conn, FAULT_BUSY, refusal);
	else
		conn_start(conn);
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
	serve->n_conns_max = PER_UID_ALLOWED_MAX;
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0 &&
	    fds.rlim_cur > 2 * RESERVED_FDS)
		serve->n_conns_max = (size_t)fds.rlim_cur - RESERVED_FDS;
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
		    conn->phase == CONN_DIALOGUE)
			conn_refuse(conn, FAULT_TRY_LATER,
			    "the helper is stopping");
	}
}

void serve_give_up(struct serve *serve)
{
	struct conn *conn, *next;

	for (conn = serve->first; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->phase == CONN_WORKING)
			conn_refuse(conn, FAULT_TRY_LATER,
			    "the helper is stopping, and the provider has not "
			    "answered yet");
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
