/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * life - how long an access token is good for, and when to renew it
 *
 * Pure rules; the times are arguments.  A token's life is kept twice: the
 * wall time of its end, and the boot time of its receipt with the life that
 * was granted.  It lives only while both say so, so neither a clock that is
 * set back nor a suspend makes an old token look young.
 */
#ifndef MAILTOKEN_DAEMON_LIFE_H
#define MAILTOKEN_DAEMON_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#define LIFE_MIN_VALIDITY_S   60
#define LIFE_RENEWALS_APART_S 60

struct life {
	int64_t expires_s;    /* unix seconds */
	int64_t granted_s;    /* 0: there is no token */
	int64_t refresh_in_s; /* the provider's advice, or 0 */
	int64_t received_boot_ms;
};

struct now {
	int64_t wall_s;
	int64_t boot_ms;
};

/* What a record says of its token. */
struct life_record {
	int64_t refreshed_s; /* unix seconds: its receipt */
	int64_t expires_s;   /* unix seconds */
	int64_t granted_s;
	int64_t refresh_in_s;
};

/* life_begin - of a token that has just come */
struct life life_begin(int64_t granted_s, int64_t refresh_in_s,
    const struct now *now);

/*
 * life_resume - of a token read from disk after a start: a receipt in the
 * future, or more life left than was granted, means it has none.
 */
struct life life_resume(const struct life_record *record,
    const struct now *now);

/* life_left_s - seconds left by the stricter clock; never negative. */
int64_t life_left_s(const struct life *life, const struct now *now);

/*
 * life_usable - whether it may be served: left >= min(max(min_validity, 60),
 * half the granted life), and >= server_min, a mail server's own rule, which
 * is not capped
 */
bool life_usable(const struct life *life, const struct now *now,
    int64_t min_validity_s, int64_t server_min_s);

/*
 * life_renew_in_ms - how long until it should be renewed ahead of its end: when
 * less than its margin is left (granted less refresh_in where that was said,
 * else half), or server_min.  0: now.
 */
int64_t life_renew_in_ms(const struct life *life, const struct now *now,
    int64_t server_min_s);

/* life_margin_s - that margin. */
int64_t life_margin_s(const struct life *life);

#endif
