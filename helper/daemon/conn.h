/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * conn - one connection: read a request, answer, close
 *
 * Owns the descriptor, the buffers and the deadlines; serve.c has the list of
 * connections, the verbs_*.c know what a request means.  Whatever a peer does
 * ends its connection at worst.
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
#include "daemon/slices.h"

#define CONN_NOTE_BYTES 160

enum conn_phase {
	CONN_READING,	/* the request is not whole yet */
	CONN_WORKING,	/* somebody else will answer */
	CONN_DIALOGUE,	/* sign-in: more lists may come */
	CONN_STREAMING, /* watch: answers until the peer closes */
	CONN_CLOSING	/* the answer goes out, then the end */
};

struct answer_refusal;
struct accounts_place;
struct conn_due;

struct conn {
	struct serve *serve;
	const struct serve_host *host;
	int fd;
	struct peer peer;
	enum conn_phase phase;
	bool understood; /* request is filled in */
	bool deaf;	 /* the peer sends no more */
	bool inside;	 /* a callback of it is on the stack */
	bool cancelled;	 /* the peer left before the end of it */
	bool trusted;	 /* it may do what it asked for */
	bool stranger;	 /* its user stands in no list */
	bool hidden;	 /* it is not told whether there is a record */
	struct event *event;
	int64_t started_ms;
	int64_t unsent_ms; /* since when bytes wait to leave; 0: none do */
	struct buf in;	   /* the request, whose spans point into it */
	struct buf more;   /* what came after it, in a dialogue */
	struct buf out;
	struct request request;
	enum fault outcome;
	char note[CONN_NOTE_BYTES]; /* for the log: why, more exactly */

	struct engine *engine;
	struct waiter *waiter;
	struct signin *signin;
	struct forget *forget;
	struct conn *next_watcher; /* of the engine's */
	struct conn_due *dues;	   /* refresh of all that is due */
	size_t dues_left;
	struct slices_work work; /* over all accounts ... */
	struct accounts_place *place;
	struct config *blocks; /* ... then these, for status */
	size_t n_blocks;       /* ... as far as they are done */
	struct account *app;   /* for watch: of this one's; NULL: of any */

	struct conn *next;
	struct conn *prev;
};

/*
 * conn_new - fd and what peer holds become its own; nothing is read before
 * conn_start()
 *
 * FAULT_NOMEM.
 */
struct conn_birth {
	struct serve *serve;
	const struct serve_host *host;
	struct event_base *base;
	int fd;
	struct peer peer;
};
enum fault conn_new(const struct conn_birth *birth,
    struct conn **conn_out) MUST_CHECK;

/* conn_start - read what is here already, at the beginning or later; the
 * connection may be gone then. */
void conn_start(struct conn *conn);

/* conn_free - lets go of all it waits for; leaves the list of serve.c. */
void conn_free(struct conn *conn);

/* conn_note - for the log; copied. */
void conn_note(struct conn *conn, const char *text);

/* conn_close_after - the answer is complete; send it and close.  outcome is
 * logged.  Frees the connection when none of its callbacks is on the stack;
 * so do the three below. */
void conn_close_after(struct conn *conn, enum fault outcome);

/* conn_refuse - answer a fault, with its own sentence if text is NULL or
 * empty. */
void conn_refuse(struct conn *conn, enum fault fault, const char *text);
void conn_answer_fault(struct conn *conn, const struct answer_refusal *refusal);
void conn_answer_ok(struct conn *conn);

/* conn_send_later - what stands in out goes out in the next turn of the loop;
 * never frees the connection, so it may be called from inside others' lists. */
void conn_send_later(struct conn *conn);

/* verbs.c: act on a request that is whole; out gets answers, and
 * conn_close_after() is called with the last. */
void verbs_begin(struct conn *conn);

/* verbs.c: a further list of a dialogue. */
void verbs_continue(struct conn *conn, const struct attrs *attrs);

/* verbs.c: what the log says besides; after the answer was sent and the
 * connection closed, so that a peer cannot tell from the time it takes. */
const char *verbs_note(const struct conn *conn);

/* verbs.c: the peer is gone, or the helper stops: let go of all. */
void verbs_drop(struct conn *conn);

#endif
