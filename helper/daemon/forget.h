/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * forget - signing an account out: the provider is told where it can be, then
 * the record is deleted
 *
 * Whatever the provider says, the record goes, unless only the provider was
 * to be told.  A forget that is freed before its end deletes nothing.
 */
#ifndef MAILTOKEN_DAEMON_FORGET_H
#define MAILTOKEN_DAEMON_FORGET_H

#include "daemon/account.h"
#include "daemon/conn.h"

struct forget;

/* forget_start - of account, as the request of the connection has it, which
 * is answered from the loop; conn->forget is it.  FAULT_NOMEM. */
enum fault forget_start(struct conn *conn, struct account *account) MUST_CHECK;

/* forget_free - leave it at that; NULL is allowed. */
void forget_free(struct forget *forget);

#endif
