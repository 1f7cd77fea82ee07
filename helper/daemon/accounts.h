/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * accounts - one table: those with a record in the keyring, and those whose
 * application signs in for itself
 *
 * An account block with such a provider is all a mailbox needs.  There is one
 * account in memory a provider (a service account: one a mailbox, at most
 * ACCOUNTS_APPS_MAX); a mailbox that only a pattern matches has no other
 * trace.
 */
#ifndef MAILTOKEN_DAEMON_ACCOUNTS_H
#define MAILTOKEN_DAEMON_ACCOUNTS_H

#include "daemon/account.h"

#define ACCOUNTS_APPS_MAX 1024

struct accounts;

/*
 * accounts_new - read the keyring of the engine; files that cannot be used
 * are logged and left alone
 *
 * FAULT_IO, FAULT_NOMEM.
 */
enum fault accounts_new(struct engine *engine, struct accounts **accounts_out,
    struct why *why) MUST_CHECK;
void accounts_free(struct accounts *accounts);

/*
 * accounts_find - the account of a folded name, or NULL.  A record that was
 * put into the keyring since the start is found as well.
 */
struct account *accounts_find(struct accounts *accounts, const char *name);

/* accounts_knows - whether a record was seen under a folded name; asks memory
 * alone, so that a name without one costs no look at the disk. */
bool accounts_knows(struct accounts *accounts, const char *name);

/*
 * accounts_fits - whether a folded name can have a record: its file's name
 * may be three times as long (mailtokend(8), KEYRING)
 *
 * FAULT_BAD_REQUEST with why.
 */
enum fault accounts_fits(const char *name, struct why *why) MUST_CHECK;

/* accounts_make - as accounts_find(), or a new one without a record.
 * FAULT_NOMEM. */
enum fault accounts_make(struct accounts *accounts, const char *name,
    struct account **account_out) MUST_CHECK;

/*
 * accounts_app - the provider that signs in for a folded mailbox by itself,
 * because the mailbox's block names it; NULL when none does.  The
 * configuration's.
 */
struct provider *accounts_app(const struct config *config, const char *mailbox);

/*
 * accounts_for - whose token a mailbox gets: its application's, made if need
 * be, or its own
 *
 * FAULT_NOT_FOUND when it has neither; FAULT_BUSY when there are too many
 * applications; FAULT_NOMEM.
 */
enum fault accounts_for(struct accounts *accounts, const char *mailbox,
    struct account **account_out) MUST_CHECK;

/* accounts_app_of - its application's if that is there already, or NULL. */
struct account *accounts_app_of(struct accounts *accounts, const char *mailbox);

/*
 * accounts_first, accounts_next - go over all that there were at first, in no
 * order, with turns of the event loop in between if need be: a place stays
 * good as long as the accounts do
 *
 * accounts_next() gives NULL after the last, and again.
 */
struct accounts_place;
struct accounts_place *accounts_first(const struct accounts *accounts);
struct account *accounts_next(struct accounts_place **place);

#endif
