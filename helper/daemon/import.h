/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * import - records from outside into the keyring: by the verb, or, once, from
 * the seed that a container brings
 */
#ifndef MAILTOKEN_DAEMON_IMPORT_H
#define MAILTOKEN_DAEMON_IMPORT_H

#include "daemon/engine.h"
#include "wire/attr.h"

struct import {
	struct span list;
	const char *first; /* of the list, as for attr_parse() */
	bool replace;	   /* it may take the place of a grant */
};

#define IMPORT_NOTES_MAX 3

struct imported {
	const struct entry *entry; /* the account's, until the next turn */
	const char *notes[IMPORT_NOTES_MAX]; /* what is odd about it ... */
	size_t n_notes;
	struct why unsaved, unknown; /* ... the texts of two of them */
};

/*
 * import_record - a record's list, which other programs than ours may have
 * made, becomes the account's grant
 *
 * FAULT_BAD_REQUEST when it is no record or the account has a grant;
 * FAULT_CONFIG_ERROR when nothing here could use it; FAULT_NOMEM.  why says
 * which.
 */
enum fault import_record(struct engine *engine, const struct import *import,
    struct imported *imported_out, struct why *why) MUST_CHECK;

/*
 * import_seed - the records of a file, as "mailtoken export" writes them, or
 * of the files of a folder, for accounts without a grant; the log says what
 * became of each.  mailtokend(8), MAILTOKEN_SEED.
 */
void import_seed(struct engine *engine, const char *path);

#endif
