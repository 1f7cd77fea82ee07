/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each changes the standing first, then tells who waits, then the world.
 */
#include "daemon/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "daemon/asking.h"
#include "daemon/refused.h"

#define SAME_MAX_MS	(24 * 3600 * INT64_C(1000))
#define SAME_KEEP_MS	(3600 * INT64_C(1000))
#define LOCAL_RETRY_S	60 /* of an application's files */
#define SPENT_MS	5000
#define ROOM_RETRY_MS	1000
#define ROOM_ASKED_MS	4000 /* ... unasked, where a mail waits */
#define ROOM_ASKED_S	600
#define ROOM_IDLE_MS	60000
#define OTHERS_ASKED_MS 1000
#define OTHERS_IDLE_MS	30000

static enum fault refuse_all(struct account *account)
{
	struct now now = clock_now();
	struct account_answer answer = plan_refuse(&account->standing, &now);

	asking_answer(account, &answer, false);
	return answer.fault;
}

/*
 * What fails the same way for a day is hardly temporary.  After an hour the
 * record says so, too: a helper that is restarted each night must come to a
 * day as well.  Whether the record is another now.
 */
static bool note_answer(struct account *account,
    const struct flow_failure *failure)
{
	struct entry *entry = account->record.entry;
	int64_t lasted_ms, now_ms = clock_boot_ms();
	const char *kept;
	char answer[96];

	(void)snprintf(answer, sizeof(answer), "%ld %s", failure->status,
	    failure->status != 0 ? failure->error : "");
	if (account->same == NULL || strcmp(account->same, answer) != 0) {
		free(account->same);
		account->same = strdup(answer);
		account->same_since_ms = now_ms;
		account->same_since_s = clock_wall_s();
	}
	lasted_ms = now_ms - account->same_since_ms;
	account->standing.for_a_day = failure->status != 0 &&
	    lasted_ms >= SAME_MAX_MS;
	if (account->same_since_s < account->standing.since_s)
		account->standing.since_s = account->same_since_s;
	kept = lasted_ms >= SAME_KEEP_MS ? account->same : NULL;
	if (kept == NULL && entry->failing == NULL)
		return false;
	if (kept != NULL && entry->failing != NULL &&
	    strcmp(kept, entry->failing) == 0)
		return false;
	entry->failing_s = kept != NULL ? account->same_since_s : 0;
	return string_set(&entry->failing, span_of(kept)) == FAULT_NONE;
}

/* It fails in another way. */
static void forget_answer(struct account *account)
{
	const struct span none = { NULL, 0 };

	free(account->same);
	account->same = NULL;
	(void)!string_set(&account->record.entry->failing, none);
	account->record.entry->failing_s = 0;
}

static void back_off(struct account *account, const char *text,
    int64_t retry_after_s)
{
	struct now now = clock_now();
	uint32_t random = 0; /* without randomness it is the whole delay */

	(void)!getrandom(&random, sizeof(random), 0);
	standing_back_off(&account->standing, text, retry_after_s, random,
	    &now);
}

/*
 * The provider may have acted on a request whose answer was lost: its refresh
 * token is not sent again before the gate opens, whatever is reloaded until
 * then and whoever asks; nor by the next helper.
 */
static void note_spent(struct account *account)
{
	struct standing *standing = &account->standing;

	standing->gate = GATE_SPENT;
	account->record.entry->not_before_s = clock_wall_s() +
	    (standing->gate_ms - clock_boot_ms() + 999) / 1000;
	record_note(&account->record, standing->text);
}

static void lose_answer(struct account *account, const char *text)
{
	struct now now = clock_now();

	standing_set(&account->standing, ACCOUNT_BACKOFF, text, &now);
	account->standing.gate_ms = now.boot_ms + SPENT_MS;
	note_spent(account);
}

/* Until the gate opens in an hour, or somebody does something about it. */
static void stand_still(struct account *account, enum account_state state,
    const char *text)
{
	struct now now = clock_now();

	standing_set(&account->standing, state, text, &now);
	account->standing.gate_ms = now.boot_ms + PLAN_RETRY_MS;
}

static void note_state(struct account *account, enum entry_state state)
{
	struct entry *entry = account->record.entry;

	if (account->record.in_memory || entry->state == state)
		return;
	entry->state = state;
	/* Of a configuration only this one is known. */
	if (state == ENTRY_LOGIN_NEEDED)
		record_changed(&account->record, false);
	record_note(&account->record, account->standing.text);
}

static void lose(struct account *account, const struct refresh_event *event)
{
	const struct flow_failure *failure = event->failure;
	char text[TEXT_MAX_BYTES];
	bool changed;

	if (failure->class != ADVICE_TRANSIENT)
		forget_answer(account);
	if (failure->class == ADVICE_LOGIN_NEEDED) {
		stand_still(account, ACCOUNT_LOGIN_NEEDED, failure->text);
		note_state(account, ENTRY_LOGIN_NEEDED);
	} else if (failure->class == ADVICE_TRANSIENT) {
		(void)snprintf(text, sizeof(text), "%s%s", failure->text,
		    event->may_be_spent ?
			"; its refresh token may be spent, so it is not sent "
			"again before the next try" :
			"");
		back_off(account, text, failure->retry_after_s);
		changed = note_answer(account, failure);
		if (event->may_be_spent)
			note_spent(account);
		else if (changed)
			record_note(&account->record, text);
	} else {
		stand_still(account, ACCOUNT_CONFIG_ERROR, failure->text);
		if (failure->class == ADVICE_CONFIG)
			note_state(account, ENTRY_CONFIG_ERROR);
	}
}

/* Looked for again soon where somebody asks: a mail waits for it. */
static void lack_room(struct account *account, const char *text)
{
	struct standing *standing = &account->standing;
	struct now now = clock_now();
	bool asked = llabs(now.wall_s - account->record.asked_s) < ROOM_ASKED_S;

	if (standing->text == NULL || strcmp(standing->text, text) != 0)
		log_event(LOG_LEVEL_ERROR, "no-room", "%s: %s", account->name,
		    text);
	standing_set(standing, ACCOUNT_BACKOFF, text, &now);
	standing->gate_ms = now.boot_ms + ROOM_RETRY_MS;
	standing->renew_ms = now.boot_ms +
	    (asked ? ROOM_ASKED_MS : ROOM_IDLE_MS);
}

/*
 * Who asks for a token has it tried again, and in the end it is the others'
 * record that comes.  While a token lives nothing is wrong: each renewal has
 * one relay that does it, and others that do not.
 */
static enum fault wait_for_others(struct account *account, const char *text)
{
	const struct account_answer answer = { .fault = FAULT_TRY_LATER,
		.text = text,
		.retry_after_s = 1 };
	struct standing *standing = &account->standing;
	struct now now = clock_now();

	if (standing->state == ACCOUNT_ACTIVE &&
	    life_left_s(&standing->life, &now) >= PLAN_LEAST_S) {
		standing->renew_ms = now.boot_ms + OTHERS_IDLE_MS;
		asking_answer(account, &answer, false);
		return FAULT_TRY_LATER;
	}
	standing_set(standing, ACCOUNT_BACKOFF, text, &now);
	standing->gate = GATE_OTHERS;
	standing->gate_ms = now.boot_ms + OTHERS_ASKED_MS;
	standing->renew_ms = now.boot_ms + OTHERS_IDLE_MS;
	return refuse_all(account);
}

/* Nothing was sent, and a file may be mended at any moment. */
static void not_started(struct account *account,
    const struct refresh_event *event)
{
	if (account->record.entry == NULL)
		return; /* it could not be read: that is its standing */
	if (event->fault != FAULT_CONFIG_ERROR) {
		back_off(account, event->text, -1);
		return;
	}
	stand_still(account, ACCOUNT_CONFIG_ERROR, event->text);
	if (account->record.in_memory)
		account->standing.gate_ms = clock_boot_ms() +
		    LOCAL_RETRY_S * INT64_C(1000);
}

enum fault outcome_happened(void *ctx, const struct refresh_event *event)
{
	struct account *account = ctx;
	struct why why;

	switch (event->kind) {
	case REFRESH_BEGINS:
		asking_begins(account);
		return account_read(account, &why);
	case REFRESH_OVER: account_reconsider(account); return FAULT_NONE;
	case REFRESH_RENEWED:
		account_resume(account);
		account->standing.renew_ms = clock_boot_ms() + PLAN_APART_MS;
		asking_answer(account, NULL, true);
		return FAULT_NONE;
	case REFRESH_FAILED: lose(account, event); break;
	case REFRESH_NO_ROOM: lack_room(account, event->text); break;
	case REFRESH_HELD: return wait_for_others(account, event->text);
	case REFRESH_UNSTARTED: not_started(account, event); break;
	}
	return refuse_all(account);
}

void account_rejected(struct account *account, struct span serial,
    struct span server, struct span service)
{
	const struct refused_by by = { server, service,
		asking_is_shared(account), clock_now() };
	struct standing *standing = &account->standing;
	struct entry *entry;
	char where[300], what[40];
	bool stored;

	(void)account_entry(account);
	entry = account->record.entry;
	if (entry == NULL || entry->serial == NULL ||
	    !span_is(serial, entry->serial))
		return;
	stored = entry->rejected_serial != NULL &&
	    span_is(serial, entry->rejected_serial);
	if (!refused_add(&account->refused, entry, &by))
		return;
	attr_plain(server, where, sizeof(where));
	attr_plain(service, what, sizeof(what));
	log_event(LOG_LEVEL_WARNING, "rejected",
	    "%s: %s%s%s refused the token %s; it is renewed", account->name,
	    server.n > 0 ? where : "a mail server", service.n > 0 ? " " : "",
	    what, entry->serial);
	if (!stored) /* once a token, whoever else refuses it */
		record_save(&account->record);
	/* No flood of reports makes more than one refresh a minute. */
	if (by.now.boot_ms - standing->forced_ms >= PLAN_APART_MS &&
	    by.now.boot_ms >= standing->gate_ms) {
		standing->forced_ms = by.now.boot_ms;
		refresh_want(&account->refresh, false);
	}
	account_tell(account);
}

/* entry: taken. */
static void replace(struct account *account, struct entry *entry)
{
	struct record *record = &account->record;

	account->refresh.answered = true; /* of no interest any more */
	refresh_cancel(&account->refresh);
	free(account->refused);
	account->refused = NULL;
	entry_free(record->entry);
	record->entry = entry;
	record->exists = true;
	record->unread = false;
}

static void take_effect(struct account *account)
{
	account_resume(account);
	record_save(&account->record);
	/* Another grant has taken the place of the one that they wait for: it
	 * may be of another provider, whose token their servers must not see,
	 * and an imported one brings no token. */
	asking_answer(account, NULL, false);
	if (account->waiters != NULL)
		refresh_want(&account->refresh, true);
	account_arm(account);
	account_tell(account);
}

void account_share(struct account *account, const struct fleet_news *news)
{
	struct fleet_base *base = &account->record.base;

	replace(account, news->entry);
	*base = (struct fleet_base){ .cluster = news->cluster,
		.revision = news->revision,
		.changes = base->changes + 1,
		.listing = base->listing,
		.put = base->put,
		.known = true };
	take_effect(account);
	account_leave(account);
}

enum fault account_adopt(struct account *account, struct entry *entry,
    struct why *why)
{
	struct record *record = &account->record;

	if (record->entry != NULL)
		record->base.before_s = record->entry->signed_in_s;
	replace(account, entry);
	record->asked_s = clock_wall_s();
	record_changed(record, true);
	take_effect(account);
	if (!record->unsaved)
		return FAULT_NONE;
	why_set(why, 0,
	    "the keyring could not be written; the sign-in is in memory and "
	    "storing it is tried again");
	return FAULT_IO;
}

enum fault account_forget(struct account *account, struct why *why)
{
	struct now now = clock_now();
	enum fault fault = record_erase(&account->record, why);

	if (fault != FAULT_NONE)
		return fault;
	refresh_cancel(&account->refresh);
	free(account->refused);
	account->refused = NULL;
	account->ready = 0;
	account->standing.life = (struct life){ .granted_s = 0 };
	standing_set(&account->standing, ACCOUNT_EMPTY, NULL, &now);
	(void)refuse_all(account);
	account_arm(account);
	account_tell(account);
	return FAULT_NONE;
}

void account_revoked(struct account *account)
{
	static const char text[] =
	    "its grant was ended: sign in again with 'mailtoken login'";
	struct entry *entry;

	(void)account_entry(account);
	entry = account->record.entry;
	if (entry == NULL)
		return;
	refresh_cancel(&account->refresh);
	secret_free(entry->access_token);
	entry->access_token = NULL;
	account->standing.life = (struct life){ .granted_s = 0 };
	entry->state = ENTRY_LOGIN_NEEDED;
	(void)!string_set(&entry->text, span_of(text));
	stand_still(account, ACCOUNT_LOGIN_NEEDED, text);
	record_changed(&account->record, false);
	record_save(&account->record);
	(void)refuse_all(account);
	account_arm(account);
	account_tell(account);
}

void account_give_up(struct account *account)
{
	if (account->record.unsaved)
		record_save(&account->record); /* and often from now on */
	if (account->refresh.place == REFRESH_RUNS)
		return;
	refresh_cancel(&account->refresh);
	asking_answer(account,
	    &(struct account_answer){ .fault = FAULT_TRY_LATER,
		.text = "the helper is stopping",
		.retry_after_s = 1 },
	    false);
}

void account_was_killed(struct account *account)
{
	if (account_entry(account) == NULL ||
	    account->standing.state != ACCOUNT_ACTIVE)
		return;
	lose_answer(account,
	    "the helper was killed before the provider answered; its refresh "
	    "token may be spent, so it is not sent again before the next try");
	account_arm(account);
	account_tell(account);
}

void account_save_last(struct account *account)
{
	struct record *record = &account->record;

	/* What is still under way has no answer any more. */
	if (account->refresh.flow != NULL && !record->in_memory)
		lose_answer(account,
		    "the helper was stopped before the provider answered; its "
		    "refresh token may be spent, so it is not sent again "
		    "before the next try");
	if (record->unsaved)
		record_save(record);
	if (record->unsaved)
		log_event(LOG_LEVEL_ERROR, "lost",
		    "%s: its newest record could not be stored before the end; "
		    "if the provider refuses the older one, run: mailtoken "
		    "login %s",
		    account->name, account->name);
}
