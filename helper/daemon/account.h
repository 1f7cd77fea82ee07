/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * account - one account: its standing, its record, its one refresh
 *
 *	EMPTY -> (sign-in) -> ACTIVE <-> BACKOFF, LOGIN-NEEDED, CONFIG-ERROR
 *
 * Owns the timer of its renewal and what watchers know of it.  plan.h has the
 * rules, refresh.h the exchange, record.h the disk; questions, and what an
 * exchange does to those who wait for it, are above: asking.h.
 */
#ifndef MAILTOKEN_DAEMON_ACCOUNT_H
#define MAILTOKEN_DAEMON_ACCOUNT_H

#include "daemon/refresh.h"

struct refused;
struct waiter;

struct account {
	struct engine *engine;
	char *name;	  /* folded; of an application: for the log */
	char *subject;	  /* an application's mailbox, or NULL: for all */
	unsigned edition; /* of the configuration that it knows */
	unsigned ready;	  /* ... for which entry and provider are here, or 0 */
	struct provider *provider; /* that may renew it */
	struct standing standing;
	struct record record; /* in_memory: an application's */
	struct refresh refresh;
	struct waiter *waiters;
	struct refused *refused; /* which tokens, by whom */
	int64_t refreshed_s;	 /* unix seconds; known while it is at rest */
	int64_t grant_expires_s; /* likewise; 0: not said */
	char *same;		 /* the answer that it fails with ... */
	int64_t same_since_ms;	 /* ... since when, boot time */
	int64_t same_since_s;	 /* ... and unix seconds */
	struct event *timer;
	bool idle; /* when the timer was set: nobody had asked for a day */
	enum account_state told_state; /* what watchers know */
	bool told_unsaved;
};

/*
 * account_new - with no record yet; strings are copied, and whoever makes it
 * sets refresh.event.  FAULT_NOMEM.
 *
 * app  in: NULL; or the provider whose application signs in for itself
 */
enum fault account_new(struct engine *engine, const char *name,
    const struct provider *app, const char *subject,
    struct account **account_out) MUST_CHECK;

/* account_free - nobody waits for it. */
void account_free(struct account *account);

/*
 * account_load - read its record
 *
 * spread  in: a renewal that is due already is put off by a random time
 *            of at most its margin when true (a start renews many)
 *
 * FAULT_NONE, also for a record that cannot be used: the account is then in
 * CONFIG-ERROR with the reason; FAULT_NOT_FOUND; FAULT_NOMEM.
 */
enum fault account_load(struct account *account, bool spread) MUST_CHECK;

/*
 * account_read - see to it that its record is in memory
 *
 * FAULT_UNKNOWN_ACCOUNT without one; FAULT_TRY_LATER when the disk does not
 * give it now; FAULT_CONFIG_ERROR when it cannot be used; FAULT_INTERNAL.
 */
enum fault account_read(struct account *account, struct why *why) MUST_CHECK;

/* account_ready - the same, and provider is the profile of the configuration
 * in force that may renew it.  Faults of grant_provider(), too. */
enum fault account_ready(struct account *account, struct why *why) MUST_CHECK;

/* account_entry - its record, read from disk if it was at rest; NULL when
 * there is none or it cannot be read. */
const struct entry *account_entry(struct account *account);

/* account_rest - where nobody asks for it, its record need not stay in
 * memory; what account_entry() gave is gone then. */
void account_rest(struct account *account);

/* account_resume - its entry is another: what it says of the token, and
 * where it and the configuration leave the account. */
void account_resume(struct account *account);

/* account_is_due - whether its grant has been idle for renew_idle. */
bool account_is_due(const struct account *account);

/* account_arm - set the timer of what comes next; and let it rest. */
void account_arm(struct account *account);

/* account_leave - another relay has renewed it, and will again: here some time
 * later, at random, so that they do not all ask at once. */
void account_leave(struct account *account);

/* account_reconsider - the configuration or the clock has changed: look at
 * the timers again, and with a new edition of the configuration forget what
 * made it wait. */
void account_reconsider(struct account *account);

/* account_rekey - see record_rekey(). */
enum fault account_rekey(struct account *account, struct why *why) MUST_CHECK;

/* account_tell - watchers and the log, of a new state. */
void account_tell(struct account *account);

/* account_shown - its state as status and watch have it. */
enum account_state account_shown(const struct account *account);
const char *account_state_word(enum account_state state);

#endif
