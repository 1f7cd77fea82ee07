/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * access - what one hears who may not do what he asked for
 *
 * "Not yours" and "does not exist" are the same bytes.
 */
#ifndef MAILTOKEN_DAEMON_ACCESS_H
#define MAILTOKEN_DAEMON_ACCESS_H

#include "daemon/conn.h"

/* access_sees - whether the state of an account may be shown. */
bool access_sees(struct conn *conn, const char *folded);

/* access_refuse - because of a right. */
void access_refuse(struct conn *conn, enum right right);

/* access_refuse_unknown - the same bytes whether the account has no record or
 * is not this peer's; the log says which. */
void access_refuse_unknown(struct conn *conn, bool allowed);

/* access_note - for the log; looks whether there is a record. */
const char *access_note(const struct conn *conn);

/* access_mailbox - whose token is asked for: another's for a shared one. */
const char *access_mailbox(const struct conn *conn);

#endif
