/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * When an account is renewed without being asked, and the timer of that; and
 * for how long its record stays in memory.
 */
#include "daemon/account_impl.h"

#include <stdlib.h>
#include <sys/random.h>

static int64_t server_min_s(const struct account *account)
{
	const struct provider *provider = account->entry == NULL ?
	    NULL :
	    config_provider(account->engine->config, account->entry->provider);

	if (provider != NULL)
		return provider->min_validity_s;
	return account->entry != NULL ? account->entry->margin_s : 0;
}

bool renewal_is_in_use(const struct account *account, const struct now *now)
{
	/* Further in the future than that the clock was wrong then. */
	return account->asked_s > 0 &&
	    llabs(now->wall_s - account->asked_s) < ACCOUNT_ASKED_S;
}

/* When a grant that nobody uses is renewed, so that it does not lapse. */
static int64_t idle_in_ms(const struct account *account, const struct now *now)
{
	int64_t idle_s = account->engine->config->renew_idle_s;
	int64_t left_s = account->refreshed_s + idle_s - now->wall_s;

	if (idle_s == 0)
		return -1;
	/* Refreshed in the future: the clock was wrong then. */
	return left_s > 0 && left_s <= idle_s ? left_s * 1000 : 0;
}

/* When it would be renewed but for the last try; -1: never. */
static int64_t wanted_in_ms(const struct account *account,
    const struct now *now)
{
	bool in_use = renewal_is_in_use(account, now);

	if (!account->exists || account->trouble == TROUBLE_LOGIN ||
	    account->trouble == TROUBLE_ISSUER)
		return -1;
	if (account_is_unreadable(account))
		return 0; /* so that a cure shows */
	/* An application has no grant that could lapse. */
	if (!account->may_renew || (account->is_app && !in_use))
		return -1;
	if (account->trouble == TROUBLE_CONFIG ||
	    account->trouble == TROUBLE_DISK)
		return 0;
	return in_use ?
	    life_renew_in_ms(&account->life, now, server_min_s(account)) :
	    idle_in_ms(account, now);
}

/* Boot time before which the last try forbids another unasked one. */
static int64_t gate_ms(const struct account *account)
{
	if (account->trouble == TROUBLE_TRANSIENT ||
	    account->trouble == TROUBLE_DISK)
		return account->next_try_ms;
	if (account->trouble == TROUBLE_CONFIG ||
	    account->trouble == TROUBLE_RECORD)
		return account->last_try_ms + ACCOUNT_RETRY_S * 1000;
	return account->last_try_ms + LIFE_RENEWALS_APART_S * 1000;
}

/* Milliseconds until the next thing to do without being asked; -1: none. */
static int64_t next_in_ms(const struct account *account, const struct now *now)
{
	int64_t in_ms = wanted_in_ms(account, now);
	int64_t opens_ms = gate_ms(account);

	if (opens_ms < account->not_before_ms)
		opens_ms = account->not_before_ms;
	if (opens_ms < account->resend_ms)
		opens_ms = account->resend_ms;
	if (in_ms >= 0 && in_ms < opens_ms - now->boot_ms)
		in_ms = opens_ms - now->boot_ms;
	return in_ms;
}

void account_rest(struct account *account)
{
	struct now now = engine_now();

	if (account->is_app || account->unsaved ||
	    account->wish.place != SLOT_IDLE || account->waiters != NULL ||
	    renewal_is_in_use(account, &now))
		return;
	entry_free(account->entry);
	account->entry = NULL;
}

void renewal_set_timer(struct account *account, struct event **timer,
    event_callback_fn fn, int64_t in_ms)
{
	const struct timeval delay = { (time_t)(in_ms / 1000),
		(suseconds_t)(in_ms % 1000 * 1000) };

	if (*timer == NULL)
		*timer = evtimer_new(account->engine->base, fn, account);
	if (*timer != NULL)
		(void)evtimer_add(*timer, &delay);
}

static void wait_over(evutil_socket_t fd, short events, void *ctx)
{
	struct account *account = ctx;
	struct now now = engine_now();

	(void)fd;
	(void)events;
	/* It may have been mended; the renewal it is due for comes next. */
	if (account_is_unreadable(account))
		(void)account_entry(account);
	/* The account may have gone idle since, or the clock have moved. */
	if (next_in_ms(account, &now) == 0)
		exchange_want(account, false);
	else
		renewal_arm(account);
	account_tell(account);
}

void renewal_arm(struct account *account)
{
	struct now now = engine_now();
	int64_t in_ms;

	account_rest(account);
	if (account->timer != NULL)
		(void)evtimer_del(account->timer);
	if (account->engine->stopping || account->wish.place != SLOT_IDLE)
		return;
	in_ms = next_in_ms(account, &now);
	if (in_ms >= 0)
		renewal_set_timer(account, &account->timer, wait_over, in_ms);
}

/* A start has many to renew: each some time in half a life. */
void renewal_spread(struct account *account)
{
	int64_t margin_ms = account->entry->granted_s * 500;
	uint32_t random = 0; /* without randomness it is at once */

	(void)!getrandom(&random, sizeof(random), 0);
	account->not_before_ms = clock_boot_ms() +
	    (margin_ms > 0 ? random % margin_ms : 0);
}
