/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list: there are few issuers.  Two profiles that trust other certificates
 * or use another proxy do not share what was found.
 */
#include "daemon/issuers.h"

#include <stdlib.h>

#include "daemon/clock.h"

struct issuers_waiter {
	struct issuer *issuer;
	issuers_fn *fn;
	void *ctx;
	struct issuers_waiter *next;
};

struct issuer {
	struct issuers *issuers;
	struct provider *provider; /* as the first who asked had it */
	struct discovery found;	   /* its issuer is NULL: nothing yet */
	int64_t found_ms;	   /* boot time */
	int64_t failed_ms;	   /* boot time; 0: the last one worked */
	char *text;		   /* why the last one did not */
	uint64_t used;		   /* the higher, the later */
	struct discovery_search *search;
	struct issuers_waiter *waiters;
	struct issuer *next;
};

struct issuers {
	struct http *http;
	struct issuer *first;
	size_t n;
	uint64_t uses;
};

enum fault issuers_new(struct http *http, struct issuers **issuers_out)
{
	struct issuers *issuers = calloc(1, sizeof(*issuers));

	if (issuers == NULL)
		return FAULT_NOMEM;
	issuers->http = http;
	*issuers_out = issuers;
	return FAULT_NONE;
}

static void issuer_free(struct issuer *issuer)
{
	struct issuers_waiter *waiter;

	while ((waiter = issuer->waiters) != NULL) {
		issuer->waiters = waiter->next;
		free(waiter);
	}
	discovery_free(issuer->search);
	discovery_drop(&issuer->found);
	provider_release(issuer->provider);
	free(issuer->text);
	free(issuer);
}

void issuers_free(struct issuers *issuers)
{
	struct issuer *issuer;

	if (issuers == NULL)
		return;
	while ((issuer = issuers->first) != NULL) {
		issuers->first = issuer->next;
		issuer_free(issuer);
	}
	free(issuers);
}

static bool same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static struct issuer *find(const struct issuers *issuers,
    const struct provider *provider)
{
	struct issuer *issuer;

	for (issuer = issuers->first; issuer != NULL; issuer = issuer->next)
		if (same(issuer->provider->issuer, provider->issuer) &&
		    same(issuer->provider->ca_file, provider->ca_file) &&
		    same(issuer->provider->ca_path, provider->ca_path) &&
		    same(issuer->provider->proxy, provider->proxy))
			return issuer;
	return NULL;
}

const struct discovery *issuers_known(const struct issuers *issuers,
    const struct provider *provider)
{
	const struct issuer *issuer = find(issuers, provider);

	return issuer != NULL && issuer->found.issuer != NULL ? &issuer->found :
								NULL;
}

/* One at a time: an answer may take another waiter away; none can come. */
static void tell_all(struct issuer *issuer)
{
	struct issuers_waiter *waiter;
	const struct discovery *found = issuer->found.issuer != NULL ?
	    &issuer->found :
	    NULL;

	while ((waiter = issuer->waiters) != NULL) {
		issuer->waiters = waiter->next;
		waiter->fn(waiter->ctx, found, issuer->text);
		free(waiter);
	}
}

static void searched(void *ctx, struct discovery *found, const char *text)
{
	struct issuer *issuer = ctx;

	free(issuer->text);
	issuer->text = NULL;
	if (found != NULL) {
		discovery_drop(&issuer->found);
		issuer->found = *found;
		memset(found, 0, sizeof(*found));
		issuer->found_ms = clock_boot_ms();
		issuer->failed_ms = 0;
	} else {
		issuer->text = strdup(text);
		issuer->failed_ms = clock_boot_ms();
	}
	discovery_free(issuer->search);
	issuer->search = NULL;
	tell_all(issuer);
}

static struct issuer *add(struct issuers *issuers, struct provider *provider)
{
	struct issuer *issuer = calloc(1, sizeof(*issuer));

	if (issuer == NULL)
		return NULL;
	issuer->issuers = issuers;
	issuer->provider = provider_share(provider);
	issuer->next = issuers->first;
	issuers->first = issuer;
	issuers->n++;
	return issuer;
}

/* The one that was not needed for longest gives way. */
static enum fault make_room(struct issuers *issuers)
{
	struct issuer **at, **oldest = NULL, *issuer;

	if (issuers->n < ISSUERS_MAX)
		return FAULT_NONE;
	for (at = &issuers->first; (issuer = *at) != NULL; at = &issuer->next)
		if (issuer->search == NULL && issuer->waiters == NULL &&
		    (oldest == NULL || issuer->used < (*oldest)->used))
			oldest = at;
	if (oldest == NULL)
		return FAULT_BUSY;
	issuer = *oldest;
	*oldest = issuer->next;
	issuer_free(issuer);
	issuers->n--;
	return FAULT_NONE;
}

/* No search: what is kept is young, or the last one failed just now. */
static bool is_settled(const struct issuer *issuer)
{
	int64_t now_ms = clock_boot_ms();

	if (issuer->search != NULL)
		return false;
	if (issuer->failed_ms != 0)
		return now_ms - issuer->failed_ms < ISSUERS_HOLD_MS;
	return issuer->found.issuer != NULL &&
	    now_ms - issuer->found_ms < ISSUERS_KEEP_MS;
}

static enum fault wait_for_it(struct issuer *issuer, issuers_fn *fn, void *ctx,
    struct issuers_waiter **waiter_out)
{
	struct issuers_waiter *waiter = calloc(1, sizeof(*waiter));
	enum fault fault = FAULT_NONE;

	if (waiter == NULL)
		return FAULT_NOMEM;
	if (issuer->search == NULL)
		fault = discovery_start(issuer->issuers->http, issuer->provider,
		    searched, issuer, &issuer->search);
	if (fault != FAULT_NONE) {
		free(waiter);
		return fault == FAULT_NOMEM ? fault : FAULT_INTERNAL;
	}
	waiter->issuer = issuer;
	waiter->fn = fn;
	waiter->ctx = ctx;
	waiter->next = issuer->waiters;
	issuer->waiters = waiter;
	*waiter_out = waiter;
	return FAULT_NONE;
}

enum fault issuers_find(struct issuers *issuers, struct provider *provider,
    issuers_fn *fn, void *ctx, struct issuers_waiter **waiter_out)
{
	struct issuer *issuer = find(issuers, provider);

	*waiter_out = NULL;
	if (issuer == NULL && make_room(issuers) != FAULT_NONE)
		return FAULT_BUSY;
	if (issuer == NULL)
		issuer = add(issuers, provider);
	if (issuer == NULL)
		return FAULT_NOMEM;
	issuer->used = ++issuers->uses;
	if (!is_settled(issuer))
		return wait_for_it(issuer, fn, ctx, waiter_out);
	fn(ctx, issuer->found.issuer != NULL ? &issuer->found : NULL,
	    issuer->text != NULL ? issuer->text : "");
	return FAULT_NONE;
}

void issuers_unwait(struct issuers_waiter *waiter)
{
	struct issuers_waiter **at;

	if (waiter == NULL)
		return;
	for (at = &waiter->issuer->waiters; *at != NULL; at = &(*at)->next) {
		if (*at == waiter) {
			*at = waiter->next;
			break;
		}
	}
	free(waiter);
}
