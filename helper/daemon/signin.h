/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin - a sign-in in progress
 *
 * Beside the account's state: the old token is served while one waits.  One
 * an account, 8 in all, 15 minutes; dropping it frees the device code, or the
 * listener that waits for a browser.
 */
#ifndef MAILTOKEN_DAEMON_SIGNIN_H
#define MAILTOKEN_DAEMON_SIGNIN_H

#include "daemon/conn.h"

#define SIGNIN_MAX   8
#define SIGNIN_MAX_S 900

struct signin;

/*
 * signin_start - for the request of a connection, which gets a list an event
 * (mailtoken-protocol(7)) and is closed after the last; conn->signin is it
 *
 * FAULT_BUSY, FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST, FAULT_NOMEM,
 * FAULT_INTERNAL; why says what to do.
 */
enum fault signin_start(struct conn *conn, struct why *why) MUST_CHECK;

/*
 * signin_answer - to a question: "yes" or no to QUESTION_OTHER_USER, then
 * the end follows, from inside; an address or a code to QUESTION_PASTE_URL,
 * then the question follows again, from inside, if it is none, and "no" does
 * nothing
 */
void signin_answer(struct signin *signin, struct span answer);

/* signin_free - cancel it if it has not ended; NULL is allowed. */
void signin_free(struct signin *signin);

#endif
