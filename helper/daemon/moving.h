/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * moving - the verbs import and export; for verbs.c
 */
#ifndef MAILTOKEN_DAEMON_MOVING_H
#define MAILTOKEN_DAEMON_MOVING_H

#include "daemon/conn.h"

/* Each answers and closes. */
void moving_import(struct conn *conn);
void moving_export(struct conn *conn);
void moving_rekey(struct conn *conn);

#endif
