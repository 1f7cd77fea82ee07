/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fault - every way a call can fail
 *
 * One enum for all rooms.  Outcomes have a word on the wire and are answers;
 * machine faults travel up unchanged and reach a peer only as "internal" or
 * "bad-request".  A struct why carries the reason in words: free of secrets
 * and of bytes that a peer chose, so that it may be logged and shown.
 */
#ifndef MAILTOKEN_WIRE_FAULT_H
#define MAILTOKEN_WIRE_FAULT_H

#include <stdint.h>

#include "wire/span.h"

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum fault {
	FAULT_NONE = 0,

	/* Outcomes, each with a word: what a helper answers. */
	FAULT_LOGIN_NEEDED,
	FAULT_UNKNOWN_ACCOUNT, /* unknown, or not this peer's */
	FAULT_WRONG_SERVER,
	FAULT_TRY_LATER,
	FAULT_CONFIG_ERROR,
	FAULT_DENIED,
	FAULT_BAD_REQUEST,
	FAULT_BUSY,
	FAULT_TIMEOUT,
	FAULT_INTERNAL,

	/* Seen by a client of the helper. */
	FAULT_NO_HELPER, /* nobody listens, or it hung up */
	FAULT_UNTRUSTED, /* the socket's directory or peer is not ours */
	FAULT_GARBLED,	 /* the answer breaks the protocol */

	/* Machine faults. */
	FAULT_NOMEM,
	FAULT_GRAMMAR, /* bytes that a format cannot carry */
	FAULT_TOO_BIG,
	FAULT_IO,     /* a system call failed; why.err says how */
	FAULT_UNSAFE, /* a file with wrong owner, mode, type, links */
	FAULT_NOT_FOUND,
	FAULT_LOCKED,	/* another process holds it */
	FAULT_READ_ONLY /* the keyring cannot be written */
};

#define WHY_MAX_BYTES 512 /* with the terminator */

struct why {
	int err; /* errno of the failing call, or 0 */
	char text[WHY_MAX_BYTES];
};

/*
 * fault_word - the word of a fault on the wire ("login-needed"); machine and
 * client faults give "internal", FAULT_GRAMMAR and FAULT_TOO_BIG give
 * "bad-request", FAULT_NONE gives "ok".  Static storage.
 */
const char *fault_word(enum fault fault);

/* fault_text - one English sentence for a fault of which nothing is known. */
const char *fault_text(enum fault fault);

/*
 * fault_from_word - the outcome a wire word means; "ok" gives FAULT_NONE and
 * a word that is in no page gives FAULT_GARBLED.
 */
enum fault fault_from_word(struct span word);

/*
 * why_set - fill why with a formatted reason, cut to fit, control bytes
 * replaced by '?'.  err is errno of the failing call or 0; when it is not 0,
 * ": " and its description follow the text.  why may be NULL.
 */
void why_set(struct why *why, int err, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* why_text - the reason in why, or fault_text() where it has none. */
const char *why_text(const struct why *why, enum fault fault);

#endif
