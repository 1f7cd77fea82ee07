/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * peerio - whole lists in or out of one descriptor against one deadline
 *
 * For callers that may block: the plugin, the CLI.  Never raises SIGPIPE,
 * restarts after EINTR with what is left of the deadline, touches no signal,
 * mask or timer of the process.
 */
#ifndef MAILTOKEN_WIRE_PEERIO_H
#define MAILTOKEN_WIRE_PEERIO_H

#include "wire/attr.h"

/* No deadline at all: a wait that only the user or the peer ends. */
#define PEERIO_FOREVER INT64_MAX

/* peerio_now_ms - CLOCK_MONOTONIC in milliseconds. */
int64_t peerio_now_ms(void);

/* peerio_pause - sleep ms, at most until the deadline. */
void peerio_pause(int ms, int64_t deadline_ms);

/* peerio_readable - wait for a byte or a hang-up; false when none came. */
bool peerio_readable(int fd, int64_t deadline_ms);

/*
 * peerio_send - all of bytes
 *
 * deadline_ms  in: on the clock of peerio_now_ms(), or PEERIO_FOREVER
 *
 * FAULT_NONE; FAULT_TIMEOUT; FAULT_NO_HELPER when the other side has closed;
 * FAULT_IO.
 */
enum fault peerio_send(int fd, struct span bytes, int64_t deadline_ms,
    struct why *why) MUST_CHECK;

/*
 * peerio_receive - the next whole list
 *
 * in         in/out: limit WIRE_LIST_MAX_BYTES; may hold bytes that came
 *            early.  The list stands at its start afterwards; the caller
 *            gives list bytes to buf_consume() before the next call
 * attrs_out  out: points into in
 *
 * FAULT_NONE; FAULT_TIMEOUT; FAULT_NO_HELPER when the other side closed
 * before the first byte; FAULT_GARBLED when it closed inside a list or sent
 * what the grammar forbids; FAULT_NOMEM; FAULT_IO.
 */
enum fault peerio_receive(int fd, struct buf *in, int64_t deadline_ms,
    struct attrs *attrs_out, struct why *why) MUST_CHECK;

/* peerio_next - forget the list that stands at the start of in. */
void peerio_next(struct buf *in);

#endif
