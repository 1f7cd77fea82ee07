/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * keeper - the helper as a whole: from a configuration file to a working
 * engine, and back to "cannot work, but says why"
 *
 * A helper with a configuration, keyring or key that it cannot use stays up
 * and answers every request with the reason; a mended file is taken on
 * SIGHUP, reload, or at the next request after it changed.
 */
#ifndef MAILTOKEN_DAEMON_KEEPER_H
#define MAILTOKEN_DAEMON_KEEPER_H

#include "daemon/engine.h"
#include "daemon/listen.h"

struct keeper;

struct keeper_options {
	struct event_base *base;
	struct config_source source;
	const char *log_level;	     /* NULL: what the configuration says */
	const char *seed;	     /* NULL, or where import_seed() looks */
	struct event *jumped;	     /* NULL, or run when the clock was set */
	struct listeners *listeners; /* named in the lock file */
};

/* keeper_new - with its configuration read, good or not.  FAULT_NOMEM;
 * FAULT_INTERNAL. */
enum fault keeper_new(const struct keeper_options *options,
    struct keeper **keeper_out) MUST_CHECK;

/*
 * keeper_start - open and lock the keyring, read the accounts
 *
 * FAULT_LOCKED when another helper holds it (why names it): the only one
 * that ends a start; FAULT_NONE in all other cases, working or not.
 */
enum fault keeper_start(struct keeper *keeper, struct why *why) MUST_CHECK;

/* keeper_engine - stays where it is, working or not. */
struct engine *keeper_engine(struct keeper *keeper);

/*
 * keeper_try - bring about what the files say, as far as that is not so
 *
 * anyway  in: read them though none has changed
 * out     in/out: gets the whole answer of a reload, which is logged, too; or
 *            NULL
 *
 * FAULT_NONE; while something is wrong FAULT_CONFIG_ERROR, or FAULT_TRY_LATER
 * when that may pass: what it is stands in the engine's config_trouble.
 */
enum fault keeper_try(struct keeper *keeper, bool anyway, struct buf *out);

/* keeper_stranger - one whom the configuration may not know asks; it has
 * worked. */
void keeper_stranger(struct keeper *keeper, struct peer *peer);

/* keeper_stop - start no more refreshes; those in flight go on. */
void keeper_stop(struct keeper *keeper);

/* keeper_is_saved - whether every record is on disk. */
bool keeper_is_saved(const struct keeper *keeper);

/* keeper_free - stores what is unsaved once more, closes all. */
void keeper_free(struct keeper *keeper);

#endif
