/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The record of an account: loading, resting, replacing, forgetting,
 * and what the world is told of it.
 */
#include "daemon/account_impl.h"

#include <stdlib.h>

#include "daemon/grant.h"
#include "daemon/watch.h"

enum fault account_new(struct engine *engine, const char *name,
    struct account **account_out)
{
	struct account *account = calloc(1, sizeof(*account));

	if (account == NULL)
		return FAULT_NOMEM;
	account->name = strdup(name);
	if (account->name == NULL) {
		free(account);
		return FAULT_NOMEM;
	}
	account->engine = engine;
	account->edition = engine->edition;
	account->last_try_ms = ACCOUNT_NEVER_MS;
	account->forced_ms = ACCOUNT_NEVER_MS;
	account->resend_ms = ACCOUNT_NEVER_MS;
	account->told_state = ACCOUNT_EMPTY;
	*account_out = account;
	return FAULT_NONE;
}

void account_free(struct account *account)
{
	struct account_answer answer = { .fault = FAULT_INTERNAL,
		.text = fault_text(FAULT_INTERNAL) };

	if (account == NULL)
		return;
	exchange_cancel(account);
	asking_answer_all(account, &answer);
	if (account->timer != NULL)
		event_free(account->timer);
	if (account->save_timer != NULL)
		event_free(account->save_timer);
	entry_free(account->entry);
	refusals_free(account);
	free(account->text);
	free(account->said);
	free(account->same);
	free(account->subject);
	free(account->name);
	free(account);
}

const char *account_name(const struct account *account)
{
	return account->name;
}

bool account_exists(const struct account *account)
{
	return account->exists;
}

bool account_is_unsaved(const struct account *account)
{
	return account->unsaved;
}

/* The parts of the record that are needed while it is at rest. */
static void note_record(struct account *account)
{
	const struct entry *entry = account->entry;

	account->exists = true;
	account->may_renew = entry->refresh_token != NULL;
	account->refreshed_s = entry->refreshed_s;
	if (entry->token_host != NULL && account->wish.place == SLOT_IDLE)
		account->wish.share = slots_share(account->engine->slots,
		    entry->token_host);
	if (account->asked_s == 0)
		account->asked_s = entry->asked_s;
}

void account_trouble(struct account *account, enum trouble trouble,
    const char *text)
{
	free(account->text);
	account->text = text != NULL ? strdup(text) : NULL;
	if (trouble != account->trouble)
		account->since_s = clock_wall_s();
	account->trouble = trouble;
	if (trouble != TROUBLE_TRANSIENT) {
		free(account->same);
		account->same = NULL;
		account->for_a_day = false;
	}
	if (trouble == TROUBLE_NONE)
		account->failures = 0;
}

/* An answer was lost, maybe by an earlier helper. */
static void resume_wait(struct account *account)
{
	const struct entry *entry = account->entry;
	struct now now = engine_now();
	int64_t left_s = entry->not_before_s - now.wall_s;

	if (left_s <= 0 || left_s > ACCOUNT_RETRY_AFTER_MAX_S)
		return; /* over, or the clock was wrong then */
	account->resend_ms = account->next_try_ms = now.boot_ms + left_s * 1000;
	account_trouble(account, TROUBLE_TRANSIENT, entry->text);
}

static void resume_state(struct account *account)
{
	const struct entry *entry = account->entry;

	if (entry->state == ENTRY_LOGIN_NEEDED)
		account_trouble(account, TROUBLE_LOGIN, entry->text);
	if (entry->state == ENTRY_CONFIG_ERROR)
		account_trouble(account, TROUBLE_CONFIG, entry->text);
	resume_wait(account);
}

static struct life life_of(const struct entry *entry)
{
	const struct life_record record = {
		.refreshed_s = entry->refreshed_s,
		.expires_s = entry->expires_s,
		.granted_s = entry->granted_s,
		.refresh_in_s = entry->refresh_in_s,
	};
	struct now now = engine_now();

	return life_resume(&record, &now);
}

/* What the record says of the token and of the last exchange. */
static void resume(struct account *account)
{
	account->life = life_of(account->entry);
	refusals_resume(account);
	resume_state(account);
}

enum fault account_wake(struct account *account, struct why *why)
{
	enum fault fault;

	if (account->entry != NULL)
		return FAULT_NONE;
	fault = keyring_load(account->engine->keyring, span_of(account->name),
	    &account->entry, why);
	account->exists = fault != FAULT_NOT_FOUND;
	if (fault == FAULT_NOT_FOUND)
		return fault;
	if (fault != FAULT_NONE) {
		account->last_try_ms = clock_boot_ms();
		account_trouble(account,
		    fault == FAULT_IO || fault == FAULT_NOMEM ? TROUBLE_UNREAD :
								TROUBLE_RECORD,
		    why->text);
		return fault;
	}
	if (account_is_unreadable(account)) {
		account_trouble(account, TROUBLE_NONE, NULL);
		resume(account); /* it was mended */
	}
	note_record(account);
	return FAULT_NONE;
}

/* The caller's share of the profile that may renew its record. */
enum fault account_provider(const struct account *account,
    struct provider **provider_out, struct why *why)
{
	if (account->is_app)
		return account_app_provider(account, provider_out, why);
	return grant_provider(account->engine->config, account->entry,
	    provider_out, why);
}

/* Does the configuration still name what the grant was issued by? */
static void check_issuer(struct account *account)
{
	struct provider *provider = NULL;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	fault = account_provider(account, &provider, &why);
	provider_release(provider);
	if (fault == FAULT_CONFIG_ERROR) {
		account_trouble(account, TROUBLE_ISSUER, why.text);
	} else if (account->trouble == TROUBLE_ISSUER) {
		account_trouble(account, TROUBLE_NONE, NULL);
		resume_state(account);
	}
}

enum fault account_load(struct account *account, bool spread)
{
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	fault = account_wake(account, &why);
	if (fault == FAULT_NOT_FOUND || fault == FAULT_NOMEM)
		return fault;
	if (fault == FAULT_NONE) {
		resume(account);
		check_issuer(account);
		if (spread)
			renewal_spread(account);
	}
	if (!account_is_unreadable(account) &&
	    account->trouble != TROUBLE_ISSUER)
		account->told_state = account_state(account);
	renewal_arm(account);
	account_tell(account);
	return FAULT_NONE;
}

enum fault account_read(struct account *account, struct why *why)
{
	switch ((int)account_wake(account, why)) {
	case FAULT_NONE: return FAULT_NONE;
	case FAULT_NOT_FOUND: return FAULT_UNKNOWN_ACCOUNT;
	case FAULT_NOMEM: return FAULT_INTERNAL;
	case FAULT_IO: return FAULT_TRY_LATER;
	default: return FAULT_CONFIG_ERROR;
	}
}

const struct entry *account_entry(struct account *account)
{
	struct why why;

	return account_wake(account, &why) == FAULT_NONE ? account->entry :
							   NULL;
}

enum account_state account_state(const struct account *account)
{
	if (!account->exists)
		return ACCOUNT_EMPTY;
	if (account_in_flight(account))
		return ACCOUNT_REFRESHING;
	switch (account->trouble) {
	case TROUBLE_NONE:
		return account->may_renew ? ACCOUNT_ACTIVE :
					    ACCOUNT_LOGIN_NEEDED;
	case TROUBLE_DISK:
	case TROUBLE_UNREAD: return ACCOUNT_BACKOFF;
	case TROUBLE_TRANSIENT:
		return account->for_a_day ? ACCOUNT_CONFIG_ERROR :
					    ACCOUNT_BACKOFF;
	case TROUBLE_LOGIN: return ACCOUNT_LOGIN_NEEDED;
	case TROUBLE_CONFIG:
	case TROUBLE_ISSUER:
	case TROUBLE_RECORD: return ACCOUNT_CONFIG_ERROR;
	}
	return ACCOUNT_CONFIG_ERROR;
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

/* A refresh that comes and goes is no news; its result is. */
void account_tell(struct account *account)
{
	enum account_state state = account_state(account);
	struct log_line line;

	if (state == ACCOUNT_REFRESHING ||
	    (state == account->told_state &&
		account->unsaved == account->told_unsaved))
		return;
	log_start(&line,
	    state == ACCOUNT_ACTIVE || state == ACCOUNT_EMPTY ?
		LOG_LEVEL_NOTICE :
		LOG_LEVEL_WARNING,
	    "state");
	log_str(&line, "account", account->name);
	log_str(&line, "from", account_state_word(account->told_state));
	log_str(&line, "to", account_state_word(state));
	log_str(&line, "unsaved", account->unsaved ? "yes" : NULL);
	log_plain(&line, "text", account->text);
	log_end(&line);
	account->told_state = state;
	account->told_unsaved = account->unsaved;
	watch_tell(account->engine->watchers, account);
}

enum fault account_adopt(struct account *account, struct entry *entry,
    struct why *why)
{
	exchange_cancel(account);
	refusals_free(account);
	entry_free(account->entry);
	account->entry = entry;
	account->life = life_of(entry);
	refusals_resume(account);
	account->asked_s = clock_wall_s();
	account->not_before_ms = 0;
	note_record(account);
	account_trouble(account, TROUBLE_NONE, NULL);
	account->resend_ms = ACCOUNT_NEVER_MS;
	resume_wait(account);
	account_save(account, NULL);
	asking_look_again(account);
	renewal_arm(account);
	account_tell(account);
	if (!account->unsaved)
		return FAULT_NONE;
	why_set(why, 0,
	    "the keyring could not be written; the sign-in is in memory and "
	    "storing it is tried again");
	return FAULT_IO;
}

enum fault account_forget(struct account *account, struct why *why)
{
	struct account_answer answer = { .fault = FAULT_UNKNOWN_ACCOUNT,
		.text = fault_text(FAULT_UNKNOWN_ACCOUNT) };
	enum fault fault;

	fault = keyring_erase(account->engine->keyring, span_of(account->name),
	    why);
	/* It never reached the disk, or somebody deleted it there. */
	if (fault == FAULT_NOT_FOUND && account->exists)
		fault = FAULT_NONE;
	if (fault != FAULT_NONE)
		return fault;
	exchange_cancel(account);
	refusals_free(account);
	entry_free(account->entry);
	account->entry = NULL;
	account->exists = false;
	account->unsaved = false;
	account->may_renew = false;
	account->life = (struct life){ .granted_s = 0 };
	account_trouble(account, TROUBLE_NONE, NULL);
	if (account->save_timer != NULL)
		(void)evtimer_del(account->save_timer);
	renewal_arm(account);
	asking_answer_all(account, &answer);
	account_tell(account);
	return FAULT_NONE;
}

void account_drop_token(struct account *account)
{
	secret_free(account->entry->access_token);
	account->entry->access_token = NULL;
	account->life = (struct life){ .granted_s = 0 };
}

void account_revoked(struct account *account)
{
	static const char text[] = "its grant was ended: sign in again";
	const struct account_answer answer = { .fault = FAULT_LOGIN_NEEDED,
		.text = text,
		.retry_after_s = -1 };
	struct why why;

	if (account_wake(account, &why) != FAULT_NONE)
		return;
	exchange_cancel(account);
	account_drop_token(account);
	account->entry->state = ENTRY_LOGIN_NEEDED;
	(void)!entry_set(&account->entry->text, span_of(text));
	account->last_try_ms = clock_boot_ms();
	account_trouble(account, TROUBLE_LOGIN, text);
	account_save(account, NULL);
	asking_answer_all(account, &answer);
	renewal_arm(account);
	account_tell(account);
}

bool account_is_due(struct account *account)
{
	const struct config *config = account->engine->config;
	int64_t idle_s = clock_wall_s() - account->refreshed_s;

	return account->exists && account->may_renew &&
	    account->trouble != TROUBLE_LOGIN && config->renew_idle_s > 0 &&
	    (idle_s >= config->renew_idle_s || idle_s < 0);
}

void account_reconsider(struct account *account)
{
	bool config_changed = account->edition != account->engine->edition;

	/* It ends with the profile that it began with. */
	if (config_changed && account_in_flight(account))
		return;
	account->edition = account->engine->edition;
	if (config_changed && account->is_app)
		account_app_changed(account);
	else if (config_changed && account_entry(account) != NULL)
		check_issuer(account);
	if (config_changed && account->trouble == TROUBLE_CONFIG) {
		account->last_try_ms = ACCOUNT_NEVER_MS;
		account->not_before_ms = 0;
	}
	if (config_changed && !account->told_to_wait) {
		account->next_try_ms = clock_boot_ms();
		if (account->next_try_ms < account->resend_ms)
			account->next_try_ms = account->resend_ms;
	}
	renewal_arm(account);
	account_tell(account);
}

void account_keep_up(struct account *account)
{
	if (account->edition != account->engine->edition)
		account_reconsider(account);
}

void account_describe(struct account *account, struct account_view *view_out)
{
	struct account_view view = { .account = account->name };
	struct now now = engine_now();
	const struct entry *entry;

	account_keep_up(account);
	entry = account_entry(account);
	view.state = account_state(account);
	view.unsaved = account->unsaved;
	view.text = account_said(account);
	if (entry != NULL) {
		view.account = entry->account;
		view.provider = entry->provider;
		view.servers = entry->servers;
		view.refreshed_s = entry->refreshed_s;
		view.untried = entry->refreshed_s == 0 && entry->flow != NULL &&
		    strcmp(entry->flow, GRANT_IMPORT_FLOW) == 0;
		view.grant_expires_s = entry->grant_expires_s;
		view.expires_s = now.wall_s + life_left_s(&account->life, &now);
	}
	if (account->trouble == TROUBLE_TRANSIENT ||
	    account->trouble == TROUBLE_DISK)
		view.next_try_s = now.wall_s +
		    (account->next_try_ms - now.boot_ms) / 1000;
	*view_out = view;
}
