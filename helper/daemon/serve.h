/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * serve - accepts connections
 *
 * Owns the list of them and the caps per uid; conn.c has the life of each.
 */
#ifndef MAILTOKEN_DAEMON_SERVE_H
#define MAILTOKEN_DAEMON_SERVE_H

#include "daemon/conn.h"
#include "daemon/listen.h"

struct serve;

/* serve_new - starts to accept; engine and calls must stay.  FAULT_NOMEM. */
enum fault serve_new(struct engine *engine, const struct listeners *listeners,
    const struct conn_calls *calls, struct serve **serve_out) MUST_CHECK;

/* serve_stop - accept no more; end sign-ins and watches; what was asked is
 * still answered. */
void serve_stop(struct serve *serve);

/* serve_give_up - who still waits for a provider is told that the helper
 * stops. */
void serve_give_up(struct serve *serve);

/* serve_is_idle - whether no connection is left. */
bool serve_is_idle(const struct serve *serve);

/* serve_quiet_ms - how long nobody has asked anything; 0 while a connection
 * is open. */
int64_t serve_quiet_ms(const struct serve *serve);

/* serve_free - closes what is left. */
void serve_free(struct serve *serve);

#endif
