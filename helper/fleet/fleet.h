/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fleet - one keyring for many relays
 *
 * Owns what several helpers share: their sealed records, each with a revision,
 * and who may renew one.  It has three joints: a turn before an exchange, a
 * put after saving, and what it tells of the others.  Who uses it sees no
 * etcd.  Keys below the prefix: record/LEAF, lock/LEAF (with the relay's
 * lease) and sent/LEAF (without: a request with that grant may have left),
 * LEAF being the file name of the account (keyring_leaf()).
 */
#ifndef MAILTOKEN_FLEET_FLEET_H
#define MAILTOKEN_FLEET_FLEET_H

#include "oauth/http.h"
#include "store/keyring.h"

#define FLEET_URLS_MAX	     9
#define FLEET_NAME_MAX_BYTES 80

struct fleet;
struct fleet_job;
struct fleet_turn;

/* As the configuration has them; all may be NULL but urls and prefix. */
struct fleet_settings {
	char *urls[FLEET_URLS_MAX];
	size_t n_urls; /* 0: no fleet */
	char *prefix;  /* ends in a slash */
	char *user;
	char *password_file;
	char *ca_file;
	char *certificate;
	char *certificate_key;
	bool alone; /* fleet_alone: renew without the others if need be */
};

/* What this relay knows of the shared record of an account; held by value by
 * who keeps the account, as its record says (mailtokend(8), KEYRING). */
struct fleet_base {
	uint64_t cluster; /* of the store; 0: it never was there */
	int64_t revision; /* of the shared record that ours comes from */
	unsigned changes; /* of ours, counted; for who puts it meanwhile */
	unsigned listing; /* in which it was met last */
	int64_t held;	  /* revision of a mark of an earlier life, or 0 */
	int64_t before_s; /* of what was replaced by a sign-in: when that was
			     signed in; 0: not known */
	bool unput;	  /* ours is newer */
	bool anew;	  /* ... by a sign-in */
	bool known;	  /* it was read */
	struct fleet_job *put; /* the fleet's */
};

/* Of one account; valid during the call. */
struct fleet_news {
	const char *account; /* folded */
	struct entry *entry; /* another record than ours, which is taken; or
				NULL: it was forgotten, unless there is text */
	const char *text;    /* NULL; or why what is there cannot be used */
	uint64_t cluster;    /* where and at which revision it stands */
	int64_t revision;
	bool just_put; /* a moment ago */
};

typedef void fleet_each_fn(struct fleet *fleet, const char *account,
    struct fleet_base *base);

/* All are called from the event loop or a function of this header; turns may be
 * ended and puts begun inside. */
struct fleet_calls {
	int64_t (*now_ms)(void); /* boot time */
	/* What stands here, or NULL; a copy of its entry, which the caller
	 * frees.  Faults as those of keyring_load(). */
	struct fleet_base *(*base)(void *ctx, const char *account);
	enum fault (
	    *entry)(void *ctx, const char *account, struct entry **entry_out);
	void (*each)(void *ctx, fleet_each_fn *fn, struct fleet *fleet);
	void (*news)(void *ctx, const struct fleet_news *news);
	/* Ours is shared, as its base says: it is to be saved once more. */
	void (*is_put)(void *ctx, const char *account);
	/* All shared records were told, and the others answer, (again). */
	void (*in_step)(void *ctx);
	void (*say)(void *ctx, bool bad, const char *text); /* to the log */
};

struct fleet_options {
	struct event_base *base;
	struct http *http;
	struct keyring *keyring;
	const struct fleet_settings *settings; /* outlives it */
	const struct fleet_calls *calls;
	void *ctx;
};

/* fleet_new - begins to join at once.  FAULT_NOMEM; FAULT_CONFIG_ERROR with
 * why.  fleet_stop - before its accounts are freed: nothing is called any more.
 * fleet_free - NULL is fine. */
enum fault fleet_new(const struct fleet_options *options,
    struct fleet **fleet_out, struct why *why) MUST_CHECK;
void fleet_stop(struct fleet *fleet);
void fleet_free(struct fleet *fleet);

/* fleet_clock_jumped - a suspend: timers slept, the lease did not.  NULL is
 * fine. */
void fleet_clock_jumped(struct fleet *fleet);

enum fleet_verdict {
	FLEET_GO,    /* the lock is ours, the record is the newest */
	FLEET_ALONE, /* nobody answers; it is allowed all the same */
	FLEET_LATER  /* text says why */
};
typedef void fleet_turn_fn(void *ctx, enum fleet_verdict verdict,
    const char *text);

struct fleet_wish {
	const char *account;
	bool needed;	     /* there is no token that could be used */
	bool waits;	     /* for another relay; else it is later at once */
	fleet_turn_fn *done; /* called once, from the event loop; not after
				fleet_turn_end() */
	void *ctx;
};

/*
 * fleet_turn_start - before an exchange: the account's lock, and its newest
 * record
 *
 * A newer record comes as news before, and ends the turn by who cancels it.
 */
enum fault fleet_turn_start(struct fleet *fleet, const struct fleet_wish *wish,
    struct fleet_turn **turn_out) MUST_CHECK;

/* fleet_turn_may_send - asked when the request is about to leave: whether the
 * lease outlives the exchange. */
bool fleet_turn_may_send(const struct fleet_turn *turn);

/*
 * fleet_turn_end - gives the lock back; NULL is fine
 *
 * lost  in: a request has left and its answer did not come
 */
void fleet_turn_end(struct fleet_turn *turn, bool lost);

/*
 * fleet_put - the account's record is another now: share it, from the event
 * loop
 *
 * anew  in: it comes from a sign-in, not from what was shared
 *
 * Sets base->unput, which is to be saved with the record.  The lock of a turn
 * that has not ended goes with it.  While nobody answers it waits.
 */
void fleet_put(struct fleet *fleet, const char *account, bool anew);

/* fleet_forget - everywhere.  done: FLEET_GO, or FLEET_LATER with text.
 * fleet_forget_leave - done is not called any more for ctx. */
enum fault fleet_forget(struct fleet *fleet, const char *account,
    fleet_turn_fn *done, void *ctx) MUST_CHECK;
void fleet_forget_leave(struct fleet *fleet, const void *ctx);

/* fleet_away - why the others cannot be asked now, or NULL. */
const char *fleet_away(const struct fleet *fleet);

/* fleet_leave - stopping: no turns any more.  True when what can be put is put,
 * and the lease was given back. */
bool fleet_leave(struct fleet *fleet);

struct fleet_health {
	enum fleet_state {
		FLEET_AWAY,	   /* text says why */
		FLEET_CATCHING_UP, /* the records are being read */
		FLEET_IN_STEP
	} state;
	const char *text;
	const char *url;    /* who answered last, or NULL */
	const char *name;   /* of this relay */
	int64_t revision;   /* up to which the watch has told */
	int64_t behind;	    /* how many newer ones there are */
	unsigned locks;	    /* that this relay holds */
	unsigned unput;	    /* records that wait to be shared */
	uint64_t adopted;   /* since the start: records of others, */
	uint64_t put;	    /* ours, */
	uint64_t conflicts; /* ... of which another's was kept */
	uint64_t waited;    /* turns that waited for another relay */
};
void fleet_health(struct fleet *fleet, struct fleet_health *health_out);
const char *fleet_state_word(enum fleet_state state);

/* fleet_holder - which relay holds the account's lock now, or NULL. */
const char *fleet_holder(const struct fleet *fleet, const char *account);

#endif
