/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is to be written there, until it is.  A put that may or may not have
 * been carried out is tried again: that it was shows in the record.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/fleet_impl.h"
#include "wire/words.h"

#define SOON_MS 200

static void pump(struct fleet *fleet);

static void leave_queue(struct fleet_job *job)
{
	struct fleet_job **at = &job->fleet->ready;

	while (*at != job)
		at = &(*at)->ready;
	*at = job->ready;
	if (job->ready == NULL)
		job->fleet->last = at;
	job->queued = false;
}

static void end(struct fleet_job *job)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);

	if (base != NULL && base->put == job)
		base->put = NULL;
	if (job->queued)
		leave_queue(job);
	if (job->next != NULL)
		job->next->before = job->before;
	if (job->before != NULL)
		job->before->next = job->next;
	else
		fleet->jobs = job->next;
	etcd_cancel(job->call);
	(void)evtimer_del(&job->timer);
	entry_free(job->tried[0]);
	entry_free(job->tried[1]);
	free(job->account);
	free(job);
}

/* The lock is still to be given back, whatever became of the record. */
static void release_or_end(struct fleet_job *job)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);

	if (base != NULL && base->put == job)
		base->put = NULL;
	if (job->lock == 0) {
		end(job);
		return;
	}
	job->kind = FLEET_JOB_RELEASE;
	fleet_later(&job->timer, 0);
}

static void put_done(struct fleet_job *job)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);

	fleet->counts.put++;
	if (base != NULL && base->changes != job->changes) {
		fleet_later(&job->timer, 0); /* it has changed meanwhile */
		return;
	}
	if (base != NULL && base->unput) {
		base->unput = base->anew = false;
		fleet->o.calls->is_put(fleet->o.ctx, job->account);
	}
	job->look = base != NULL && job->met > base->revision;
	if (job->look)
		fleet_later(&job->timer, 0); /* somebody's is newer already */
	else
		release_or_end(job);
}

static void put_refused(struct fleet_job *job, const struct etcd_answer *answer)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);
	enum fleet_comparison found = FLEET_THEIRS;

	job->look = false;
	if (answer->n_kvs > 0)
		found = fleet_compare(fleet, job->account, &answer->kvs[0],
		    job);
	else if (base != NULL &&
	    !fleet_absent(fleet, job->account, base, answer->revision))
		found = FLEET_OURS;
	if (found == FLEET_OURS)
		fleet_later(&job->timer, 0);
	else
		release_or_end(job);
}

/* Whoever has it by the time that this is carried out. */
static bool ends_lock(const struct fleet_job *job)
{
	return job->lock != 0 && job->lease == job->fleet->lease &&
	    fleet_lease_left_ms(job->fleet) > 2 * ETCD_CALL_MAX_MS;
}

static void tell(const struct fleet_job *job, enum fleet_verdict verdict,
    const char *text)
{
	if (job->done != NULL)
		job->done(job->ctx, verdict, text);
}

/* Nobody waits for it any more who would forget it here. */
static void forgotten(struct fleet_job *job, const struct etcd_answer *answer)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);

	if (answer->ok && job->done == NULL && base != NULL)
		(void)fleet_absent(fleet, job->account, base, answer->revision);
	tell(job, answer->ok ? FLEET_GO : FLEET_LATER, answer->text);
	end(job);
}

static void answered(void *ctx, const struct etcd_answer *answer)
{
	struct fleet_job *job = ctx;
	struct fleet *fleet = job->fleet;
	struct fleet_base *base;

	job->call = NULL;
	fleet->calls--;
	fleet->counted_ms = 0;
	fleet_heard(fleet, answer);
	job->may_be = !answer->ok && answer->maybe;
	if (answer->ok)
		fleet->unput[0] = '\0';
	if (job->kind == FLEET_JOB_FORGET) {
		forgotten(job, answer);
	} else if (!answer->ok) {
		(void)snprintf(fleet->unput, sizeof(fleet->unput), "%s",
		    answer->text);
		fleet_later(&job->timer, FLEET_RETRY_MS);
	} else if (job->kind == FLEET_JOB_RELEASE) {
		end(job);
	} else if (!answer->succeeded) {
		put_refused(job, answer);
	} else {
		base = fleet->o.calls->base(fleet->o.ctx, job->account);
		if (base != NULL) {
			base->cluster = fleet->cluster;
			base->revision = answer->revision;
		}
		if (job->ends)
			job->lock = 0;
		put_done(job);
	}
	pump(fleet);
}

static void swap(struct entry **a, struct entry **b)
{
	struct entry *was = *a;

	*a = *b;
	*b = was;
}

/* Without what is this relay's alone. */
static enum fault seal(struct fleet_job *job, struct buf *out)
{
	const struct span none = { NULL, 0 };
	struct entry *entry = NULL;
	enum fault fault;

	fault = job->fleet->o.calls->entry(job->fleet->o.ctx, job->account,
	    &entry);
	if (fault != FAULT_NONE)
		return fault;
	(void)!string_set(&entry->fleet_cluster, none);
	entry->fleet_revision = entry->fleet_unput = 0;
	entry->asked_s = entry->not_before_s = 0;
	fault = keyring_sealed(job->fleet->o.keyring, entry, out);
	if (job->may_be)
		swap(&job->tried[0], &job->tried[1]);
	entry_free(job->tried[0]);
	job->tried[0] = entry;
	return fault;
}

static enum fault put(struct fleet_job *job, struct fleet_base *base)
{
	struct fleet *fleet = job->fleet;
	struct buf bytes = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct fleet_keys keys;
	struct etcd_compare compare = { .revision = base->revision };
	struct etcd_op ops[] = { { .kind = ETCD_PUT }, { .kind = ETCD_DELETE },
		{ .kind = ETCD_DELETE } };
	struct etcd_op look = { .kind = ETCD_GET };
	struct etcd_txn txn = { &compare, 1, ops, 1, &look, 1 };
	enum fault fault = FAULT_NONE;

	fleet_keys(fleet, job->account, &keys);
	compare.key = ops[0].key = look.key = keys.record;
	ops[1].key = keys.sent;
	ops[2].key = keys.lock;
	job->ends = ends_lock(job);
	if (!base->unput)
		txn.n_then = 0;
	else
		fault = seal(job, &bytes);
	/* A mark of an older grant means nothing for a new one. */
	if (base->unput && (job->ends || base->anew))
		txn.n_then = job->ends ? 3 : job->lock == 0 ? 2 : 1;

	ops[0].value = buf_span(&bytes);
	job->changes = base->changes;
	if (fault == FAULT_NONE)
		fault = etcd_txn(fleet->etcd, &txn, answered, job, &job->call);
	buf_drop(&bytes);
	return fault;
}

/* Lock and mark were written together: whose the mark is, his is the lock. */
static enum fault release(struct fleet_job *job)
{
	struct fleet_keys keys;
	struct etcd_compare compare = { .revision = job->lock };
	struct etcd_op ops[] = { { .kind = ETCD_DELETE },
		{ .kind = ETCD_DELETE } };
	const struct etcd_txn txn = { &compare, 1, ops, job->keeps_sent ? 1 : 2,
		NULL, 0 };

	fleet_keys(job->fleet, job->account, &keys);
	compare.key = job->keeps_sent || job->stale ? keys.lock : keys.sent;
	ops[0].key = keys.lock;
	ops[1].key = keys.sent;
	return etcd_txn(job->fleet->etcd, &txn, answered, job, &job->call);
}

static enum fault forget(struct fleet_job *job)
{
	struct fleet_keys keys;
	struct etcd_op ops[] = { { .kind = ETCD_DELETE },
		{ .kind = ETCD_DELETE }, { .kind = ETCD_DELETE } };
	const struct etcd_txn txn = { NULL, 0, ops, 3, NULL, 0 };

	fleet_keys(job->fleet, job->account, &keys);
	ops[0].key = keys.record;
	ops[1].key = keys.lock;
	ops[2].key = keys.sent;
	return etcd_txn(job->fleet->etcd, &txn, answered, job, &job->call);
}

/* What is being put would come after it; what is not yet, need not. */
static bool waits_for_put(struct fleet_job *job)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx,
	    job->account);
	struct fleet_job *put = base != NULL ? base->put : NULL;

	if (put == NULL)
		return false;
	if (put->call == NULL && !put->may_be) {
		end(put);
		return false;
	}
	fleet_later(&job->timer, SOON_MS);
	return true;
}

static void try_job(struct fleet_job *job)
{
	struct fleet *fleet = job->fleet;
	struct fleet_base *base;
	enum fault fault = FAULT_NONE;

	if (fleet->state != FLEET_IN_STEP && job->kind == FLEET_JOB_FORGET) {
		tell(job, FLEET_LATER, fleet_away(fleet));
		end(job);
		return;
	}
	if (fleet->state != FLEET_IN_STEP)
		return; /* until fleet_jobs_again() */
	if (job->kind == FLEET_JOB_FORGET && waits_for_put(job))
		return;
	base = fleet->o.calls->base(fleet->o.ctx, job->account);
	if (job->kind == FLEET_JOB_FORGET) {
		fault = forget(job);
	} else if (job->kind == FLEET_JOB_RELEASE) {
		fault = release(job);
	} else if (base == NULL || (!base->unput && !job->look)) {
		release_or_end(job);
		return;
	} else {
		/* What an earlier life held ends with what it has left. */
		if (job->lock == 0)
			job->lock = base->held;
		base->held = 0;
		fault = put(job, base);
	}
	if (fault == FAULT_NONE)
		fleet->calls++;
	else if (fault == FAULT_NOMEM || fault == FAULT_IO)
		fleet_later(&job->timer, FLEET_RETRY_MS);
	else if (fault != FAULT_NONE)
		release_or_end(job); /* it cannot be read here */
}

/* So many at once: the first joining of a large keyring has one an account. */
static void pump(struct fleet *fleet)
{
	struct fleet_job *job;

	while (fleet->calls < FLEET_CALLS_MAX && (job = fleet->ready) != NULL) {
		leave_queue(job);
		try_job(job);
	}
}

static void time_to_try(evutil_socket_t fd, short what, void *ctx)
{
	struct fleet_job *job = ctx;

	(void)fd;
	(void)what;
	if (job->call != NULL || job->queued)
		return;
	job->queued = true;
	job->ready = NULL;
	*job->fleet->last = job;
	job->fleet->last = &job->ready;
	pump(job->fleet);
}

bool fleet_is_forgetting(const struct fleet *fleet, const char *account)
{
	const struct fleet_job *job = fleet->jobs;

	while (job != NULL &&
	    (job->kind != FLEET_JOB_FORGET ||
		strcmp(job->account, account) != 0))
		job = job->next;
	return job != NULL;
}

struct fleet_job *fleet_job(struct fleet *fleet, enum fleet_job_kind kind,
    const char *account)
{
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx, account);
	struct fleet_job *job;

	if (kind == FLEET_JOB_PUT && (base == NULL || base->put != NULL))
		return base != NULL ? base->put : NULL;
	job = calloc(1, sizeof(*job));
	if (job == NULL || (job->account = strdup(account)) == NULL) {
		free(job);
		return NULL;
	}
	fleet->counted_ms = 0;
	job->fleet = fleet;
	job->kind = kind;
	(void)evtimer_assign(&job->timer, fleet->o.base, time_to_try, job);
	job->next = fleet->jobs;
	if (job->next != NULL)
		job->next->before = job;
	fleet->jobs = job;
	if (kind == FLEET_JOB_PUT)
		base->put = job;
	fleet_later(&job->timer, 0);
	return job;
}

void fleet_put(struct fleet *fleet, const char *account, bool anew)
{
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx, account);
	struct fleet_turn *turn = fleet->turns;
	struct fleet_job *job;

	if (base == NULL || fleet->over)
		return;
	fleet->counted_ms = 0;
	base->changes++;
	base->unput = true;
	base->anew = base->anew || anew;
	job = fleet_job(fleet, FLEET_JOB_PUT, account);
	while (turn != NULL && strcmp(turn->account, account) != 0)
		turn = turn->next;
	if (job == NULL || turn == NULL || turn->lock == 0)
		return;
	job->lock = turn->lock;
	job->lease = turn->lease;
	turn->lock = 0;
}

enum fault fleet_forget(struct fleet *fleet, const char *account,
    fleet_turn_fn *done, void *ctx)
{
	struct fleet_job *job = fleet_job(fleet, FLEET_JOB_FORGET, account);

	if (job == NULL)
		return FAULT_NOMEM;
	job->done = done;
	job->ctx = ctx;
	return FAULT_NONE;
}

void fleet_forget_leave(struct fleet *fleet, const void *ctx)
{
	struct fleet_job *job;

	for (job = fleet->jobs; job != NULL; job = job->next)
		if (job->ctx == ctx)
			job->done = NULL;
}

void fleet_jobs_again(struct fleet *fleet)
{
	struct fleet_job *job;

	for (job = fleet->jobs; job != NULL; job = job->next)
		if (job->call == NULL && !job->queued)
			fleet_later(&job->timer, 0);
}

void fleet_jobs_drop(struct fleet *fleet)
{
	while (fleet->jobs != NULL)
		end(fleet->jobs);
}
