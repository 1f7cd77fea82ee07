/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * ask - a client's round trip: connect, send, receive, close
 *
 * Blocks until its deadline.  Keeps no descriptor, uses no static data, so a
 * host program may fork, run threads and unload us between two calls.  Never
 * raises SIGPIPE, restarts after EINTR with what is left of the deadline,
 * touches no signal, mask or timer of the process.
 */
#ifndef MAILTOKEN_WIRE_ASK_H
#define MAILTOKEN_WIRE_ASK_H

#include "wire/address.h"
#include "wire/attr.h"

/* No deadline at all: a wait that only the user or the peer ends. */
#define ASK_FOREVER INT64_MAX

/* ask_now_ms - CLOCK_MONOTONIC in milliseconds. */
int64_t ask_now_ms(void);

/* ask_pause - sleep ms, at most until the deadline. */
void ask_pause(int ms, int64_t deadline_ms);

/*
 * ask_send - all of bytes
 *
 * deadline_ms  in: on the clock of ask_now_ms(), or ASK_FOREVER
 *
 * FAULT_NONE; FAULT_TIMEOUT; FAULT_NO_HELPER when the other side has closed;
 * FAULT_IO.
 */
enum fault ask_send(int fd, struct span bytes, int64_t deadline_ms,
    struct why *why) MUST_CHECK;

/*
 * ask_receive - the next whole list
 *
 * in     in/out: limit WIRE_LIST_MAX_BYTES; may hold bytes that came early
 * attrs  in/out: the list received before, which is forgotten, with n 0 for
 *        none; then the new one, which points into in.  n is 0 on a fault
 *
 * FAULT_NONE; FAULT_TIMEOUT; FAULT_NO_HELPER when the other side closed
 * before the first byte; FAULT_GARBLED when it closed inside a list or sent
 * what the grammar forbids; FAULT_NOMEM; FAULT_IO.
 */
enum fault ask_receive(int fd, struct buf *in, int64_t deadline_ms,
    struct attrs *attrs, struct why *why) MUST_CHECK;

struct ask {
	struct address address;
	struct span request; /* one list, whole */
	int64_t deadline_ms; /* clock of ask_now_ms(); for all of it */
	int64_t retry_ms;    /* how long to go on connecting; 0: try once */
};

/*
 * ask_open - connect to a helper that may be trusted
 *
 * Repeats ENOENT, ECONNREFUSED and EAGAIN (a helper that restarts, a full
 * listen queue) for retry_ms and not beyond the deadline.
 *
 * fd_out  out: non-blocking for others' eyes, close-on-exec; the caller's
 *
 * FAULT_NONE; FAULT_NO_HELPER (why.err is the errno of connect);
 * FAULT_UNTRUSTED; FAULT_IO.
 */
enum fault ask_open(const struct ask *ask, int *fd_out,
    struct why *why) MUST_CHECK;

/*
 * ask - one request, one list as the answer
 *
 * Where the user's own socket is silent and another of his helpers holds the
 * keyring, that one is asked.
 *
 * answer     in/out: empty buf of limit WIRE_LIST_MAX_BYTES; may hold a
 *            secret afterwards, so the caller must buf_drop() it
 * attrs_out  out: points into answer; has a "result" that ask_result() knows;
 *            n is 0 on a fault
 *
 * FAULT_NONE when an answer came, whatever it says; FAULT_NO_HELPER,
 * FAULT_UNTRUSTED, FAULT_TIMEOUT, FAULT_GARBLED, FAULT_NOMEM, FAULT_IO.
 */
enum fault ask(const struct ask *ask, struct buf *answer,
    struct attrs *attrs_out, struct why *why) MUST_CHECK;

/*
 * ask_result - what an answer's "result" says; FAULT_GARBLED without one or
 * with a word that is in no page.
 */
enum fault ask_result(const struct attrs *attrs) MUST_CHECK;

#endif
