/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * account - one account's state machine
 *
 *	EMPTY -> (sign-in) -> ACTIVE <-> REFRESHING
 *	                      LOGIN-NEEDED, CONFIG-ERROR, BACKOFF, unsaved
 *
 * Owns the entry in memory, the one refresh in flight and those who wait for
 * it, back-off, renewal timers and saving.  Joins store and oauth, which do
 * not know each other.  account*.c have the record, exchange.c the refresh,
 * renewal.c its times, asking.c the questions.
 */
#ifndef MAILTOKEN_DAEMON_ACCOUNT_H
#define MAILTOKEN_DAEMON_ACCOUNT_H

#include "daemon/engine.h"

struct account;
struct waiter;

enum account_state {
	ACCOUNT_EMPTY,
	ACCOUNT_ACTIVE,
	ACCOUNT_REFRESHING,
	ACCOUNT_BACKOFF,
	ACCOUNT_LOGIN_NEEDED,
	ACCOUNT_CONFIG_ERROR
};

/* What a question is answered with; valid during the call. */
struct account_answer {
	enum fault fault;
	const char *text;	    /* unless FAULT_NONE */
	int64_t retry_after_s;	    /* FAULT_TRY_LATER */
	const struct secret *token; /* FAULT_NONE */
	const char *serial;
	int64_t expires_s;
	bool unsaved; /* its record is in memory only */
};

typedef void account_answer_fn(void *ctx, const struct account_answer *answer);

/* account_new - with no record yet; name is folded and copied. */
enum fault account_new(struct engine *engine, const char *name,
    struct account **account_out) MUST_CHECK;

/*
 * account_new_app - one that is never on disk: the application signs in for
 * itself, for the mailbox subject or, where that is NULL, for all
 *
 * name  in: for the log
 */
enum fault account_new_app(struct engine *engine, const char *name,
    const struct provider *provider, const char *subject,
    struct account **account_out) MUST_CHECK;
bool account_is_app(const struct account *account);

/* account_is_idle - nothing in flight, nobody waits; asked_s_out: when a
 * token was asked for last. */
bool account_is_idle(const struct account *account, int64_t *asked_s_out);

/* account_backs_off - whether its last exchange forbids another one now. */
bool account_backs_off(const struct account *account);

/* account_free - waiters are answered "internal" if any are left. */
void account_free(struct account *account);

const char *account_name(const struct account *account);

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
 * account_token - ask for the access token
 *
 * server      in: empty: none was named
 * service     in: what the token is for; empty: not said
 *             (both must stay until fn is called)
 * mailbox     in: who asks, where several share a token; not kept
 * waiter_out  out: NULL when fn was called already; else for
 *             account_unwait() should the asker go away
 */
struct account_question {
	struct span server;
	struct span service;
	const char *mailbox; /* folded; NULL: the account's own name */
	int64_t min_validity_s;
	bool renewal; /* no mail waits for it, and it may wait its turn */
	account_answer_fn *fn;
	void *ctx;
};
void account_token(struct account *account,
    const struct account_question *question, struct waiter **waiter_out);

/* account_refresh - renew now, whatever is left; fn as above. */
void account_refresh(struct account *account,
    const struct account_question *question, struct waiter **waiter_out);

/* account_unwait - the asker is gone; fn is not called. */
void account_unwait(struct waiter *waiter);

/* account_rejected - a mail server's service refused the token of that serial;
 * server and service empty: it is not known which. */
void account_rejected(struct account *account, struct span serial,
    struct span server, struct span service);

/*
 * account_adopt - the result of a sign-in, or a record made elsewhere, takes
 * the place of the record
 *
 * entry  in: taken; its token is as old as it says
 *
 * FAULT_NONE when it is on disk; otherwise it is in force and `unsaved`, and
 * why says what keeps it from the disk.
 */
enum fault account_adopt(struct account *account, struct entry *entry,
    struct why *why) MUST_CHECK;

/*
 * account_forget - delete the record from disk and memory
 *
 * FAULT_NOT_FOUND when it is in neither; FAULT_IO, FAULT_READ_ONLY: then
 * nothing has changed.
 */
enum fault account_forget(struct account *account, struct why *why) MUST_CHECK;

/* account_revoked - the provider has ended its grant, the record stays: it
 * waits for a sign-in. */
void account_revoked(struct account *account);

/* account_exists - whether it has a record. */
bool account_exists(const struct account *account);

/*
 * account_read - see to it that its record is in memory
 *
 * FAULT_UNKNOWN_ACCOUNT without one; FAULT_TRY_LATER when the disk does not
 * give it now; FAULT_CONFIG_ERROR when it cannot be used; FAULT_INTERNAL.
 */
enum fault account_read(struct account *account, struct why *why) MUST_CHECK;

/* account_entry - its record, read from disk if it was at rest; NULL when
 * there is none or it cannot be read. */
const struct entry *account_entry(struct account *account);

/* account_rest - where nobody asks for it, its record need not stay in
 * memory; what account_entry() gave is gone then. */
void account_rest(struct account *account);

/* account_is_due - whether its grant has been idle for renew_idle. */
bool account_is_due(struct account *account);

/* account_reconsider - the configuration or the clock has changed: look at
 * the timers again, and with a new edition of the configuration forget what
 * made it wait.  One that is asked for does it without being told. */
void account_reconsider(struct account *account);

/*
 * account_rekey - save its record with the key of the keyring, though it be a
 * plain one that would not be served
 *
 * Faults of keyring_rekey(), with the reason in why.
 */
enum fault account_rekey(struct account *account, struct why *why) MUST_CHECK;

/* account_save_last - stopping: one more try to store what is unsaved. */
void account_save_last(struct account *account);

/* account_is_unsaved - whether the newest record is in memory only. */
bool account_is_unsaved(const struct account *account);

/* account_give_up - stopping: whoever waits for a queued refresh is told, and
 * what is unsaved is tried every second. */
void account_give_up(struct account *account);

/* What status and watch show. */
struct account_view {
	const char *account; /* as it signed in */
	bool untried;	     /* imported, and not renewed since */
	const char *provider;
	const char *text;
	const char *servers;
	enum account_state state;
	bool unsaved;
	int64_t expires_s;
	int64_t refreshed_s;
	int64_t grant_expires_s;
	int64_t next_try_s;
};
void account_describe(struct account *account, struct account_view *view_out);
const char *account_state_word(enum account_state state);

#endif
