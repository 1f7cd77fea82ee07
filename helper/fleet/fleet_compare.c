/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which record is the newer: by revisions of the store, never by a clock, but
 * where two people have signed in without knowing of each other.
 */
#include "fleet/fleet_impl.h"
#include "wire/words.h"

/* A store that was made anew, or put back from a copy, knows less than we do:
 * ours counts as never put. */
static void check_store(const struct fleet *fleet, struct fleet_base *base)
{
	if (base->cluster == fleet->cluster && base->revision <= fleet->newest)
		return;
	base->cluster = fleet->cluster;
	base->revision = 0;
	base->unput = true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return (a == NULL && b == NULL) || secret_equal(a, b);
}

static bool is_same(const struct entry *ours, const struct entry *theirs)
{
	return ours->state == theirs->state &&
	    ours->signed_in_s == theirs->signed_in_s &&
	    same_text(ours->serial, theirs->serial) &&
	    same_text(ours->client_id, theirs->client_id) &&
	    same_secret(ours->refresh_token, theirs->refresh_token) &&
	    same_secret(ours->access_token, theirs->access_token);
}

static enum fleet_comparison adopt(struct fleet *fleet, const char *account,
    struct entry *theirs, int64_t revision)
{
	const struct fleet_news news = {
		.account = account,
		.entry = theirs,
		.cluster = fleet->cluster,
		.revision = revision,
		.just_put = fleet->live_from != 0 &&
		    revision > fleet->live_from,
	};

	fleet->counts.adopted++;
	fleet->o.calls->news(fleet->o.ctx, &news);
	return FLEET_THEIRS;
}

static bool was_tried(const struct fleet_job *job, const struct entry *theirs)
{
	size_t i;

	for (i = 0; job != NULL && i < 2; i++)
		if (job->tried[i] != NULL && is_same(job->tried[i], theirs))
			return true;
	return false;
}

/* Both are made of the same: a sign-in is newer than what it replaced, whatever
 * the clocks say; else they have to. */
static bool is_newer(const struct fleet_base *base, const struct entry *ours,
    const struct entry *theirs)
{
	if (base->anew && theirs->signed_in_s == base->before_s)
		return true;
	return ours->signed_in_s != theirs->signed_in_s ?
	    ours->signed_in_s > theirs->signed_in_s :
	    ours->refreshed_s > theirs->refreshed_s;
}

/* theirs is taken. */
static enum fleet_comparison decide(struct fleet *fleet, const char *account,
    const struct fleet_job *job, struct entry *theirs, int64_t revision)
{
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx, account);
	enum fleet_comparison found = FLEET_THEIRS;
	struct entry *ours = NULL;
	enum fault fault = FAULT_NOT_FOUND;

	if (base != NULL)
		fault = fleet->o.calls->entry(fleet->o.ctx, account, &ours);
	if (fault == FAULT_IO || fault == FAULT_NOMEM) {
		entry_free(theirs); /* it passes: it is looked at again */
		return FLEET_SAME;
	}
	if (fault != FAULT_NONE)
		return adopt(fleet, account, theirs, revision);
	if (is_same(ours, theirs)) {
		found = FLEET_SAME;
		base->revision = revision;
		base->unput = base->anew = false;
		fleet->o.calls->is_put(fleet->o.ctx, account);
	} else if (base->unput &&
	    (was_tried(job, theirs) || is_newer(base, ours, theirs))) {
		found = FLEET_OURS;
		base->revision = revision;
	} else {
		fleet->counts.conflicts += base->unput;
	}
	entry_free(ours);
	if (found == FLEET_THEIRS)
		return adopt(fleet, account, theirs, revision);
	entry_free(theirs);
	return found;
}

enum fleet_comparison fleet_compare(struct fleet *fleet, const char *account,
    const struct etcd_kv *kv, const struct fleet_job *job)
{
	struct fleet_base *base = fleet->o.calls->base(fleet->o.ctx, account);
	struct fleet_news bad = { .account = account };
	struct why why = { .err = 0, .text = "" };
	struct entry *theirs = NULL;
	enum fault fault;

	fleet->counted_ms = 0;
	if (base != NULL)
		check_store(fleet, base);
	/* What was told before may come once more. */
	if (base != NULL && kv->mod_revision <= base->revision)
		return base->unput && kv->mod_revision == base->revision ?
		    FLEET_OURS :
		    FLEET_SAME;
	fault = keyring_unsealed(fleet->o.keyring, span_of(account), kv->value,
	    &theirs, &why);
	/* Damaged: a sign-in mends it.  Without its key nobody knows. */
	if (base != NULL && base->anew &&
	    (fault == FAULT_GRAMMAR || fault == FAULT_DENIED)) {
		base->revision = kv->mod_revision;
		return FLEET_OURS;
	}
	if (fault != FAULT_NONE) {
		bad.text = why_text(&why, fault);
		fleet->o.calls->news(fleet->o.ctx, &bad);
		return FLEET_BAD;
	}
	return decide(fleet, account, job, theirs, kv->mod_revision);
}

bool fleet_absent(struct fleet *fleet, const char *account,
    struct fleet_base *base, int64_t revision)
{
	const struct fleet_news gone = { .account = account };

	check_store(fleet, base);
	if (base->anew)
		base->revision = 0;
	if (base->revision == 0) {
		base->unput = true;
		(void)fleet_job(fleet, FLEET_JOB_PUT, account);
		return false;
	}
	if (base->revision > revision)
		return false; /* ours came after that */
	fleet->o.calls->news(fleet->o.ctx, &gone);
	return true;
}
