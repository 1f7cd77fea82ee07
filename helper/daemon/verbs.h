/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verbs - what each verb does; verbs.c has the table
 */
#ifndef MAILTOKEN_DAEMON_VERBS_H
#define MAILTOKEN_DAEMON_VERBS_H

#include "daemon/access.h"
#include "daemon/answer.h"
#include "daemon/asking.h"

/* For serve_new(). */
extern const struct conn_calls verbs_calls;

/* Each answers and closes, now or later. */
void verbs_token(struct conn *conn);
void verbs_rejected(struct conn *conn);
void verbs_refresh(struct conn *conn);
void verbs_sign_in(struct conn *conn);
void verbs_forget(struct conn *conn);
void verbs_import(struct conn *conn);
void verbs_export(struct conn *conn);
void verbs_rekey(struct conn *conn);
void verbs_probe(struct conn *conn);
void verbs_status(struct conn *conn);
void verbs_watch(struct conn *conn);
void verbs_version(struct conn *conn);
void verbs_metrics(struct conn *conn);

/* verbs_force - have the account of the request renewed now; or refuse where
 * there is none. */
void verbs_force(struct conn *conn, account_answer_fn *fn);

/* probe_free, forget_free - leave it at that; NULL is allowed. */
struct probe;
void probe_free(struct probe *probe);
struct forget;
void forget_free(struct forget *forget);

/* verbs_unwait - whoever was asked for a token need not answer. */
void verbs_unwait(struct conn *conn);

#endif
