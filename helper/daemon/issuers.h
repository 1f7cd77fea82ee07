/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * issuers - what discovery found, kept for a day, and the last good copy
 *
 * Owns the searches: one an issuer at a time, all who need it wait for the
 * same.  What it keeps lives in memory; over a restart the records keep the
 * endpoints that were last used.
 */
#ifndef MAILTOKEN_DAEMON_ISSUERS_H
#define MAILTOKEN_DAEMON_ISSUERS_H

#include "oauth/discovery.h"
#include "oauth/http.h"

#define ISSUERS_MAX	256
#define ISSUERS_KEEP_MS (24 * 3600 * INT64_C(1000))
#define ISSUERS_HOLD_MS 5000 /* after a search that failed */

struct issuers;
struct issuers_waiter;

enum fault issuers_new(struct http *http,
    struct issuers **issuers_out) MUST_CHECK;

/* issuers_free - waiters are forgotten. */
void issuers_free(struct issuers *issuers);

/*
 * issuers_find - what the issuer of provider says of itself
 *
 * fn         in: called once, now or later: found is NULL when there is
 *            nothing, not even an old copy, and text says why
 * waiter_out out: for issuers_unwait(); NULL when fn was called already
 *
 * FAULT_NOMEM, FAULT_INTERNAL, FAULT_BUSY (256 searches under way): fn is not
 * called.
 */
typedef void issuers_fn(void *ctx, const struct discovery *found,
    const char *text);
enum fault issuers_find(struct issuers *issuers, struct provider *provider,
    issuers_fn *fn, void *ctx, struct issuers_waiter **waiter_out) MUST_CHECK;

/* issuers_unwait - it is no longer wanted; NULL is allowed. */
void issuers_unwait(struct issuers_waiter *waiter);

/* issuers_known - the kept copy, however old, or NULL. */
const struct discovery *issuers_known(const struct issuers *issuers,
    const struct provider *provider);

#endif
