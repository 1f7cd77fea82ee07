/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * outcome - what an exchange's end does to an account, and what comes from
 * outside in place of one
 */
#ifndef MAILTOKEN_DAEMON_OUTCOME_H
#define MAILTOKEN_DAEMON_OUTCOME_H

#include "daemon/account.h"

/* outcome_happened - of its refresh; for refresh.event. */
enum fault outcome_happened(void *ctx, const struct refresh_event *event);

/* account_rejected - a mail server's service refused the token of that serial;
 * server and service empty: it is not known which. */
void account_rejected(struct account *account, struct span serial,
    struct span server, struct span service);

/*
 * account_adopt - the result of a sign-in, or a record made elsewhere, takes
 * the place of the record
 *
 * entry  in: taken; its token is as old as it says
 *
 * FAULT_NONE when it is on disk; otherwise it is in force and `unsaved`, and
 * why says what keeps it from the disk.
 */
enum fault account_adopt(struct account *account, struct entry *entry,
    struct why *why) MUST_CHECK;

/* account_share - the same, of a record that another relay has shared: its
 * place there is known, and when it was asked for here stays. */
void account_share(struct account *account, const struct fleet_news *news);

/*
 * account_forget - delete the record from disk and memory
 *
 * FAULT_NOT_FOUND when it is in neither; FAULT_IO, FAULT_READ_ONLY: then
 * nothing has changed.
 */
enum fault account_forget(struct account *account, struct why *why) MUST_CHECK;

/* account_revoked - the provider has ended its grant, the record stays: it
 * waits for a sign-in. */
void account_revoked(struct account *account);

/* account_give_up - stopping: whoever waits for a queued refresh is told, and
 * what is unsaved is tried every second. */
void account_give_up(struct account *account);

/* account_was_killed - starting: the last helper was, while it waited for the
 * answer to a refresh. */
void account_was_killed(struct account *account);

/* account_save_last - stopping: one more try to store what is unsaved. */
void account_save_last(struct account *account);

#endif
