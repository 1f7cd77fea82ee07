/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fleet_impl - the inside of a fleet: fleet.c joins, fleet_watch.c lists and
 * watches;
 * fleet_compare.c says which of two records is the newer; fleet_turn.c has the
 * locks, fleet_job.c what is to be written
 */
#ifndef MAILTOKEN_FLEET_FLEET_IMPL_H
#define MAILTOKEN_FLEET_FLEET_IMPL_H

#include <event2/event_struct.h>

#include "fleet/etcd.h"
#include "fleet/fleet.h"

#define FLEET_KEY_MAX_BYTES (256 + 8 + KEYRING_LEAF_MAX_BYTES + 1)
#define FLEET_LEASE_S	    120
#define FLEET_CALLS_MAX	    32
#define FLEET_KEEP_MS	    15000
#define FLEET_RETRY_MS	    1000
#define FLEET_EXCHANGE_MS   (HTTP_PATIENT_MAX_MS + 1000)

/* A lock that the watch told of. */
struct fleet_lock {
	struct fleet_lock *next;
	char holder[FLEET_NAME_MAX_BYTES]; /* its name */
	int64_t revision;
	uint64_t turn; /* of this relay's; 0: another's */
	char leaf[];
};

/* An account's; the spans are of bytes. */
struct fleet_keys {
	struct span record, lock, sent;
	char bytes[3][FLEET_KEY_MAX_BYTES];
};

struct fleet_turn {
	struct fleet *fleet;
	struct fleet_turn *next;
	uint64_t number;
	char value[FLEET_NAME_MAX_BYTES + 90]; /* of its lock and mark: the
						  relay's id and the number */
	bool ended; /* nobody has it any more; its answer may bring a lock */
	char *account;
	struct fleet_keys keys;
	bool waited;
	bool alone;		/* that was the verdict */
	struct fleet_wish wish; /* done NULL: it was called */
	struct etcd_call *call;
	struct event timer;
	int64_t until_ms;
	int64_t lock_seen; /* revisions that may be taken over; 0: none may be
			      there */
	int64_t sent_seen;
	int64_t lock; /* revision of ours; 0: it is not held */
	int64_t lease;
	char text[256]; /* why it waits */
};

struct fleet_job {
	struct fleet *fleet;
	struct fleet_job *next;
	struct fleet_job *before;
	struct fleet_job *ready; /* behind it in the queue */
	bool queued;
	enum fleet_job_kind {
		FLEET_JOB_PUT,
		FLEET_JOB_RELEASE,
		FLEET_JOB_FORGET
	} kind;
	char *account;
	int64_t lock; /* revision of the lock that ends with it, or 0 */
	int64_t lease;
	bool keeps_sent;
	bool stale;	  /* the lock: nobody has used it */
	bool ends;	  /* what is under way ends the lock, too */
	bool anew;	  /* ... and any mark */
	bool may_be;	  /* what was tried last may have been put */
	bool look;	  /* there is nothing to put: what is there? */
	int64_t met;	  /* the highest revision that the watch told of */
	unsigned changes; /* as the base had when it was read */
	struct entry *tried[2]; /* what may have been put, the last first */
	fleet_turn_fn *done;
	void *ctx;
	struct etcd_call *call;
	struct event timer;
};

struct fleet {
	struct fleet_options o;
	struct etcd *etcd;
	char name[FLEET_NAME_MAX_BYTES];
	char id[FLEET_NAME_MAX_BYTES + 60]; /* this boot's, too */
	enum fleet_state state;
	char text[256];	 /* why it is away */
	char lost[256];	 /* why the watch is */
	char unput[256]; /* why what is to be put is not */
	char store[24];	 /* of this store alone */
	char url[256];
	struct etcd_call *call; /* lease or list */
	struct event retry;
	struct event keep;
	struct event grace; /* since the watch was lost */
	int64_t lease;	    /* 0: none */
	int64_t lease_ends_ms;
	int64_t asked_ms; /* when it was asked for */
	struct etcd_watch *watch;
	unsigned listing;
	int64_t list_revision;
	char from[FLEET_KEY_MAX_BYTES]; /* where the list goes on */
	uint64_t cluster;
	int64_t told;	/* the watch, up to that revision */
	int64_t newest; /* the highest revision that was heard of */
	struct fleet_lock *locks;
	struct fleet_turn *turns;
	uint64_t n_turns;  /* the last one's number; from a random one on, */
	uint64_t n_before; /* which no turn of this life has */
	struct fleet_job *jobs;
	struct fleet_job *ready; /* first come, first served */
	struct fleet_job **last;
	unsigned calls; /* of jobs, under way */
	int64_t
	    live_from; /* behind it the watch tells at once; 0: it is lost */
	bool leaving;
	bool over; /* after fleet_stop() */
	bool left;
	struct fleet_health counts;
	int64_t counted_ms; /* counts.unput; 0: not since it changed */
};

/* fleet_relay - out: the name in a relay's id, for people. */
void fleet_relay(struct span id, char out[FLEET_NAME_MAX_BYTES]);

/* fleet_turn_of - which turn of this relay, in this life or an earlier one, has
 * written it; 0: another relay's. */
uint64_t fleet_turn_of(const struct fleet *fleet, struct span value);

/* fleet_later - the event, after ms. */
void fleet_later(struct event *event, int64_t ms);

/* fleet_set_state - and tell of another.  fleet_is_away - and try again soon.
 * fleet_in_step - and all that waits goes on. */
void fleet_set_state(struct fleet *fleet, enum fleet_state state,
    const char *text);
void fleet_is_away(struct fleet *fleet, const char *text);
void fleet_in_step(struct fleet *fleet);

/* fleet_list - the next page of what is shared; after the last begin to watch.
 * fleet_watch_lost_for_long - for its timer. */
void fleet_list(struct fleet *fleet);
void fleet_watch_lost_for_long(evutil_socket_t fd, short what, void *ctx);
void fleet_locks_drop(struct fleet *fleet);

/* fleet_key - out: prefix, kind with its slash, and the leaf. */
struct span fleet_key(const struct fleet *fleet, const char *kind,
    const char *leaf, char out[FLEET_KEY_MAX_BYTES]);

/* fleet_keys - of an account. */
void fleet_keys(const struct fleet *fleet, const char *account,
    struct fleet_keys *out);

/* fleet_heard - of an answer: who gave it, which store it is, how new. */
void fleet_heard(struct fleet *fleet, const struct etcd_answer *answer);

/* fleet_look_at_lease - now, not when it is due. */
void fleet_look_at_lease(struct fleet *fleet);

/* fleet_lease_left_ms - how long the lease is good for at least. */
int64_t fleet_lease_left_ms(const struct fleet *fleet);

/*
 * fleet_compare - theirs, at revision, with what stands here
 *
 * job  in: what may have been put there is in it; or NULL
 *
 * FLEET_SAME, also when it is older than what was told before; FLEET_OURS: it
 * is to be put; FLEET_THEIRS: it was told as news; FLEET_BAD: it cannot be
 * used, which was told
 */
enum fleet_comparison {
	FLEET_SAME,
	FLEET_OURS,
	FLEET_THEIRS,
	FLEET_BAD
};
enum fleet_comparison fleet_compare(struct fleet *fleet, const char *account,
    const struct etcd_kv *kv, const struct fleet_job *job);

/* fleet_absent - there is no shared record, as the store was at revision: put
 * ours, or forget it.  Whether it was forgotten. */
bool fleet_absent(struct fleet *fleet, const char *account,
    struct fleet_base *base, int64_t revision);

/* fleet_job - at the next turn of the loop; one put an account.  NULL without
 * memory.  fleet_is_forgetting - whether one is under way to forget it. */
struct fleet_job *fleet_job(struct fleet *fleet, enum fleet_job_kind kind,
    const char *account);
bool fleet_is_forgetting(const struct fleet *fleet, const char *account);
/* fleet_jobs_again - those that wait are tried now. */
void fleet_jobs_again(struct fleet *fleet);
void fleet_jobs_drop(struct fleet *fleet);

/* fleet_lock_seen - of a turn that is over, and did not know that it had it: it
 * is given back. */
void fleet_lock_seen(struct fleet *fleet, const struct fleet_lock *lock);

/* fleet_turns_again - those that wait, of that account or all, look now. */
void fleet_turns_again(struct fleet *fleet, const char *account);
void fleet_turns_drop(struct fleet *fleet);

#endif
