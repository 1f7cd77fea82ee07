/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verbs_app - what verbs do for mailboxes whose application signs in for
 * itself (apps.h); for verbs.c
 */
#ifndef MAILTOKEN_DAEMON_VERBS_APP_H
#define MAILTOKEN_DAEMON_VERBS_APP_H

#include "daemon/conn.h"

/*
 * verbs_app_sign_in - false when somebody has to sign in; otherwise the
 * application is tried and the answer says that nobody needs to
 */
bool verbs_app_sign_in(struct conn *conn);

/* verbs_app_show - a record of status, if the peer may see it. */
void verbs_app_show(struct conn *conn, const char *mailbox);

/*
 * verbs_app_show_all - the mailboxes with a block of their own; only those
 * that get their token from account, unless that is NULL
 */
void verbs_app_show_all(struct conn *conn, const struct account *account);

#endif
