/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * accounts - all accounts of one keyring
 */
#ifndef MAILTOKEN_DAEMON_ACCOUNTS_H
#define MAILTOKEN_DAEMON_ACCOUNTS_H

#include "daemon/account.h"

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

/* accounts_make - the same, or a new one without a record.  FAULT_NOMEM. */
enum fault accounts_make(struct accounts *accounts, const char *name,
    struct account **account_out) MUST_CHECK;

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

/* accounts_each - all at once; visit may not make or drop accounts. */
typedef void accounts_visit_fn(void *ctx, struct account *account);
void accounts_each(struct accounts *accounts, accounts_visit_fn *visit,
    void *ctx);

#endif
