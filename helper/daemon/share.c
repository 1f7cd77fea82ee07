/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Accounts as the fleet sees them, and what it tells of them.
 */
#include "daemon/share.h"

#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/import.h"
#include "daemon/outcome.h"

#define CLOCKS_AGREE_S 60

static struct fleet_base *base_of(void *ctx, const char *name)
{
	struct engine *engine = ctx;
	struct account *account = accounts_find(engine->accounts, name);

	if (account == NULL || !account->record.exists)
		return NULL;
	return &account->record.base;
}

/* One that is at rest need not wake. */
static enum fault copy_entry(void *ctx, const char *name,
    struct entry **entry_out)
{
	struct engine *engine = ctx;
	const struct account *account = accounts_find(engine->accounts, name);
	enum fault fault;
	struct why why;

	if (account == NULL)
		return FAULT_NOT_FOUND;
	if (account->record.entry != NULL)
		fault = entry_copy(account->record.entry, entry_out);
	else
		fault = keyring_load(engine->keyring, span_of(name), entry_out,
		    &why);
	if (fault == FAULT_NONE)
		(*entry_out)->fleet_put_s = clock_wall_s();
	return fault;
}

/* Or relays whose clocks differ would take each other's tokens for old ones,
 * and renew them in turn. */
static void by_our_clock(struct entry *entry, bool just_put)
{
	int64_t ahead_s = clock_wall_s() - entry->fleet_put_s;

	if (just_put && entry->fleet_put_s != 0 &&
	    llabs(ahead_s) > CLOCKS_AGREE_S &&
	    entry->refreshed_s + ahead_s >= 0) {
		entry->refreshed_s += ahead_s;
		entry->expires_s += ahead_s;
	}
	entry->fleet_put_s = 0;
}

static void each(void *ctx, fleet_each_fn *fn, struct fleet *fleet)
{
	const struct engine *engine = ctx;
	struct accounts_place *place = accounts_first(engine->accounts);
	struct account *account;

	while ((account = accounts_next(&place)) != NULL)
		if (account->record.exists && !account->record.in_memory)
			fn(fleet, account->name, &account->record.base);
}

static void forget(struct account *account)
{
	struct why why = { .err = 0, .text = "" };
	enum fault fault = account_forget(account, &why);

	if (fault == FAULT_NONE)
		log_event(LOG_LEVEL_NOTICE, "fleet",
		    "%s: it was forgotten on another relay, and is here, too",
		    account->name);
	else
		log_event(LOG_LEVEL_ERROR, "fleet",
		    "%s: it was forgotten on another relay, but is still here, "
		    "because %s",
		    account->name, why_text(&why, fault));
}

static void news(void *ctx, const struct fleet_news *told)
{
	struct engine *engine = ctx;
	struct account *account;

	if (told->text != NULL) {
		log_event(LOG_LEVEL_ERROR, "fleet",
		    "%s: the record that the relays share cannot be used here, "
		    "and stays there: %s",
		    told->account, told->text);
	} else if (told->entry == NULL) {
		account = accounts_find(engine->accounts, told->account);
		if (account != NULL)
			forget(account);
	} else if (accounts_make(engine->accounts, told->account, &account) !=
	    FAULT_NONE) {
		entry_free(told->entry);
	} else {
		by_our_clock(told->entry, told->just_put);
		account_share(account, told);
		log_event(LOG_LEVEL_INFO, "fleet",
		    "%s: the record of another relay is taken", account->name);
	}
}

static void is_put(void *ctx, const char *name)
{
	struct engine *engine = ctx;
	struct account *account = accounts_find(engine->accounts, name);

	if (account == NULL || account_entry(account) == NULL)
		return;
	record_save(&account->record);
	account_rest(account);
}

/* What the others have is newer than a seed.  Those that could not ask whose
 * turn it is need not wait any longer. */
static void in_step(void *ctx)
{
	struct engine *engine = ctx;
	struct accounts_place *place = accounts_first(engine->accounts);
	struct account *account;

	if (engine->seed != NULL)
		import_seed(engine, engine->seed);
	engine->seed = NULL;
	while ((account = accounts_next(&place)) != NULL) {
		if (account->standing.state != ACCOUNT_BACKOFF ||
		    account->standing.gate != GATE_OTHERS)
			continue;
		account->standing.gate_ms = account->standing.renew_ms =
		    clock_boot_ms();
		account_arm(account);
	}
}

static void say(void *ctx, bool bad, const char *text)
{
	(void)ctx;
	log_event(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "fleet", "%s",
	    text);
}

enum fault share_start(struct engine *engine, struct why *why)
{
	static const struct fleet_calls calls = {
		.now_ms = clock_boot_ms,
		.base = base_of,
		.entry = copy_entry,
		.each = each,
		.news = news,
		.is_put = is_put,
		.in_step = in_step,
		.say = say,
	};
	const struct fleet_options options = {
		.base = engine->base,
		.http = engine->http,
		.keyring = engine->keyring,
		.settings = &engine->config->fleet,
		.calls = &calls,
		.ctx = engine,
	};

	return fleet_new(&options, &engine->fleet, why);
}
