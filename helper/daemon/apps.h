/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * apps - mailboxes whose application signs in for itself
 *
 * An account block with such a provider is all a mailbox needs.  Owns one
 * account in memory a provider (a service account: one a mailbox, at most
 * APPS_MAX); a mailbox that only a pattern matches has no other trace.
 */
#ifndef MAILTOKEN_DAEMON_APPS_H
#define MAILTOKEN_DAEMON_APPS_H

#include "daemon/accounts.h"

#define APPS_MAX 1024

struct apps;

enum fault apps_new(struct engine *engine, struct apps **apps_out) MUST_CHECK;
void apps_free(struct apps *apps);

/*
 * apps_provider - the provider that signs in for a folded mailbox by itself,
 * because the mailbox's block names it; NULL when none does.  The
 * configuration's.
 */
struct provider *apps_provider(const struct config *config,
    const char *mailbox);

/*
 * apps_find - the account whose token a mailbox gets, made if need be
 *
 * FAULT_NOT_FOUND when no such provider signs in for it; FAULT_BUSY when
 * there are too many; FAULT_NOMEM.
 */
enum fault apps_find(struct apps *apps, const char *mailbox,
    struct account **account_out) MUST_CHECK;

/* apps_peek - the same if it is there already, or NULL. */
struct account *apps_peek(const struct apps *apps, const char *mailbox);

/* apps_each - as accounts_each(). */
void apps_each(struct apps *apps, accounts_visit_fn *visit, void *ctx);

#endif
