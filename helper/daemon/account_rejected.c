/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A token that a mail server refused is not served again, and no flood of
 * such reports makes more than one refresh a minute.
 */
#include "daemon/account_impl.h"

bool account_was_refused(const struct account *account)
{
	const struct entry *entry = account->entry;

	return entry != NULL && entry->serial != NULL &&
	    entry->rejected_serial != NULL &&
	    strcmp(entry->serial, entry->rejected_serial) == 0;
}

static bool is_shared(const struct account *account)
{
	return account->is_app && account->subject == NULL;
}

/*
 * One mailbox that the application may not open would take the token from
 * all the others: it is renewed, and served until the new one is here.
 */
static void renew_shared(struct account *account, const struct now *now)
{
	struct account_answer unused;

	if (now->boot_ms - account->forced_ms < LIFE_RENEWALS_APART_S * 1000 ||
	    !asking_may_try(account, now, &unused))
		return;
	log_event(LOG_LEVEL_WARNING, "rejected",
	    "%s: a mail server refused the token %s; it is renewed",
	    account->name, account->entry->serial);
	account->forced_ms = now->boot_ms;
	exchange_want(account, false);
}

void account_rejected(struct account *account, struct span serial)
{
	struct account_answer unused;
	struct now now = engine_now();
	struct entry *entry;
	struct why why;

	if (account_wake(account, &why) != FAULT_NONE)
		return;
	entry = account->entry;
	if (entry->serial == NULL || !span_is(serial, entry->serial) ||
	    account_was_refused(account))
		return;
	if (is_shared(account)) {
		renew_shared(account, &now);
		return;
	}
	if (entry_set(&entry->rejected_serial, serial) != FAULT_NONE)
		return;
	log_event(LOG_LEVEL_WARNING, "rejected",
	    "%s: a mail server refused the token %s; it is not served again",
	    account->name, entry->serial);
	account_save(account, NULL);
	if (account->may_renew && asking_may_try(account, &now, &unused)) {
		account->forced_ms = now.boot_ms;
		exchange_want(account, false);
	}
	account_tell(account);
}
