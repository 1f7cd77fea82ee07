/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * serve - accepts connections
 *
 * Owns the list of them and the caps per uid; conn.c has the life of each.
 */
#ifndef MAILTOKEN_DAEMON_SERVE_H
#define MAILTOKEN_DAEMON_SERVE_H

#include "daemon/engine.h"
#include "daemon/listen.h"

struct conn;
struct serve;

/* What connections need of the rest of the helper. */
struct serve_host {
	void *ctx;

	/* The working engine; or FAULT_CONFIG_ERROR, and why says what is
	 * wrong with the configuration or the keyring; or FAULT_TRY_LATER when
	 * that may pass.  look: for files that have changed. */
	enum fault (*engine)(void *ctx, bool look, struct engine **engine_out,
	    struct why *why);

	/* One whom the configuration may not know asks. */
	void (*stranger)(void *ctx, const struct peer *peer);

	/* Read the configuration anew; appends the whole answer to out and
	 * returns what it says. */
	enum fault (*reload)(void *ctx, struct buf *out);
};

/* serve_new - starts to accept.  FAULT_NOMEM, FAULT_INTERNAL. */
enum fault serve_new(struct event_base *base, const struct listeners *listeners,
    const struct serve_host *host, struct serve **serve_out) MUST_CHECK;

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

/* serve_charge - for conn.c: conn, which goes on, holds more bytes of an
 * unfinished request.  Older connections of users in no list may be gone. */
void serve_charge(struct serve *serve, const struct conn *conn);

/* serve_leave - for conn.c: a connection is about to be freed. */
void serve_leave(struct serve *serve, const struct conn *conn);

/* serve_free - closes what is left. */
void serve_free(struct serve *serve);

#endif
