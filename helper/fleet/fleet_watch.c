/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the others have: a list of all, then a watch from there on.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/fleet_impl.h"

/* Each may be saved; etcd looks at all keys behind a page. */
#define PAGE_RECORDS 100
#define GRACE_MS     3000 /* the watch finds another member by then */

/* Locks, as the watch and the list tell of them. */

static void forget_lock(struct fleet *fleet, const char *leaf)
{
	struct fleet_lock **at = &fleet->locks, *lock;

	while (*at != NULL && leaf != NULL && strcmp((*at)->leaf, leaf) != 0)
		at = &(*at)->next;
	lock = *at;
	if (lock == NULL)
		return;
	*at = lock->next;
	free(lock);
}

void fleet_locks_drop(struct fleet *fleet)
{
	while (fleet->locks != NULL)
		forget_lock(fleet, NULL);
}

static void note_lock(struct fleet *fleet, const char *leaf,
    const struct etcd_kv *kv)
{
	struct fleet_lock *lock = malloc(sizeof(*lock) + strlen(leaf) + 1);

	forget_lock(fleet, leaf);
	if (lock == NULL)
		return;
	memcpy(lock->leaf, leaf, strlen(leaf) + 1);
	fleet_relay(kv->value, lock->holder);
	lock->revision = kv->mod_revision;
	lock->turn = fleet_turn_of(fleet, kv->value);
	lock->next = fleet->locks;
	fleet->locks = lock;
	fleet_lock_seen(fleet, lock);
}

const char *fleet_holder(const struct fleet *fleet, const char *account)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];
	const struct fleet_lock *lock;

	if (keyring_leaf(span_of(account), leaf) != FAULT_NONE)
		return NULL;
	for (lock = fleet->locks; lock != NULL; lock = lock->next)
		if (strcmp(lock->leaf, leaf) == 0)
			return lock->holder;
	return NULL;
}

/* Which kind of key it is, and whose; foreign ones are passed over. */
static bool read_key(const struct fleet *fleet, struct span key,
    const char *kind, char leaf[KEYRING_LEAF_MAX_BYTES + 1],
    char account[ACCOUNT_MAX_BYTES + 1])
{
	char head[FLEET_KEY_MAX_BYTES];
	struct span start = fleet_key(fleet, kind, "", head);

	if (key.n <= start.n || key.n - start.n > KEYRING_LEAF_MAX_BYTES ||
	    memcmp(key.p, start.p, start.n) != 0)
		return false;
	(void)snprintf(leaf, KEYRING_LEAF_MAX_BYTES + 1, "%.*s",
	    (int)(key.n - start.n), key.p + start.n);
	return keyring_unleaf(leaf, account) == FAULT_NONE;
}

static void record_seen(struct fleet *fleet, const char *account,
    const struct etcd_kv *kv)
{
	struct fleet_base *base;

	/* What is being put shows by its answer what stands there. */
	base = fleet->o.calls->base(fleet->o.ctx, account);
	if (base != NULL && base->put != NULL)
		base->put->met = kv->mod_revision;
	else if (fleet_compare(fleet, account, kv, NULL) == FLEET_OURS)
		(void)fleet_job(fleet, FLEET_JOB_PUT, account);
	base = fleet->o.calls->base(fleet->o.ctx, account);
	if (base != NULL)
		base->listing = fleet->listing;
}

static void key_seen(struct fleet *fleet, const struct etcd_kv *kv)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1], account[ACCOUNT_MAX_BYTES + 1];
	struct fleet_base *base;

	if (read_key(fleet, kv->key, "record/", leaf, account))
		record_seen(fleet, account, kv);
	else if (read_key(fleet, kv->key, "lock/", leaf, account))
		note_lock(fleet, leaf, kv);
	else if (fleet->watch == NULL && fleet_turn_of(fleet, kv->value) != 0 &&
	    read_key(fleet, kv->key, "sent/", leaf, account) &&
	    (base = fleet->o.calls->base(fleet->o.ctx, account)) != NULL)
		base->held = kv->mod_revision;
}

static void key_gone(struct fleet *fleet, const struct etcd_kv *kv)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1], account[ACCOUNT_MAX_BYTES + 1];
	struct fleet_base *base;

	if (read_key(fleet, kv->key, "record/", leaf, account)) {
		base = fleet->o.calls->base(fleet->o.ctx, account);
		if (base != NULL && base->put == NULL &&
		    !fleet_is_forgetting(fleet, account) &&
		    base->cluster == fleet->cluster &&
		    base->revision < kv->mod_revision)
			(void)fleet_absent(fleet, account, base,
			    kv->mod_revision);
	} else if (read_key(fleet, kv->key, "lock/", leaf, account)) {
		forget_lock(fleet, leaf);
		fleet_turns_again(fleet, account);
	}
}

/* The watch. */

void fleet_watch_lost_for_long(evutil_socket_t fd, short what, void *ctx)
{
	struct fleet *fleet = ctx;

	(void)fd;
	(void)what;
	fleet_set_state(fleet, FLEET_AWAY, fleet->lost);
	fleet_turns_again(fleet, NULL);
}

static void told(struct fleet *fleet, int64_t revision)
{
	if (revision > fleet->told)
		fleet->told = revision;
	if (revision > fleet->newest)
		fleet->newest = revision;
}

void fleet_in_step(struct fleet *fleet)
{
	bool was = fleet->state == FLEET_IN_STEP;

	(void)evtimer_del(&fleet->grace);
	fleet_set_state(fleet, FLEET_IN_STEP, "");
	if (was)
		return;
	fleet_jobs_again(fleet);
	fleet_turns_again(fleet, NULL);
	fleet->o.calls->in_step(fleet->o.ctx);
}

static void watched(void *ctx, const struct etcd_watch_event *event)
{
	struct fleet *fleet = ctx;

	switch (event->kind) {
	case ETCD_WATCH_ON:
		fleet->live_from = event->revision;
		fleet_in_step(fleet);
		break;
	case ETCD_WATCH_PUT:
		key_seen(fleet, event->kv);
		told(fleet, event->kv->mod_revision);
		break;
	case ETCD_WATCH_GONE:
		key_gone(fleet, event->kv);
		told(fleet, event->kv->mod_revision);
		break;
	case ETCD_WATCH_SEEN: told(fleet, event->revision); break;
	case ETCD_WATCH_LOST:
		fleet->live_from = 0;
		if (fleet->state == FLEET_IN_STEP &&
		    !evtimer_pending(&fleet->grace, NULL))
			fleet_later(&fleet->grace, GRACE_MS);
		(void)snprintf(fleet->lost, sizeof(fleet->lost), "%s",
		    event->text);
		if (fleet->state == FLEET_AWAY)
			fleet_set_state(fleet, FLEET_AWAY, fleet->lost);
		break;
	case ETCD_WATCH_OVER:
		fleet->watch = NULL;
		fleet->live_from = 0;
		fleet->list_revision = 0;
		fleet->store[0] = '\0';
		fleet_set_state(fleet, FLEET_CATCHING_UP, "");
		fleet_later(&fleet->retry, 0);
		break;
	}
}

static void start_watch(struct fleet *fleet)
{
	char prefix[FLEET_KEY_MAX_BYTES];
	const struct etcd_watch_options options = {
		.prefix = fleet_key(fleet, "", "", prefix),
		.from = fleet->list_revision + 1,
		.fn = watched,
		.ctx = fleet,
	};

	fleet->told = fleet->list_revision;
	if (etcd_watch_start(fleet->etcd, &options, &fleet->watch) !=
	    FAULT_NONE)
		fleet_later(&fleet->retry, FLEET_RETRY_MS);
}

/* The list. */

static void look_at_unlisted(struct fleet *fleet, const char *account,
    struct fleet_base *base)
{
	if (base->listing != fleet->listing)
		(void)fleet_absent(fleet, account, base, fleet->list_revision);
}

/* Right behind a key; false: no relay has written it, and it is too long. */
static bool go_on_after(struct fleet *fleet, struct span key)
{
	if (key.n >= sizeof(fleet->from) || memchr(key.p, '\0', key.n) != NULL)
		return false;
	(void)snprintf(fleet->from, sizeof(fleet->from), "%.*s", (int)key.n,
	    key.p);
	return true;
}

static void listed(void *ctx, const struct etcd_answer *answer)
{
	struct fleet *fleet = ctx;
	size_t i;

	fleet->call = NULL;
	fleet_heard(fleet, answer);
	if (!answer->ok) {
		fleet->list_revision = 0;
		fleet_is_away(fleet, answer->text);
		return;
	}
	if (fleet->list_revision == 0)
		fleet->list_revision = answer->revision;
	for (i = 0; i < answer->n_kvs; i++)
		key_seen(fleet, &answer->kvs[i]);
	if (answer->more && answer->n_kvs > 0) {
		if (go_on_after(fleet, answer->kvs[answer->n_kvs - 1].key)) {
			fleet_later(&fleet->retry, 0);
			return;
		}
		fleet->list_revision = 0;
		fleet_is_away(fleet,
		    "etcd has keys below fleet_prefix that are no relay's: "
		    "choose a prefix of its own");
		return;
	}
	fleet->o.calls->each(fleet->o.ctx, look_at_unlisted, fleet);
	start_watch(fleet);
}

void fleet_list(struct fleet *fleet)
{
	char key[FLEET_KEY_MAX_BYTES + 1], end[FLEET_KEY_MAX_BYTES];
	struct etcd_range range = { .revision = fleet->list_revision,
		.limit = PAGE_RECORDS };

	if (fleet->list_revision == 0) {
		fleet->listing++;
		fleet->newest = 0;
		fleet->unput[0] = '\0';
		fleet->from[0] = '\0';
		fleet_locks_drop(fleet);
	}
	/* With a NUL behind it a key is the next one that there can be. */
	if (fleet->from[0] == '\0') {
		range.key = fleet_key(fleet, "", "", key);
	} else {
		(void)snprintf(key, sizeof(key), "%s", fleet->from);
		range.key = (struct span){ key, strlen(key) + 1 };
	}
	range.end = fleet_key(fleet, "", "", end);
	end[range.end.n - 1]++; /* a slash: no carry */
	if (etcd_range(fleet->etcd, &range, listed, fleet, &fleet->call) !=
	    FAULT_NONE)
		fleet_later(&fleet->retry, FLEET_RETRY_MS);
}
