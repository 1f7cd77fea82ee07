/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * conn - one connection, as serve.c and verbs.c share it
 */
#ifndef MAILTOKEN_DAEMON_CONN_H
#define MAILTOKEN_DAEMON_CONN_H

#include <event2/event.h>

#include "daemon/account.h"
#include "daemon/forget.h"
#include "daemon/peer.h"
#include "daemon/request.h"
#include "daemon/serve.h"
#include "daemon/signin.h"
#include "daemon/watch.h"

enum conn_phase {
	CONN_READING,	/* the request is not whole yet */
	CONN_WORKING,	/* somebody else will answer */
	CONN_DIALOGUE,	/* sign-in: more lists may come */
	CONN_STREAMING, /* watch: answers until the peer closes */
	CONN_CLOSING	/* the answer goes out, then the end */
};

struct conn_due;

struct conn {
	struct serve *serve;
	int fd;
	struct peer peer;
	enum conn_phase phase;
	bool understood; /* request is filled in */
	bool deaf;	 /* the peer sends no more */
	bool inside;	 /* a callback of it is on the stack */
	bool cancelled;	 /* the peer left before the end of it */
	bool trusted;	 /* it may do what it asked for */
	struct event *event;
	int64_t started_ms;
	struct buf in;	 /* the request, whose spans point into it */
	struct buf more; /* what came after it, in a dialogue */
	struct buf out;
	struct request request;
	enum fault outcome;
	const char *note; /* for the log: why, more exactly */

	struct engine *engine;
	struct waiter *waiter;
	struct signin *signin;
	struct forget *forget;
	struct watcher *watcher;
	struct conn_due *dues; /* refresh of all that is due */
	size_t n_dues;
	size_t dues_left;

	struct conn *next;
	struct conn *prev;
};

/* verbs.c: act on a request that is whole; conn->out gets answers, and
 * conn_close_after() is called with the last. */
void verbs_begin(struct conn *conn);

/* verbs.c: answer a fault, with its own sentence if text is NULL. */
void conn_refuse(struct conn *conn, enum fault fault, const char *text);

/* verbs.c: whether the peer may know of a folded account. */
bool conn_may_see(const struct conn *conn, const char *name);

/* verbs.c: what the log says besides; after the answer was sent and the
 * connection closed, so that a peer cannot tell from the time it takes. */
const char *verbs_note(const struct conn *conn);

/* verbs.c: a further list of a dialogue. */
void verbs_continue(struct conn *conn, const struct attrs *attrs);

/* verbs.c: the peer is gone, or the helper stops: let go of all. */
void verbs_drop(struct conn *conn);

/* serve.c: the answer is complete; send it and close.  outcome is logged. */
void conn_close_after(struct conn *conn, enum fault outcome);

/* serve.c: what stands in out goes out in the next turn of the loop; never
 * frees the connection, so it may be called from inside others' lists. */
void conn_send_later(struct conn *conn);

/* serve.c: for requests that the host answers. */
const struct serve_host *conn_host(const struct conn *conn);

#endif
