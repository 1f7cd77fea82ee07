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

#include "daemon/conn.h"

#define PER_UID_MAX	    32
#define PER_UID_ALLOWED_MAX 1024
#define RESERVED_FDS	    128

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

void serve_leave(struct serve *serve, const struct conn *conn)
{
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

static bool is_over_cap(struct serve *serve, struct conn *conn)
{
	const struct peer *peer = &conn->peer;
	struct uid_count *count = count_of(serve, peer->uid);
	struct engine *engine;
	struct why why;
	unsigned cap = PER_UID_MAX;

	if (count == NULL)
		return true;
	count->n++;
	if (count->n <= cap)
		return false;
	engine = serve->host.engine(serve->host.ctx, &why);
	conn->trusted = peer_is_root(peer) ||
	    (engine != NULL && config_is_known(engine->config, peer));
	if (conn->trusted)
		cap = PER_UID_ALLOWED_MAX;
	return count->n > cap;
}

static void greet(struct serve *serve, int fd)
{
	struct conn_birth birth = {
		.serve = serve,
		.host = &serve->host,
		.base = serve->base,
		.fd = fd,
	};
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
	if (is_over_cap(serve, conn))
		conn_refuse(conn, FAULT_BUSY,
		    "this uid has too many connections open: close some");
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
