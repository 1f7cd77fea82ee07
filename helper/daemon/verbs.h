/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verbs - what each verb does; verbs.c has the table and who may
 */
#ifndef MAILTOKEN_DAEMON_VERBS_H
#define MAILTOKEN_DAEMON_VERBS_H

#include "daemon/conn.h"

/* Each answers and closes, now or later. */
void verbs_token(struct conn *conn);
void verbs_rejected(struct conn *conn);
void verbs_refresh(struct conn *conn);
void verbs_sign_in(struct conn *conn);
void verbs_forget(struct conn *conn);
void verbs_import(struct conn *conn);
void verbs_export(struct conn *conn);
void verbs_rekey(struct conn *conn);
void verbs_status(struct conn *conn);
void verbs_watch(struct conn *conn);

/* verbs_walk - step, which appends to out and takes conn for ctx, goes over
 * all accounts while the peer takes the answer; then end. */
void verbs_walk(struct conn *conn, bool (*step)(void *ctx),
    void (*end)(void *ctx));

/* verbs_unwait - whoever was asked for a token need not answer. */
void verbs_unwait(struct conn *conn);

/* verbs_refuse_unknown - the same bytes whether the account has no record or
 * is not this peer's; the log says which. */
void verbs_refuse_unknown(struct conn *conn, bool allowed);

/* verbs_mailbox - whose token is asked for: another's for a shared one. */
const char *verbs_mailbox(const struct conn *conn);

#endif
