/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An account's lock.  It is written with a mark that has no lease: where the
 * mark is met without the lock, its relay vanished with a request under way,
 * whose answer it may have kept.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/fleet_impl.h"

#define TURN_MAX_MS   20000 /* who asks goes away later */
#define POLL_MS	      1000
#define SOON_MS	      200
#define TURN_LEAST_MS (FLEET_EXCHANGE_MS + 1000)

static void try_turn(struct fleet_turn *turn);

/* turn may be gone afterwards. */
static void tell(struct fleet_turn *turn, enum fleet_verdict verdict,
    const char *text)
{
	fleet_turn_fn *done = turn->wish.done;

	turn->wish.done = NULL;
	turn->alone = verdict == FLEET_ALONE;
	if (done != NULL)
		done(turn->wish.ctx, verdict, text);
}

static void tell_away(struct fleet_turn *turn, const char *text)
{
	char said[400];

	if (turn->wish.needed && turn->fleet->o.settings->alone) {
		tell(turn, FLEET_ALONE, "");
		return;
	}
	(void)snprintf(said, sizeof(said),
	    "the other relays cannot be asked whether they renew it: %s", text);
	tell(turn, FLEET_LATER, said);
}

static void wait_or_give_up(struct fleet_turn *turn, int64_t ms)
{
	if (turn->fleet->o.calls->now_ms() >= turn->until_ms)
		tell(turn, FLEET_LATER, turn->text);
	else
		fleet_later(&turn->timer, ms);
}

static const struct etcd_kv *find(const struct etcd_answer *answer,
    struct span key)
{
	size_t i;

	for (i = 0; i < answer->n_kvs; i++)
		if (answer->kvs[i].key.n == key.n &&
		    memcmp(answer->kvs[i].key.p, key.p, key.n) == 0)
			return &answer->kvs[i];
	return NULL;
}

static struct fleet_turn *find_turn(const struct fleet *fleet, uint64_t number)
{
	struct fleet_turn *at = fleet->turns;

	while (at != NULL && at->number != number)
		at = at->next;
	return at;
}

static void drop(struct fleet_turn *turn)
{
	struct fleet_turn **at = &turn->fleet->turns;

	while (*at != turn)
		at = &(*at)->next;
	*at = turn->next;
	etcd_cancel(turn->call);
	(void)evtimer_del(&turn->timer);
	free(turn->account);
	free(turn);
}

static void give_back(struct fleet_turn *turn, bool lost)
{
	struct fleet *fleet = turn->fleet;
	const struct fleet_lock *lock = fleet->locks;
	uint64_t number = turn->number;
	struct fleet_job *job = NULL;

	if (turn->lock != 0 && !fleet->over)
		job = fleet_job(fleet, FLEET_JOB_RELEASE, turn->account);
	if (job != NULL) {
		job->lock = turn->lock;
		job->lease = turn->lease;
		job->keeps_sent = lost;
	}
	drop(turn);
	/* It may have one without knowing. */
	while (lock != NULL && lock->turn != number)
		lock = lock->next;
	if (lock != NULL)
		fleet_lock_seen(fleet, lock);
}

void fleet_lock_seen(struct fleet *fleet, const struct fleet_lock *lock)
{
	struct fleet_job *job = fleet->jobs;
	char account[ACCOUNT_MAX_BYTES + 1];

	if (lock->turn <= fleet->n_before || lock->turn > fleet->n_turns ||
	    find_turn(fleet, lock->turn) != NULL || fleet->over ||
	    keyring_unleaf(lock->leaf, account) != FAULT_NONE)
		return;
	while (job != NULL && job->lock != lock->revision)
		job = job->next;
	if (job != NULL)
		return;
	job = fleet_job(fleet, FLEET_JOB_RELEASE, account);
	if (job == NULL)
		return;
	job->lock = lock->revision;
	job->stale = true;
}

/* Whether the record that is shared leaves the turn to us; false: it is over,
 * and may be gone. */
static bool is_ours(struct fleet_turn *turn, const struct etcd_answer *answer)
{
	struct fleet *fleet = turn->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    turn->wish.account);
	uint64_t number = turn->number;
	const struct etcd_kv *kv = find(answer, turn->keys.record);
	enum fleet_comparison found = FLEET_SAME;

	if (kv != NULL)
		found = fleet_compare(fleet, turn->wish.account, kv, NULL);
	else if (base != NULL &&
	    fleet_absent(fleet, turn->wish.account, base, answer->revision))
		found = FLEET_THEIRS;
	if (found == FLEET_SAME || found == FLEET_OURS)
		return true;
	turn = find_turn(fleet, number);
	if (turn != NULL)
		tell(turn, FLEET_LATER,
		    found == FLEET_BAD ?
			"the shared record cannot be opened here: see the log" :
			"another relay has changed it");
	return false;
}

static void say_holder(struct fleet_turn *turn, const struct etcd_kv *kv,
    const char *words)
{
	char name[FLEET_NAME_MAX_BYTES];

	fleet_relay(kv->value, name);
	(void)snprintf(turn->text, sizeof(turn->text), "the relay %s %s", name,
	    words);
	turn->fleet->counts.waited += !turn->waited;
	turn->waited = true;
}

/* What stands in the way: taken over, or waited for. */
static void look_at_others(struct fleet_turn *turn, const struct etcd_kv *lock,
    const struct etcd_kv *sent)
{
	const struct fleet *fleet = turn->fleet;
	bool others = lock != NULL && fleet_turn_of(fleet, lock->value) == 0;

	turn->lock_seen = turn->sent_seen = 0;
	if (others && !turn->wish.waits) {
		say_holder(turn, lock, "is renewing it");
		tell(turn, FLEET_LATER, turn->text);
		return;
	}
	if (others) {
		say_holder(turn, lock, "is renewing it");
		wait_or_give_up(turn, POLL_MS);
		return;
	}
	if (lock != NULL)
		turn->lock_seen = lock->mod_revision; /* of a turn before */
	if (sent != NULL && fleet_turn_of(fleet, sent->value) == 0 &&
	    !turn->wish.needed) {
		say_holder(turn, sent,
		    "vanished while it renewed it, and may have "
		    "the answer: it is waited for as long as the token lives");
		tell(turn, FLEET_LATER, turn->text);
		return;
	}
	if (sent != NULL)
		turn->sent_seen = sent->mod_revision;
	fleet_later(&turn->timer, 0);
}

static void answered(void *ctx, const struct etcd_answer *answer)
{
	struct fleet_turn *turn = ctx;
	struct fleet *fleet = turn->fleet;

	turn->call = NULL;
	fleet_heard(fleet, answer);
	if (answer->succeeded)
		turn->lock = answer->revision;
	if (turn->ended) {
		give_back(turn, false);
		return;
	}
	if (!answer->ok) {
		(void)snprintf(turn->text, sizeof(turn->text), "%s",
		    answer->text);
		/* Its lease may have ended without its knowing. */
		if (!answer->maybe)
			fleet_look_at_lease(fleet);
		if (fleet->o.calls->now_ms() >= turn->until_ms)
			tell_away(turn, turn->text);
		else
			fleet_later(&turn->timer, SOON_MS);
		return;
	}
	if (answer->succeeded) {
		if (is_ours(turn, answer))
			tell(turn, FLEET_GO, "");
		return;
	}
	if (is_ours(turn, answer))
		look_at_others(turn, find(answer, turn->keys.lock),
		    find(answer, turn->keys.sent));
}

static enum fault ask(struct fleet_turn *turn)
{
	struct fleet *fleet = turn->fleet;
	const struct fleet_keys *keys = &turn->keys;
	const struct etcd_compare compares[] = {
		{ keys->lock, turn->lock_seen },
		{ keys->sent, turn->sent_seen },
	};
	const struct etcd_op take[] = {
		{ .kind = ETCD_PUT,
		    .key = keys->lock,
		    .value = span_of(turn->value),
		    .lease = fleet->lease },
		{ .kind = ETCD_PUT,
		    .key = keys->sent,
		    .value = span_of(turn->value) },
		{ .kind = ETCD_GET, .key = keys->record },
	};
	const struct etcd_op look[] = {
		{ .kind = ETCD_GET, .key = keys->lock },
		{ .kind = ETCD_GET, .key = keys->sent },
		{ .kind = ETCD_GET, .key = keys->record },
	};
	const struct etcd_txn txn = { compares, 2, take, 3, look, 3 };

	turn->lease = fleet->lease;
	return etcd_txn(fleet->etcd, &txn, answered, turn, &turn->call);
}

static void try_turn(struct fleet_turn *turn)
{
	struct fleet *fleet = turn->fleet;
	const struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    turn->wish.account);

	if (fleet->leaving) {
		tell(turn, FLEET_LATER, "the helper is stopping");
	} else if (fleet->state == FLEET_AWAY) {
		tell_away(turn, fleet->text);
	} else if (fleet->state == FLEET_CATCHING_UP ||
	    fleet_lease_left_ms(fleet) < TURN_LEAST_MS ||
	    (base != NULL && base->put != NULL)) {
		(void)snprintf(turn->text, sizeof(turn->text), "%s",
		    fleet->state == FLEET_CATCHING_UP ?
			fleet_away(fleet) :
			base != NULL && base->put != NULL ?
			"what this relay has renewed is not shared yet" :
			"etcd has not prolonged this relay's lease yet");
		wait_or_give_up(turn, SOON_MS);
	} else if (ask(turn) != FAULT_NONE) {
		fleet_later(&turn->timer, POLL_MS);
	}
}

static void time_to_try(evutil_socket_t fd, short what, void *ctx)
{
	struct fleet_turn *turn = ctx;

	(void)fd;
	(void)what;
	if (turn->wish.done != NULL && turn->call == NULL)
		try_turn(turn);
}

enum fault fleet_turn_start(struct fleet *fleet, const struct fleet_wish *wish,
    struct fleet_turn **turn_out)
{
	struct fleet_turn *turn = calloc(1, sizeof(*turn));
	char *account = strdup(wish->account);

	if (turn == NULL || account == NULL) {
		free(account);
		free(turn);
		return FAULT_NOMEM;
	}
	turn->fleet = fleet;
	turn->number = ++fleet->n_turns;
	(void)snprintf(turn->value, sizeof(turn->value), "%s.%llu", fleet->id,
	    (unsigned long long)turn->number);
	turn->wish = *wish;
	turn->wish.account = turn->account = account;
	fleet_keys(fleet, account, &turn->keys);
	turn->until_ms = fleet->o.calls->now_ms() + TURN_MAX_MS;
	(void)evtimer_assign(&turn->timer, fleet->o.base, time_to_try, turn);
	turn->next = fleet->turns;
	fleet->turns = turn;
	fleet_later(&turn->timer, 0);
	*turn_out = turn;
	return FAULT_NONE;
}

bool fleet_turn_may_send(const struct fleet_turn *turn)
{
	return turn->alone ||
	    (turn->lease == turn->fleet->lease &&
		fleet_lease_left_ms(turn->fleet) >= FLEET_EXCHANGE_MS);
}

void fleet_turn_end(struct fleet_turn *turn, bool lost)
{
	if (turn == NULL)
		return;
	turn->wish.done = NULL;
	turn->ended = turn->call != NULL && !turn->fleet->over;
	if (turn->ended)
		return;
	give_back(turn, lost);
}

void fleet_turns_drop(struct fleet *fleet)
{
	while (fleet->turns != NULL)
		drop(fleet->turns);
}

void fleet_turns_again(struct fleet *fleet, const char *account)
{
	struct fleet_turn *turn;

	for (turn = fleet->turns; turn != NULL; turn = turn->next)
		if (turn->wish.done != NULL && turn->call == NULL &&
		    (account == NULL ||
			strcmp(account, turn->wish.account) == 0))
			fleet_later(&turn->timer, 0);
}
