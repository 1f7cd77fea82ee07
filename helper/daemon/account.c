/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From the record and the configuration to a standing, the timer, and what
 * the world is told.
 */
#include "daemon/account.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>

#include "daemon/refused.h"

#define READ_RETRY_MS 5000

static void stored(void *ctx)
{
	account_tell(ctx);
}

enum fault account_new(struct engine *engine, const char *name,
    const struct provider *app, const char *subject,
    struct account **account_out)
{
	struct account *account = calloc(1, sizeof(*account));
	enum fault fault = FAULT_NONE;

	if (account == NULL)
		return FAULT_NOMEM;
	account->engine = engine;
	account->edition = engine->edition;
	account->name = strdup(name);
	account->subject = subject != NULL ? strdup(subject) : NULL;
	account->record = (struct record){ .engine = engine,
		.name = account->name,
		.in_memory = app != NULL,
		.exists = app != NULL,
		.stored = stored,
		.ctx = account };
	account->refresh = (struct refresh){ .record = &account->record,
		.life = &account->standing.life,
		.subject = account->subject,
		.ctx = account };
	account->standing = (struct standing){ .gate_ms = PLAN_LONG_AGO,
		.renew_ms = PLAN_LONG_AGO,
		.forced_ms = PLAN_LONG_AGO };
	if (account->name == NULL ||
	    (subject != NULL) != (account->subject != NULL))
		fault = FAULT_NOMEM;
	else if (app != NULL)
		fault = grant_app(name, app, &account->record.entry);
	if (fault != FAULT_NONE) {
		account_free(account);
		return fault;
	}
	if (app != NULL) {
		account_resume(account);
		account->told_state = account->standing.state;
	}
	*account_out = account;
	return FAULT_NONE;
}

void account_free(struct account *account)
{
	if (account == NULL)
		return;
	refresh_cancel(&account->refresh);
	if (account->timer != NULL)
		event_free(account->timer);
	record_free(&account->record);
	provider_release(account->provider);
	free(account->refused);
	free(account->standing.text);
	free(account->same);
	free(account->subject);
	free(account->name);
	free(account);
}

/* Where the record and the configuration leave it, whatever was tried. */
static void judge(struct account *account)
{
	const struct entry *entry = account->record.entry;
	struct standing *standing = &account->standing;
	struct why why = { .err = 0, .text = "" };
	struct now now = clock_now();
	int64_t spent_s = entry->not_before_s - now.wall_s;
	enum fault fault = account_ready(account, &why);

	if (fault == FAULT_CONFIG_ERROR) {
		standing_set(standing, ACCOUNT_CONFIG_ERROR, why.text, &now);
		standing->gate_ms = PLAN_NEVER;
	} else if (entry->refresh_token == NULL && !account->record.in_memory) {
		standing_set(standing, ACCOUNT_LOGIN_NEEDED,
		    "there is no refresh token: sign in again with 'mailtoken "
		    "login'",
		    &now);
		standing->gate_ms = PLAN_NEVER;
	} else if (spent_s > 0 && spent_s <= PLAN_RETRY_AFTER_MAX_S) {
		/* Maybe by an earlier helper; if it is longer than that, the
		 * clock was wrong then. */
		standing_set(standing, ACCOUNT_BACKOFF, entry->text, &now);
		standing->gate = GATE_SPENT;
		standing->gate_ms = now.boot_ms + spent_s * 1000;
	} else if (entry->state != ENTRY_ACTIVE) {
		standing_set(standing,
		    entry->state == ENTRY_LOGIN_NEEDED ? ACCOUNT_LOGIN_NEEDED :
							 ACCOUNT_CONFIG_ERROR,
		    entry->text, &now);
	} else {
		standing_set(standing, ACCOUNT_ACTIVE, NULL, &now);
	}
}

void account_resume(struct account *account)
{
	const struct entry *entry = account->record.entry;
	struct life *life = &account->standing.life;
	struct now now = clock_now();

	*life = (struct life){ .received_s = entry->refreshed_s,
		.expires_s = entry->expires_s,
		.granted_s = entry->granted_s,
		.refresh_in_s = entry->refresh_in_s };
	life_begin(life, &now);
	account->refreshed_s = entry->refreshed_s;
	account->grant_expires_s = entry->grant_expires_s;
	account->ready = 0;
	if (account->record.asked_s == 0)
		account->record.asked_s = entry->asked_s;
	free(account->same);
	account->same = NULL;
	if (entry->failing != NULL && entry->failing_s <= now.wall_s)
		account->same = strdup(entry->failing);
	account->same_since_s = entry->failing_s;
	account->same_since_ms = now.boot_ms -
	    (now.wall_s - entry->failing_s) * 1000;
	refresh_know(&account->refresh);
	refused_resume(&account->refused, entry, now.wall_s);
	judge(account);
	if (account->same != NULL && account->standing.state == ACCOUNT_BACKOFF)
		account->standing.since_s = account->same_since_s;
}

/* It may be another that somebody put there while it was at rest. */
static bool is_known(const struct account *account)
{
	const struct entry *entry = account->record.entry;

	return entry->refresh_token != NULL &&
	    entry->refreshed_s == account->refreshed_s;
}

static enum fault wake(struct account *account, struct why *why)
{
	struct standing *standing = &account->standing;
	bool was_unread = account->record.unread || !account->record.exists;
	struct now now = clock_now();
	enum fault fault;

	if (account->record.entry != NULL)
		return FAULT_NONE;
	fault = record_wake(&account->record, why);
	if (fault == FAULT_NOT_FOUND) {
		standing_set(standing, ACCOUNT_EMPTY, NULL, &now);
	} else if (fault == FAULT_IO || fault == FAULT_NOMEM) {
		standing_set(standing, ACCOUNT_BACKOFF, why->text, &now);
		standing->gate_ms = now.boot_ms + READ_RETRY_MS;
		standing->renew_ms = now.boot_ms + PLAN_APART_MS;
	} else if (fault != FAULT_NONE) {
		standing_set(standing, ACCOUNT_CONFIG_ERROR, why->text, &now);
		standing->renew_ms = now.boot_ms + PLAN_RETRY_MS;
	} else if (was_unread || !is_known(account)) {
		account_resume(account);
	}
	return fault;
}

enum fault account_read(struct account *account, struct why *why)
{
	switch ((int)wake(account, why)) {
	case FAULT_NONE: return FAULT_NONE;
	case FAULT_NOT_FOUND: return FAULT_UNKNOWN_ACCOUNT;
	case FAULT_NOMEM: return FAULT_INTERNAL;
	case FAULT_IO: return FAULT_TRY_LATER;
	default: return FAULT_CONFIG_ERROR;
	}
}

enum fault account_ready(struct account *account, struct why *why)
{
	enum fault fault = account_read(account, why);

	if (fault != FAULT_NONE || account->ready == account->engine->edition)
		return fault;
	provider_release(account->provider);
	account->provider = NULL;
	fault = grant_provider(account->engine->config, account->record.entry,
	    &account->provider, why);
	account->ready = fault == FAULT_NONE ? account->engine->edition : 0;
	return fault;
}

const struct entry *account_entry(struct account *account)
{
	struct why why = { .err = 0, .text = "" };

	(void)!wake(account, &why);
	return account->record.entry;
}

static struct plan_use use_of(const struct account *account)
{
	const struct config *config = account->engine->config;
	const struct entry *entry = account->record.entry;
	const struct provider *provider = entry != NULL ?
	    config_provider(config, entry->provider) :
	    NULL;
	struct plan_use use = {
		.asked_s = account->record.asked_s,
		.refreshed_s = account->refreshed_s,
		.renew_idle_s = config->renew_idle_s,
		.has_grant = !account->record.in_memory,
	};

	if (provider != NULL)
		use.server_min_s = provider->min_validity_s;
	else if (entry != NULL)
		use.server_min_s = entry->margin_s;
	return use;
}

static bool is_in_use(const struct account *account)
{
	struct now now = clock_now();

	return plan_is_in_use(account->record.asked_s, &now);
}

bool account_is_due(const struct account *account)
{
	const struct plan_use use = use_of(account);
	struct now now = clock_now();

	return account->record.exists && !account->record.unread &&
	    account->standing.state != ACCOUNT_LOGIN_NEEDED &&
	    plan_is_due(&use, &now);
}

void account_rest(struct account *account)
{
	if (account->refresh.place == REFRESH_IDLE &&
	    account->waiters == NULL && !is_in_use(account))
		record_rest(&account->record);
	if (account->record.entry == NULL)
		account->ready = 0;
}

static int64_t next_in_ms(const struct account *account)
{
	const struct plan_use use = use_of(account);
	struct now now = clock_now();
	int64_t in_ms = account->standing.renew_ms - now.boot_ms;

	if (!account->record.unread)
		return plan_renew_in_ms(&account->standing, &use, &now);
	return in_ms > 0 ? in_ms : 0; /* to look whether it was mended */
}

static void wait_over(evutil_socket_t fd, short events, void *ctx)
{
	struct account *account = ctx;

	(void)fd;
	(void)events;
	/* Mended: the renewal it is due for comes next. */
	if (account->record.unread)
		(void)account_entry(account);
	/* The account may have gone idle since, or the clock have moved. */
	if (next_in_ms(account) == 0)
		refresh_want(&account->refresh, false);
	else
		account_arm(account);
	account_tell(account);
}

void account_arm(struct account *account)
{
	struct timeval delay;
	int64_t in_ms;

	account_rest(account);
	account->idle = !is_in_use(account);
	if (account->timer != NULL)
		(void)evtimer_del(account->timer);
	if (account->engine->stopping || account->refresh.place != REFRESH_IDLE)
		return;
	in_ms = next_in_ms(account);
	if (in_ms < 0)
		return;
	delay = clock_span(in_ms);
	if (account->timer == NULL)
		account->timer = evtimer_new(account->engine->base, wait_over,
		    account);
	if (account->timer != NULL)
		(void)evtimer_add(account->timer, &delay);
}

void account_leave(struct account *account)
{
	int64_t in_ms = next_in_ms(account);
	int64_t spread_ms = account->standing.life.granted_s * 250;
	uint32_t random = 0; /* without randomness all are as late */

	if (account->idle || in_ms < 0)
		return;
	(void)!getrandom(&random, sizeof(random), 0);
	account->standing.renew_ms = clock_boot_ms() + PLAN_APART_MS + in_ms +
	    (spread_ms > 0 ? random % spread_ms : 0);
	account_arm(account);
}

enum fault account_load(struct account *account, bool spread)
{
	struct standing *standing = &account->standing;
	struct why why = { .err = 0, .text = "" };
	uint32_t random = 0; /* without randomness it is at once */
	int64_t margin_ms;
	enum fault fault;

	fault = wake(account, &why);
	if (fault == FAULT_NOT_FOUND || fault == FAULT_NOMEM)
		return fault;
	if (fault == FAULT_NONE) {
		/* What its record says is no news. */
		if (standing->gate_ms != PLAN_NEVER)
			account->told_state = standing->state;
	}
	/* A start has many to renew: each some time in half a life. */
	if (fault == FAULT_NONE && spread) {
		(void)!getrandom(&random, sizeof(random), 0);
		margin_ms = account->record.entry->granted_s * 500;
		standing->renew_ms = clock_boot_ms() +
		    (margin_ms > 0 ? random % margin_ms : 0);
	}
	account_arm(account);
	account_tell(account);
	return FAULT_NONE;
}

/* What the application gets may be another token now. */
static void look_at_application(struct account *account)
{
	struct record *record = &account->record;
	struct provider *provider = NULL;
	struct entry *entry = NULL;
	struct why why;

	if (grant_provider(account->engine->config, record->entry, &provider,
		&why) == FAULT_NONE &&
	    !grant_is_of(record->entry, provider) &&
	    grant_app(account->name, provider, &entry) == FAULT_NONE) {
		entry_free(record->entry);
		record->entry = entry;
		account_resume(account);
	}
	provider_release(provider);
}

void account_reconsider(struct account *account)
{
	struct standing *standing = &account->standing;
	bool changed = account->edition != account->engine->edition;
	struct why why;
	enum fault fault;

	/* It ends with the profile that it began with. */
	if (changed && account->refresh.place == REFRESH_RUNS)
		return;
	account->edition = account->engine->edition;
	if (changed && account->record.in_memory)
		look_at_application(account);
	if (changed && account_entry(account) != NULL) {
		fault = account_ready(account, &why);
		/* A new profile may be what it waits for. */
		if (fault == FAULT_CONFIG_ERROR ||
		    standing->gate_ms == PLAN_NEVER)
			judge(account);
		else if (standing->gate <= GATE_OTHERS &&
		    (standing->state == ACCOUNT_BACKOFF ||
			standing->state == ACCOUNT_CONFIG_ERROR))
			standing->gate_ms = standing->renew_ms =
			    clock_boot_ms();
	}
	account_arm(account);
	account_tell(account);
}

enum fault account_rekey(struct account *account, struct why *why)
{
	bool was_at_rest = account->record.entry == NULL;
	enum fault fault = record_rekey(&account->record, why);

	return fault == FAULT_NONE && was_at_rest ?
	    account_load(account, false) :
	    fault;
}

/* What backs off for a day is hardly temporary; one in flight is shown so,
 * which is no news. */
enum account_state account_shown(const struct account *account)
{
	if (account->refresh.place == REFRESH_RUNS)
		return ACCOUNT_REFRESHING;
	return account->standing.for_a_day ? ACCOUNT_CONFIG_ERROR :
					     account->standing.state;
}

const char *account_state_word(enum account_state state)
{
	static const char *const words[] = {
		[ACCOUNT_EMPTY] = "empty",
		[ACCOUNT_ACTIVE] = "active",
		[ACCOUNT_REFRESHING] = "refreshing",
		[ACCOUNT_BACKOFF] = "backoff",
		[ACCOUNT_LOGIN_NEEDED] = "login-needed",
		[ACCOUNT_CONFIG_ERROR] = "config-error",
	};

	return words[state];
}

void account_tell(struct account *account)
{
	enum account_state state = account_shown(account);
	bool unsaved = account->record.unsaved;
	struct log_line line;

	if (state == ACCOUNT_REFRESHING ||
	    (state == account->told_state && unsaved == account->told_unsaved))
		return;
	log_start(&line,
	    state == ACCOUNT_ACTIVE || state == ACCOUNT_EMPTY ?
		LOG_LEVEL_NOTICE :
		LOG_LEVEL_WARNING,
	    "state");
	log_str(&line, "account", account->name);
	log_str(&line, "from", account_state_word(account->told_state));
	log_str(&line, "to", account_state_word(state));
	log_str(&line, "unsaved", unsaved ? "yes" : NULL);
	log_plain(&line, "text", account->standing.text);
	log_end(&line);
	account->told_state = state;
	account->told_unsaved = unsaved;
	if (account->engine->watchers != NULL)
		account->engine->changed(account->engine, account);
}
