/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * ask - a client's round trip: connect, send, receive, close
 *
 * Blocks until its deadline.  Keeps no descriptor, uses no static data, so a
 * host program may fork, run threads and unload us between two calls.
 */
#ifndef MAILTOKEN_WIRE_ASK_H
#define MAILTOKEN_WIRE_ASK_H

#include "wire/address.h"
#include "wire/peerio.h"

struct ask {
	struct address address;
	struct span request; /* one list, whole */
	int64_t deadline_ms; /* clock of peerio_now_ms(); for all of it */
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
 * attrs_out  out: points into answer; has a "result" that ask_result() knows
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
