/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * smarthost - mailtoken setup postfix: what its parts share
 *
 * All that is ours stands in CONFIG_DIR/mailtoken: maps, which go before those
 * that are there, and what --undo needs.  main.cf and master.cf are changed by
 * postconf(1) alone.
 */
#ifndef MAILTOKEN_OPERATOR_SMARTHOST_H
#define MAILTOKEN_OPERATOR_SMARTHOST_H

#include <limits.h>

#include "operator/postfix.h"
#include "operator/setup.h"

/* Files in DIR/mailtoken. */
enum map {
	MAP_PASSWD,
	MAP_TLS,
	MAP_SENDERS,
	MAP_GENERIC,
	MAP_ROUTES,
	MAP_KEPT,
	MAPS
};
extern const char *const smarthost_maps[MAPS];

struct smarthost {
	struct setup *setup;
	char dir[PATH_MAX / 4];	 /* of main.cf */
	char ours[PATH_MAX / 4]; /* DIR/mailtoken */
	struct postfix now;	 /* expanded */
	struct postfix raw;	 /* as they stand in main.cf */
	const char *account;
	struct buf names; /* of the helper's accounts, where none is named */
	char host[SERVER_MAX_BYTES + 1];
	char relay[SERVER_MAX_BYTES + 16]; /* [host]:port */
	bool new_files;	 /* with --dry-run: there is nothing to be read */
	bool kept;	 /* by undo_before(), and those that are not as */
	unsigned theirs; /* they were left */

	/* By smarthost_plan(); buf_fault() is for who uses them. */
	struct buf edits;      /* of main.cf: "name = value" and a NUL each */
	struct buf maps[MAPS]; /* "key value\n" each, no key twice */
	struct buf service;    /* of master.cf: as of postconf -M, or none */
};

/* smarthost_has_key - whether one of the lines has the key of line, whatever
 * its letters' case: Postfix refuses a map with two. */
bool smarthost_has_key(const struct buf *lines, const char *line);

/* setup_postfix - mailtoken setup postfix, the address in setup->account. */
enum outcome setup_postfix(struct setup *setup);

/*
 * smarthost_plan - ask what has to be asked, and fill edits, maps and service
 * with what is not so yet; changes nothing
 *
 * False when somebody said no, or it cannot be, which was told.
 */
bool smarthost_plan(struct smarthost *smarthost);

/*
 * undo_before - keep the files as they are, for --undo; once
 * undo_after - note what they are now
 * undo_run - give back what was there.  What others have changed since is
 * left, and told.
 *
 * False when that cannot be, which was told.
 */
bool undo_before(struct smarthost *smarthost);
bool undo_after(struct smarthost *smarthost);
bool undo_run(struct smarthost *smarthost);

/*
 * smarthost_socket - have the helper listen where smtp(8) looks for it
 * socket_undo - take the drop-in for that away, if it is as it was written
 *
 * False when that cannot be, which was told.
 */
bool smarthost_socket(struct smarthost *smarthost);
bool socket_undo(struct smarthost *smarthost);

/* smarthost_inventory - relays, senders and logins, from the mail log. */
bool smarthost_inventory(struct smarthost *smarthost);

#endif
