/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * record - one account's record between memory and disk
 *
 * Owns the entry, the room that was made for the next one, and the tries to
 * store it when storing fails.  An application's is in memory alone.
 */
#ifndef MAILTOKEN_DAEMON_RECORD_H
#define MAILTOKEN_DAEMON_RECORD_H

#include "daemon/engine.h"

struct event;

typedef void record_stored_fn(void *ctx);

/* Held by value by an account, which sets the first six. */
struct record {
	struct engine *engine;
	const char *name; /* folded; the account's */
	bool in_memory;	  /* it never was on disk nor will be */
	int64_t asked_s;  /* unix seconds: the last question for a token */
	record_stored_fn *stored; /* a try of the timer is over */
	void *ctx;

	struct entry *entry;	/* NULL: none, or at rest */
	struct fleet_base base; /* of one that is shared */
	bool exists;
	bool unread;  /* it could not be used when last looked at */
	bool unsaved; /* the newest is in memory only */
	struct keyring_stage *room;
	struct event *timer;
	int64_t delay_ms;
};

/*
 * record_wake - have entry in memory
 *
 * Faults of keyring_load(), with why; exists and unread follow.
 */
enum fault record_wake(struct record *record, struct why *why) MUST_CHECK;

/*
 * record_room - make room on disk, before a refresh token is spent
 *
 * despite_read_only  in: a keyring that cannot be written at all will do
 *
 * False with the reason in why: nothing may be asked of the provider.
 */
bool record_room(struct record *record, bool despite_read_only,
    struct why *why) MUST_CHECK;
void record_no_room(struct record *record);

/*
 * record_save - put entry on disk, and leave the room that was made; when it
 * fails it is `unsaved`, and tried again after 1 s doubling to a minute
 */
void record_save(struct record *record);

/* record_note - at the end of an exchange that brought no grant, with text,
 * into the room that was made: a failure is logged and nothing more. */
void record_note(struct record *record, const char *text);

/* record_changed - its entry is about to become another, and to be saved: the
 * other relays are to have it, too.  anew: by a sign-in. */
void record_changed(struct record *record, bool anew);

/* record_take - next, which is taken, is the entry from now on, and saved
 * into the room that was made. */
void record_take(struct record *record, struct entry *next);

/* record_rekey - save it with the keyring's key, though it be a plain one
 * that would not be served.  Faults of keyring_rekey(). */
enum fault record_rekey(struct record *record, struct why *why) MUST_CHECK;

/* record_erase - from disk and memory.  Faults of keyring_erase(): then
 * nothing has changed. */
enum fault record_erase(struct record *record, struct why *why) MUST_CHECK;

/* record_rest - forget the entry of one that is on disk, to save memory. */
void record_rest(struct record *record);
void record_free(struct record *record);

#endif
