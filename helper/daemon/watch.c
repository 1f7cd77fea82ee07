/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list of functions to call.
 */
#include "daemon/watch.h"

#include <stdlib.h>

struct watcher {
	watch_fn *fn;
	void *ctx;
	struct watcher *next;
};

struct watchers {
	struct watcher *first;
};

enum fault watch_new(struct watchers **watchers_out)
{
	struct watchers *watchers = calloc(1, sizeof(*watchers));

	if (watchers == NULL)
		return FAULT_NOMEM;
	*watchers_out = watchers;
	return FAULT_NONE;
}

void watch_free(struct watchers *watchers)
{
	free(watchers);
}

enum fault watch_add(struct watchers *watchers, watch_fn *fn, void *ctx,
    struct watcher **watcher_out)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (watcher == NULL)
		return FAULT_NOMEM;
	watcher->fn = fn;
	watcher->ctx = ctx;
	watcher->next = watchers->first;
	watchers->first = watcher;
	*watcher_out = watcher;
	return FAULT_NONE;
}

void watch_remove(struct watchers *watchers, struct watcher *watcher)
{
	struct watcher **at;

	for (at = &watchers->first; *at != NULL; at = &(*at)->next) {
		if (*at == watcher) {
			*at = watcher->next;
			free(watcher);
			return;
		}
	}
}

void watch_tell(struct watchers *watchers, struct account *account)
{
	struct watcher *watcher;

	if (watchers == NULL)
		return;
	for (watcher = watchers->first; watcher != NULL;
	     watcher = watcher->next)
		watcher->fn(watcher->ctx, account);
}
