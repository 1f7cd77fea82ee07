/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An account's record on its way to the disk: room before the refresh token
 * is spent, and tries without end when storing fails all the same.
 */
#include "daemon/account_impl.h"

#define DISK_RETRY_MS 60000
#define SAVE_MIN_MS   1000
#define SAVE_MAX_MS   60000

/*
 * Room on disk is made before the refresh token is spent.  A renewal that
 * nobody waits for is put off without it; when a mail waits, the token is
 * fetched all the same and its record stays in memory.
 */
bool account_save_room(struct account *account)
{
	struct why why;
	enum fault fault;

	fault = keyring_stage_new(account->engine->keyring,
	    span_of(account->name), &account->stage, &why);
	if (fault != FAULT_NONE && !account->stopped_for_disk)
		log_event(LOG_LEVEL_ERROR, "no-room",
		    "%s: a new record could not be stored, because %s; "
		    "renewals wait until it can",
		    account->name, why.text);
	account->stopped_for_disk = fault != FAULT_NONE;
	account->room_try_ms = clock_boot_ms() + DISK_RETRY_MS;
	return fault == FAULT_NONE || account->wish.urgent;
}

static void try_again(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	account_save(ctx, NULL);
	account_tell(ctx);
}

/*
 * Put the record on disk.  When that fails it stays in memory and is tried
 * again: a token that was rotated away must not be lost to a full disk.
 */
void account_save(struct account *account, struct keyring_stage *stage)
{
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (account->is_app)
		return;
	account->entry->asked_s = account->asked_s;
	fault = keyring_save(account->engine->keyring, account->entry, stage,
	    &why);
	if (fault == FAULT_NONE) {
		if (account->unsaved)
			log_event(LOG_LEVEL_NOTICE, "saved",
			    "%s: the record is on disk now", account->name);
		account->unsaved = false;
		account->save_delay_ms = 0;
		if (account->save_timer != NULL)
			(void)evtimer_del(account->save_timer);
		return;
	}
	/* At every try: it is the one thing that must not be overlooked. */
	log_event(LOG_LEVEL_ERROR, "unsaved",
	    "%s: the newest record is in memory only, because %s; make room or "
	    "make the keyring writable, and do not stop the helper before",
	    account->name, why.text);
	account->unsaved = true;
	account->save_delay_ms = account->save_delay_ms == 0 ?
	    SAVE_MIN_MS :
	    account->save_delay_ms * 2;
	if (account->save_delay_ms > SAVE_MAX_MS)
		account->save_delay_ms = SAVE_MAX_MS;
	renewal_set_timer(account, &account->save_timer, try_again,
	    account->save_delay_ms);
}

void account_save_last(struct account *account)
{
	if (account->unsaved)
		account_save(account, NULL);
	if (account->unsaved)
		log_event(LOG_LEVEL_ERROR, "lost",
		    "%s: its newest record could not be stored before the end; "
		    "if the provider refuses the older one, run: mailtoken "
		    "login %s",
		    account->name, account->name);
}

void account_save_state(struct account *account, enum entry_state state)
{
	struct entry *entry = account->entry;
	struct why why;

	if (entry->state == state || account->is_app)
		return;
	entry->state = state;
	if (entry_set(&entry->text, span_of(account->text)) != FAULT_NONE ||
	    account->unsaved)
		return;
	/* Only a note: the next failure says the same again. */
	if (keyring_save(account->engine->keyring, entry, NULL, &why) !=
	    FAULT_NONE)
		log_event(LOG_LEVEL_WARNING, "unsaved",
		    "%s: its state could not be stored, because %s",
		    account->name, why.text);
}
