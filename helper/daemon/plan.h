/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * plan - what to do with a question, and when to renew without one
 *
 * Pure: an account's standing, a question and both clocks give a verdict.
 * A token's life is kept twice: the wall time of its end, and the boot time
 * of its receipt with the life that was granted.  It lives only while both
 * say so, so neither a clock that is set back nor a suspend makes an old
 * token look young.  Every value is bounded by the parsers, so nothing here
 * can overflow.
 */
#ifndef MAILTOKEN_DAEMON_PLAN_H
#define MAILTOKEN_DAEMON_PLAN_H

#include "daemon/clock.h"

/* With fewer seconds left no mail server is given a token. */
#define PLAN_LEAST_S 60

/* Between renewals of one account; between tries at what needs a human. */
#define PLAN_APART_MS	       (60 * INT64_C(1000))
#define PLAN_RETRY_MS	       (3600 * INT64_C(1000))
#define PLAN_RETRY_AFTER_MAX_S 3600
#define PLAN_NEVER	       INT64_MAX
#define PLAN_LONG_AGO	       (INT64_MIN / 2) /* a difference fits */

/* The first four as in a record: unix seconds, and seconds. */
struct life {
	int64_t received_s;
	int64_t expires_s;
	int64_t granted_s;    /* 0: there is no token */
	int64_t refresh_in_s; /* the provider's advice, or 0 */
	/* life_begin() finds these: */
	int64_t received_ms; /* boot time */
	int64_t margin_s;    /* it is renewed when less is left: granted less
				refresh_in where that was said, else half */
};

/* life_begin - of a token that has come just now, or was read from disk: a
 * receipt in the future, or more life left than granted, means it has none. */
void life_begin(struct life *life, const struct now *now);

/* life_left_s - seconds left by the stricter clock; never negative. */
int64_t life_left_s(const struct life *life, const struct now *now);

enum account_state {
	ACCOUNT_EMPTY,
	ACCOUNT_ACTIVE,
	ACCOUNT_BACKOFF,
	ACCOUNT_LOGIN_NEEDED,
	ACCOUNT_CONFIG_ERROR,
	ACCOUNT_REFRESHING /* only as it is shown: an exchange runs */
};

struct standing {
	enum account_state state;
	char *text;	 /* why it is not active, or NULL; owned */
	int64_t since_s; /* when that state began; unix seconds */
	enum plan_gate {
		GATE_SOFT,   /* a reload opens it, and an admin's refresh */
		GATE_OTHERS, /* ... and the relays that share it */
		GATE_TOLD,   /* ... such an admin: the provider said how long */
		GATE_SPENT   /* nothing: the refresh token may be spent */
	} gate;
	int64_t gate_ms;   /* boot time before which no exchange may start;
			      PLAN_NEVER: not with the grant that it has */
	int64_t renew_ms;  /* ... none that nobody asks for */
	int64_t forced_ms; /* boot time of the last for a refused token */
	unsigned failures; /* in a row */
	bool for_a_day;	   /* it has failed the same way for so long */
	struct life life;
};

/* standing_set - text is copied; without memory there is none. */
void standing_set(struct standing *standing, enum account_state state,
    const char *text, const struct now *now);

/* standing_back_off - 5 s doubling to 15 min, a fifth of it random; or what
 * the provider says, up to an hour; -1: it says nothing. */
void standing_back_off(struct standing *standing, const char *text,
    int64_t retry_after_s, uint32_t random, const struct now *now);

struct plan_question {
	int64_t min_validity_s; /* capped at half the granted life */
	int64_t server_min_s;	/* a mail server's own rule: not capped */
	bool has_token;
	bool refused; /* by who asks */
	bool force;   /* an admin: renew it, whatever is left */
	bool in_flight;
	bool stopping;
};

/* What a question is answered with; valid during the call. */
struct account_answer {
	enum fault fault;
	const char *text;	   /* unless FAULT_NONE */
	int64_t retry_after_s;	   /* -1: not said */
	const struct entry *entry; /* FAULT_NONE: has the token */
	bool unsaved;		   /* ... and is in memory only */
};

enum plan_verdict {
	PLAN_SERVE,
	PLAN_SERVE_AND_RENEW,
	PLAN_WAIT, /* for the exchange in flight, or a new one */
	PLAN_REFUSE
};

/*
 * plan - usable is left >= min(max(min_validity, 60 s), half the granted
 * life), and the server's rule as far as a new token could keep it
 *
 * answer_out  out: for PLAN_REFUSE; its text is the standing's, or constant
 */
enum plan_verdict plan(const struct standing *standing,
    const struct plan_question *question, const struct now *now,
    struct account_answer *answer_out);

/* plan_refuse - as the standing alone says. */
struct account_answer plan_refuse(const struct standing *standing,
    const struct now *now);

extern const struct account_answer plan_refused; /* who refused the newest */

/* What an account is used for; unix seconds, and seconds. */
struct plan_use {
	int64_t asked_s;      /* for a token; 0: never */
	int64_t refreshed_s;  /* its grant */
	int64_t renew_idle_s; /* 0: an idle grant is left alone */
	int64_t server_min_s;
	bool has_grant; /* that could lapse */
};

/* plan_is_in_use - whether it was asked for in the last day. */
bool plan_is_in_use(int64_t asked_s, const struct now *now);

/* plan_is_due - whether its grant has been idle for renew_idle_s. */
bool plan_is_due(const struct plan_use *use, const struct now *now);

/* plan_renew_in_ms - until an exchange should start without being asked for;
 * -1: never. */
int64_t plan_renew_in_ms(const struct standing *standing,
    const struct plan_use *use, const struct now *now);

#endif
