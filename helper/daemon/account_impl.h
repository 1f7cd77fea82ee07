/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * account_impl - the inside of an account, for account*.c, exchange.c,
 * renewal.c and asking.c only
 */
#ifndef MAILTOKEN_DAEMON_ACCOUNT_IMPL_H
#define MAILTOKEN_DAEMON_ACCOUNT_IMPL_H

#include <event2/event.h>

#include "daemon/account.h"
#include "daemon/grant.h"
#include "daemon/slots.h"
#include "oauth/flow.h"

#define ACCOUNT_ASKED_S		  86400 /* "in the last day" */
#define ACCOUNT_RETRY_S		  3600	/* login-needed, config-error */
#define ACCOUNT_BACKOFF_MIN_S	  5
#define ACCOUNT_BACKOFF_MAX_S	  900
#define ACCOUNT_RETRY_AFTER_MAX_S 3600
#define ACCOUNT_WAIT_MAX_MS	  25000 /* from an exchange's beginning */
#define ACCOUNT_TURN_MAX_MS	  30000 /* until it begins: clients wait 35 s */
#define ACCOUNT_ASK_MAX_MS	  33000 /* both together */
#define ACCOUNT_ROOM_MIN_MS	  1000	/* between looks for room on disk */
#define ACCOUNT_NEVER_MS	  (INT64_MIN / 2) /* a difference fits */

/* Why the last exchange did not bring a token. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_TRANSIENT,
	TROUBLE_DISK, /* no room for a record: none was asked for */
	TROUBLE_LOGIN,
	TROUBLE_CONFIG,
	TROUBLE_ISSUER, /* the configuration names another one */
	TROUBLE_RECORD, /* the keyring file cannot be used */
	TROUBLE_UNREAD	/* the disk did not give it when last asked */
};

struct account {
	struct engine *engine;
	char *name;	     /* folded */
	struct entry *entry; /* NULL: no record, or at rest */
	bool exists;
	bool is_app;	  /* in memory only: apps.h */
	unsigned edition; /* of the configuration that it knows */
	char *subject;	  /* is_app: the mailbox, or NULL */
	bool unsaved;
	struct life life;
	int64_t asked_s; /* unix seconds; 0: not since start */
	int64_t refreshed_s;
	bool may_renew; /* there is a refresh token */

	enum trouble trouble;
	char *text;	 /* its sentence, or NULL */
	int64_t since_s; /* ... and since when */
	char *said;	 /* what account_said() made last */
	struct refusal *refusals;
	unsigned failures;
	int64_t last_try_ms;   /* boot time */
	int64_t next_try_ms;   /* boot time; TROUBLE_TRANSIENT, _DISK */
	bool told_to_wait;     /* ... by the provider */
	int64_t forced_ms;     /* last refresh for a refused token */
	int64_t not_before_ms; /* spread after a start */
	int64_t resend_ms;     /* boot time: the refresh token may be spent */
	char *same;	       /* the answer that it fails with ... */
	int64_t same_since_ms; /* ... and since when */
	bool for_a_day;

	struct slot_wish wish;
	struct flow *flow;
	struct issuer_step *discovering;     /* before the flow */
	struct entry *next;		     /* prepared for the answer */
	char serial[GRANT_SERIAL_BYTES + 1]; /* ... and its token's */
	struct keyring_stage *stage;
	int64_t started_ms;

	struct event *timer;
	struct event *save_timer;
	int64_t save_delay_ms;
	struct waiter *waiters;

	enum account_state told_state; /* what watchers know */
	bool told_unsaved;
};

/* account.c */
enum fault account_wake(struct account *account, struct why *why) MUST_CHECK;
void account_trouble(struct account *account, enum trouble trouble,
    const char *text);
enum account_state account_state(const struct account *account);
void account_tell(struct account *account);
void account_drop_token(struct account *account);
void account_keep_up(struct account *account);

enum fault account_provider(const struct account *account,
    struct provider **provider_out, struct why *why) MUST_CHECK;

/* account_save.c */
void account_save(struct account *account, struct keyring_stage *stage);
void account_save_state(struct account *account, enum entry_state state);
void account_save_lost(struct account *account);
bool account_save_room(struct account *account, struct why *why);

/* account_rejected.c: who refused which token, and since when */
void refusals_free(struct account *account);
void refusals_resume(struct account *account);
void refusals_note(struct account *account);
bool refusals_forbid(const struct account *account, struct span server,
    struct span service);
void refusals_served(struct account *account, struct span server,
    struct span service);
void refusals_say(struct account *account, char *out, size_t out_bytes);

/* account_said.c */
void account_date(int64_t when_s, char out[40]);
const char *account_said(struct account *account);

/* account_app.c */
enum fault account_app_provider(const struct account *account,
    struct provider **provider_out, struct why *why) MUST_CHECK;
void account_app_changed(struct account *account);
enum fault account_app_start(struct account *account,
    const struct flow_target *target, struct why *why) MUST_CHECK;

/* account_in_flight - an exchange, or what it waits for, is under way. */
static inline bool account_in_flight(const struct account *account)
{
	return account->flow != NULL || account->discovering != NULL;
}

/* account_is_unreadable - its record could not be used when last looked at. */
static inline bool account_is_unreadable(const struct account *account)
{
	return account->trouble == TROUBLE_RECORD ||
	    account->trouble == TROUBLE_UNREAD;
}

/* exchange.c */
void exchange_want(struct account *account, bool urgent);
void exchange_cancel(struct account *account);

/* renewal.c */
bool renewal_is_in_use(const struct account *account, const struct now *now);
void renewal_arm(struct account *account);
void renewal_set_timer(struct account *account, struct event **timer,
    event_callback_fn fn, int64_t in_ms);
void renewal_spread(struct account *account);

/* asking.c */
void asking_answer_all(struct account *account,
    const struct account_answer *answer);
void asking_answer_token(struct account *account);
void asking_look_again(struct account *account);
void asking_began(struct account *account);
bool asking_may_send(const struct account *account, const struct now *now,
    struct account_answer *answer);
bool asking_may_try(const struct account *account, const struct now *now,
    struct account_answer *answer);

#endif
