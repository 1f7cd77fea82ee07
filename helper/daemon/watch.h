/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * watch - state changes to whoever listens
 *
 * Owns the list of listeners, not what they do with a change.
 */
#ifndef MAILTOKEN_DAEMON_WATCH_H
#define MAILTOKEN_DAEMON_WATCH_H

#include "wire/fault.h"

struct account;
struct watchers;
struct watcher;

typedef void watch_fn(void *ctx, struct account *account);

enum fault watch_new(struct watchers **watchers_out) MUST_CHECK;

/* watch_free - there must be no listener left. */
void watch_free(struct watchers *watchers);

enum fault watch_add(struct watchers *watchers, watch_fn *fn, void *ctx,
    struct watcher **watcher_out) MUST_CHECK;

/* watch_remove - NULL is allowed; not from inside fn. */
void watch_remove(struct watchers *watchers, struct watcher *watcher);

/* watch_tell - call every listener; NULL watchers is allowed. */
void watch_tell(struct watchers *watchers, struct account *account);

#endif
