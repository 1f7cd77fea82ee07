/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An account's record on its way to the disk: room before the refresh token
 * is spent, and tries without end when storing fails all the same.
 */
#include "daemon/account_impl.h"

#include <errno.h>
#include <stdio.h>

#define SAVE_MIN_MS 1000
#define SAVE_MAX_MS 60000

/*
 * Room on disk is made before the refresh token is spent; without it nothing
 * is asked of the provider, even if a mail waits.  A keyring that cannot be
 * written at all is another thing: somebody may have made it so on purpose.
 */
bool account_save_room(struct account *account, struct why *why)
{
	const char *path = keyring_path(account->engine->keyring);
	enum fault fault;
	char text[320];

	fault = keyring_stage_new(account->engine->keyring,
	    span_of(account->name), &account->stage, why);
	if (fault == FAULT_READ_ONLY && account->wish.urgent)
		return true;
	if (fault == FAULT_NONE)
		return true;
	if (why->err == ENOSPC || why->err == EDQUOT)
		(void)snprintf(text, sizeof(text),
		    "the keyring's file system is full, so the token is not "
		    "renewed: make room (df -h %s; df -i %s)",
		    path, path);
	else
		(void)snprintf(text, sizeof(text),
		    "a new record could not be stored, so the token is not "
		    "renewed: %s",
		    why->text);
	why_set(why, 0, "%s", text);
	return false;
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
	if (account->engine->stopping)
		account->save_delay_ms = SAVE_MIN_MS;
	renewal_set_timer(account, &account->save_timer, try_again,
	    account->save_delay_ms);
}

/* For the next helper; with the room that was made for the answer. */
void account_save_lost(struct account *account)
{
	struct entry *entry = account->entry;
	struct keyring_stage *stage = account->stage;
	struct why why;

	entry->not_before_s = clock_wall_s() +
	    (account->resend_ms - clock_boot_ms() + 999) / 1000;
	account->stage = NULL;
	(void)!entry_set(&entry->text, span_of(account->text));
	if (keyring_save(account->engine->keyring, entry, stage, &why) !=
	    FAULT_NONE)
		log_event(LOG_LEVEL_WARNING, "unsaved",
		    "%s: that its token may be spent could not be stored, "
		    "because %s",
		    account->name, why.text);
}

enum fault account_rekey(struct account *account, struct why *why)
{
	enum fault fault;

	/* What is in memory is newer, and was not put there by anybody. */
	if (account->entry == NULL) {
		fault = keyring_rekey(account->engine->keyring,
		    span_of(account->name), why);
		if (fault == FAULT_NONE)
			fault = account_load(account, false);
		return fault;
	}
	account_save(account, NULL);
	if (!account->unsaved)
		return FAULT_NONE;
	why_set(why, 0, "the keyring could not be written: see the log");
	return FAULT_IO;
}

/* What is still under way has no answer any more. */
static void note_unanswered(struct account *account)
{
	static const char text[] =
	    "the helper was stopped before the provider answered; its refresh "
	    "token may be spent, so it is not sent again before the next try";

	if (account->flow == NULL || account->is_app)
		return;
	account_trouble(account, TROUBLE_TRANSIENT, text);
	account->resend_ms = clock_boot_ms() +
	    ACCOUNT_BACKOFF_MIN_S * INT64_C(1000);
	account_save_lost(account);
}

void account_save_last(struct account *account)
{
	note_unanswered(account);
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
