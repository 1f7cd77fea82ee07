/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * refresh - the one exchange of an account, and its turn among all
 *
 * At most 32 exchanges with providers run at once.  Two queues, each first
 * come, first served: who waits for mail goes before renewals, always, and
 * these begin one after the other, so that most of the time is free.  Where
 * accounts of more than one token host are known, none of these begins one
 * when it has as many as are free: those that hang must not keep the others
 * from theirs.  A turn lasts from an exchange's beginning to its end.
 */
#ifndef MAILTOKEN_DAEMON_REFRESH_H
#define MAILTOKEN_DAEMON_REFRESH_H

#include "daemon/grant.h"
#include "daemon/record.h"
#include "oauth/flow.h"

#define REFRESH_MAX 32

struct refreshes; /* all of a helper, and the queues */

/* refreshes_new - FAULT_NOMEM.  refreshes_free - none may be queued any more;
 * NULL is fine. */
enum fault refreshes_new(const struct engine *engine,
    struct refreshes **refreshes_out) MUST_CHECK;
void refreshes_free(struct refreshes *refreshes);

/* refreshes_running - how many exchanges are in flight. */
unsigned refreshes_running(const struct refreshes *refreshes);

struct refresh_event {
	enum refresh_event_kind {
		REFRESH_BEGINS,	   /* its turn has come */
		REFRESH_RENEWED,   /* the record has the new token, and is
				      stored */
		REFRESH_FAILED,	   /* as failure says */
		REFRESH_NO_ROOM,   /* on disk; nothing was sent */
		REFRESH_HELD,	   /* by the relays that share it; likewise */
		REFRESH_UNSTARTED, /* for another reason: fault, text */
		REFRESH_OVER	   /* after each of the last five */
	} kind;
	enum fault fault;
	const char *text;
	const struct flow_failure *failure;
	bool may_be_spent; /* REFRESH_FAILED: the answer was lost */
};

/* Returns what became of it, for the log. */
typedef enum fault refresh_event_fn(void *ctx,
    const struct refresh_event *event);

/* Held by value by an account, which sets the first five. */
struct refresh {
	struct record *record;
	const struct life *life; /* of the token that it has */
	const char *subject;	 /* an application's mailbox, or NULL */
	refresh_event_fn *event;
	void *ctx;

	enum {
		REFRESH_IDLE,
		REFRESH_QUEUED,
		REFRESH_RUNS
	} place;
	struct fleet_turn *turn; /* among the relays that share it */
	bool answered;		 /* what was sent, if anything */
	bool urgent;		 /* somebody waits for it */
	uint32_t host;		 /* of the token, hashed; 0: not known */
	struct flow *flow;	 /* its request may have left */
	struct issuer_step *discovering;     /* before the flow */
	struct entry *next;		     /* prepared for the answer */
	char serial[GRANT_SERIAL_BYTES + 1]; /* ... and its token's */
	int64_t begun_ms;
	struct refresh *after; /* in the queue */
	struct refresh *before;
};

/* refresh_know - where the record in memory has its token from. */
void refresh_know(struct refresh *refresh);

/*
 * refresh_want - begin, or queue; one that is queued can only become urgent,
 * and queues anew then.  Events may come from inside.
 */
void refresh_want(struct refresh *refresh, bool urgent);

/*
 * refresh_app - where there is no refresh token: the application shows its own
 * credentials, with what assertion_file holds now
 *
 * subject  in: a service account's mailbox, else of no interest
 *
 * The faults of flow_app_start(); FAULT_CONFIG_ERROR for that file.
 */
enum fault refresh_app(const struct flow_target *target, const char *subject,
    struct flow **flow_out, struct why *why) MUST_CHECK;

/* refresh_cancel - no event follows; then others begin. */
void refresh_cancel(struct refresh *refresh);

#endif
