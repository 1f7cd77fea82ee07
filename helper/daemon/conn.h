/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * conn - one connection: read a request, answer, close
 *
 * Owns the descriptor, the buffers and the deadlines; serve.c has the list of
 * connections, the verbs_*.c know what a request means: both are told by
 * function pointers.  Whatever a peer does ends its connection at worst.
 */
#ifndef MAILTOKEN_DAEMON_CONN_H
#define MAILTOKEN_DAEMON_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/engine.h"
#include "daemon/peer.h"
#include "daemon/request.h"
#include "daemon/slices.h"

#define CONN_FIRST_BYTES 1000 /* enough for all but records */
#define CONN_NOTE_BYTES	 160

enum conn_phase {
	CONN_READING,	/* the request is not whole yet */
	CONN_WORKING,	/* somebody else will answer */
	CONN_DIALOGUE,	/* sign-in: more lists may come */
	CONN_STREAMING, /* watch, probe: answers, unless the peer closes */
	CONN_CLOSING	/* the answer goes out, then the end */
};

struct account;
struct accounts_place;
struct conn;
struct forget;
struct metrics_walk;
struct probe;
struct serve;
struct signin;

/* Who acts on what peers say. */
struct conn_calls {
	/* The request, in CONN_WORKING; or the next list of a dialogue.  out
	 * gets answers, and conn_close_after() is called with the last. */
	void (*on_request)(struct conn *conn, const struct attrs *attrs);

	/* The peer is gone, or the helper stops: let go of all. */
	void (*on_drop)(struct conn *conn);

	/* What the log says besides; after the answer was sent and the
	 * connection closed, so that a peer cannot tell from the time it
	 * takes. */
	const char *(*note)(const struct conn *conn);
};

struct conn {
	const struct conn_calls *calls;
	struct engine *engine;
	struct peer peer;
	struct event event;
	int fd; /* -1: closed */
	enum conn_phase phase;
	bool deaf;	/* the peer sends no more */
	bool inside;	/* a callback of it is on the stack */
	bool cancelled; /* the peer left before the end of it */
	bool trusted;	/* it may do what it asked for */
	bool stranger;	/* its user stands in no list */
	bool hidden;	/* it is not told whether there is a record */
	int64_t started_ms;
	int64_t until_ms; /* to have sent its request, or taken more of the
				answer; 0: it need not do anything */
	char first[CONN_FIRST_BYTES]; /* lent to in */
	struct buf in;		      /* the request; then more of a dialogue */
	struct span list; /* the request, whose spans point into it */
	struct buf out;
	struct request request;
	enum fault outcome;
	char note[CONN_NOTE_BYTES]; /* for the log: why, more exactly */

	/* Of verbs_*.c. */
	struct account *asked; /* which has not answered yet */
	struct signin *signin;
	struct forget *forget;
	struct metrics_walk *metrics;
	struct probe *probe;
	struct conn *next_watcher; /* of the engine's */
	size_t dues_left;	   /* of a refresh of all that are due */
	struct slices_work work;   /* over all accounts ... */
	struct accounts_place *place;
	struct config *blocks; /* ... then these, for status */
	size_t n_blocks;       /* ... as far as they are done */
	struct account *app;   /* for watch: of this one's; NULL: of any */

	/* Of serve.c, with what it is told. */
	struct serve *serve;
	bool (*grown)(struct conn *conn); /* in has, and may: others may be
					     freed */
	void (*gone)(struct conn *conn);  /* it is about to be freed */
	struct conn *next;
	struct conn *prev;
};

/* conn_new - fd becomes its own; the caller sets what is serve.c's, then
 * nothing is read before conn_start().  NULL: the kernel does not tell who it
 * is, or no memory; fd is closed then. */
struct conn *conn_new(struct engine *engine, int fd);

/* conn_start - read what is here already, at the beginning or later; the
 * connection may be gone then. */
void conn_start(struct conn *conn);

/* conn_free - lets go of all it waits for. */
void conn_free(struct conn *conn);

/* conn_note - for the log; copied. */
void conn_note(struct conn *conn, const char *text);

/* conn_close_after - the answer is complete; send it and close.  outcome is
 * logged.  Frees the connection when none of its callbacks is on the stack;
 * so do the three below. */
void conn_close_after(struct conn *conn, enum fault outcome);

/* conn_refuse, conn_answer_fault - answer a fault, with its own sentence if
 * text is NULL or empty, which the log has, too. */
void conn_refuse(struct conn *conn, enum fault fault, const char *text);
void conn_answer_fault(struct conn *conn, enum fault fault, const char *text,
    int64_t retry_after_s);
void conn_answer_ok(struct conn *conn);

/* conn_send_later - what stands in out goes out in the next turn of the loop;
 * never frees the connection, so it may be called from inside others' lists. */
void conn_send_later(struct conn *conn);

/* conn_walk - step, which appends to out and takes conn for ctx, is done a
 * slice a time while the peer takes the answer; then end. */
void conn_walk(struct conn *conn, bool (*step)(void *ctx),
    void (*end)(void *ctx));

#endif
