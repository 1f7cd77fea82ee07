/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A turn, then: the record from disk, room for the next one, endpoints, one
 * POST, and the answer into the record.
 */
#include "daemon/refresh.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/issuer.h"
#include "store/safefile.h"

/* Many renewals at once must leave most of the helper to who wants what is
 * there: each costs some 3 ms. */
#define RENEWALS_APART_US 10000

struct refreshes {
	const struct engine *engine;
	struct event pause; /* pending while no renewal may begin */
	unsigned n;
	struct refresh *running[REFRESH_MAX];
	struct refresh queues[2]; /* heads; [1]: somebody waits */
	uint32_t host;		  /* the first that is known */
	bool hosts;		  /* ... and another */
	bool starting;
};

static void begin(struct refresh *refresh);
static void pause_over(evutil_socket_t fd, short events, void *ctx);

enum fault refreshes_new(const struct engine *engine,
    struct refreshes **refreshes_out)
{
	struct refreshes *all = calloc(1, sizeof(*all));
	size_t i;

	if (all == NULL)
		return FAULT_NOMEM;
	all->engine = engine;
	(void)evtimer_assign(&all->pause, engine->base, pause_over, all);
	for (i = 0; i < 2; i++)
		all->queues[i].after = all->queues[i].before = &all->queues[i];
	*refreshes_out = all;
	return FAULT_NONE;
}

void refreshes_free(struct refreshes *all)
{
	if (all != NULL)
		(void)event_del(&all->pause);
	free(all);
}

unsigned refreshes_running(const struct refreshes *all)
{
	return all->n;
}

static struct refreshes *all_of(const struct refresh *refresh)
{
	return refresh->record->engine->refreshes;
}

void refresh_know(struct refresh *refresh)
{
	const struct entry *entry = refresh->record->entry;
	const char *name = entry->token_host != NULL ? entry->token_host :
						       entry->issuer;
	struct refreshes *all = all_of(refresh);
	uint32_t hash = 2166136261; /* FNV-1a */

	for (; name != NULL && *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619;
	refresh->host = hash;
	if (all->host == 0)
		all->host = hash;
	all->hosts = all->hosts || all->host != hash;
}

static void put_last(struct refresh *head, struct refresh *refresh)
{
	refresh->before = head->before;
	refresh->after = head;
	head->before->after = refresh;
	head->before = refresh;
}

static void take_out(struct refresh *refresh)
{
	refresh->before->after = refresh->after;
	refresh->after->before = refresh->before;
}

static bool may_begin(const struct refreshes *all,
    const struct refresh *refresh)
{
	unsigned i, same = 0;

	for (i = 0; i < all->n; i++)
		same += all->running[i]->host == refresh->host;
	return all->n < REFRESH_MAX &&
	    (!all->hosts || same < REFRESH_MAX - all->n);
}

/* The first whose host leaves room for others; NULL: none. */
static struct refresh *next_of(struct refreshes *all)
{
	struct refresh *head, *refresh;
	int i;

	for (i = 1; i >= 0; i--) {
		if (i == 0 && evtimer_pending(&all->pause, NULL))
			break;
		head = &all->queues[i];
		for (refresh = head->after; refresh != head;
		     refresh = refresh->after)
			if (may_begin(all, refresh))
				return refresh;
	}
	return NULL;
}

static void begin_some(struct refreshes *all)
{
	static const struct timeval apart = { 0, RENEWALS_APART_US };
	struct refresh *refresh;

	/* One that ends at once comes back here: it must not go deeper. */
	if (all->starting || all->engine->stopping)
		return;
	all->starting = true;
	while (all->n < REFRESH_MAX && (refresh = next_of(all)) != NULL) {
		take_out(refresh);
		if (!refresh->urgent)
			(void)evtimer_add(&all->pause, &apart);
		refresh->place = REFRESH_RUNS;
		all->running[all->n++] = refresh;
		begin(refresh);
	}
	all->starting = false;
}

static void pause_over(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	begin_some(ctx);
}

void refresh_want(struct refresh *refresh, bool urgent)
{
	struct refreshes *all = all_of(refresh);

	if (refresh->place == REFRESH_RUNS || refresh->record->engine->stopping)
		return;
	if (refresh->place == REFRESH_QUEUED) {
		if (refresh->urgent || !urgent)
			return;
		take_out(refresh);
	}
	refresh->place = REFRESH_QUEUED;
	refresh->urgent = urgent;
	put_last(&all->queues[urgent], refresh);
	/* Who cannot begin changes nothing for those before him. */
	if (may_begin(all, refresh))
		begin_some(all);
}

void refresh_cancel(struct refresh *refresh)
{
	struct refreshes *all = all_of(refresh);
	unsigned i;

	fleet_turn_end(refresh->turn,
	    refresh->flow != NULL && !refresh->answered);
	refresh->turn = NULL;
	flow_free(refresh->flow);
	refresh->flow = NULL;
	issuer_cancel(refresh->discovering);
	refresh->discovering = NULL;
	entry_free(refresh->next);
	refresh->next = NULL;
	record_no_room(refresh->record);
	if (refresh->place == REFRESH_QUEUED)
		take_out(refresh);
	refresh->place = REFRESH_IDLE;
	for (i = 0; i < all->n; i++) {
		if (all->running[i] != refresh)
			continue;
		all->running[i] = all->running[--all->n];
		begin_some(all);
		return;
	}
}

static enum fault tell(struct refresh *refresh, struct refresh_event event)
{
	return refresh->event(refresh->ctx, &event);
}

static void end(struct refresh *refresh)
{
	refresh_cancel(refresh);
	(void)tell(refresh, (struct refresh_event){ .kind = REFRESH_OVER });
}

static void log_end_of(const struct refresh *refresh, enum fault fault,
    const struct flow_failure *failure)
{
	const struct entry *entry = refresh->record->entry;
	struct log_line line;

	log_start(&line,
	    fault == FAULT_NONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	    "refresh");
	log_str(&line, "account", refresh->record->name);
	log_str(&line, "outcome", fault_word(fault));
	log_int(&line, "ms", clock_boot_ms() - refresh->begun_ms);
	if (failure == NULL) {
		log_int(&line, "life", entry->granted_s);
	} else {
		log_int(&line, "status", failure->status);
		log_plain(&line, "error", failure->error);
		log_plain(&line, "text", failure->text);
		log_plain(&line, "trace", failure->trace);
	}
	log_end(&line);
}

/* Of a provider that the configuration names, or others together. */
static void count(const struct refresh *refresh, enum fault fault, int64_t ms)
{
	const struct entry *entry = refresh->record->entry;
	struct engine *engine = refresh->record->engine;
	const char *name = entry != NULL ? entry->provider : NULL;

	metrics_refreshed(&engine->metrics,
	    name != NULL && config_provider(engine->config, name) != NULL ?
		name :
		METRICS_OTHERS,
	    fault, ms);
}

static void warn_of_scope(const struct record *record)
{
	struct span word = grant_lacks(record->entry);
	char plain[128];

	if (word.n == 0)
		return;
	attr_plain(word, plain, sizeof(plain));
	log_event(LOG_LEVEL_WARNING, "scope",
	    "%s: the provider no longer grants %s: mail servers may refuse the "
	    "token",
	    record->name, plain);
}

static void finished(void *ctx, const struct flow_event *event)
{
	struct refresh *refresh = ctx;
	struct record *record = refresh->record;
	struct refresh_event told = { .kind = REFRESH_RENEWED,
		.failure = event->failure };
	struct now now = clock_now();
	struct entry *next = refresh->next;
	enum fault fault;

	if (event->kind != FLOW_TOKENS && event->kind != FLOW_FAILED)
		return;
	if (event->token != NULL && record->in_memory) {
		secret_free(event->token->refresh_token);
		event->token->refresh_token = NULL;
	}
	/* On disk first: a waiter's host may be killed with its answer.  An
	 * answer that is of no use otherwise has spent the old token, too. */
	if (event->token != NULL) {
		if (event->kind == FLOW_TOKENS)
			grant_renew(next, event->token, refresh->serial, &now);
		else
			grant_keep(next, event->token, &now);
		refresh->next = NULL;
		record_take(record, next);
	}
	if (event->kind == FLOW_FAILED) {
		told.kind = REFRESH_FAILED;
		told.may_be_spent = event->failure->lost &&
		    event->token == NULL && !record->in_memory;
	}
	refresh->answered = !told.may_be_spent;
	fault = tell(refresh, told);
	count(refresh, fault, clock_boot_ms() - refresh->begun_ms);
	log_end_of(refresh, fault, event->failure);
	if (event->kind == FLOW_TOKENS)
		warn_of_scope(record);
	end(refresh);
}

static enum fault read_assertion(const struct provider *provider,
    struct secret **assertion_out, struct why *why)
{
	struct buf bytes = BUF_INIT(ASSERTION_MAX_BYTES);
	struct why reason = { .err = 0, .text = "" };
	enum fault fault;

	fault = safefile_read_secret(provider->assertion_file,
	    ASSERTION_MAX_BYTES, &bytes, &reason);
	if (fault == FAULT_NONE && bytes.n == 0)
		why_set(&reason, 0,
		    "%s is empty: whatever writes it must put an assertion "
		    "there",
		    provider->assertion_file);
	else if (fault == FAULT_NONE &&
	    (bytes.p[0] == '"' || /* JSON has not been taken off */
		!attr_is_token(buf_span(&bytes), ASSERTION_MAX_BYTES)))
		why_set(&reason, 0, "what stands in %s is no assertion",
		    provider->assertion_file);
	else if (fault == FAULT_NONE)
		fault = secret_new(buf_span(&bytes), assertion_out);
	buf_drop(&bytes);
	if (fault == FAULT_NOMEM || *assertion_out != NULL)
		return fault;
	why_set(why, 0, "provider '%s': assertion_file: %s", provider->name,
	    reason.text);
	return FAULT_CONFIG_ERROR;
}

enum fault refresh_app(const struct flow_target *target, const char *subject,
    struct flow **flow_out, struct why *why)
{
	struct flow_app_wish wish = {
		.subject = subject,
		.now_s = clock_wall_s(),
	};
	struct secret *assertion = NULL;
	enum fault fault = FAULT_NONE;

	if (target->provider->assertion_file != NULL)
		fault = read_assertion(target->provider, &assertion, why);
	wish.assertion = assertion;
	if (fault == FAULT_NONE)
		fault = flow_app_start(target, &wish, flow_out, why);
	secret_free(assertion);
	return fault;
}

static enum fault start_grant(struct refresh *refresh,
    const struct flow_target *target)
{
	const struct entry *entry = refresh->record->entry;
	struct buf scope = BUF_INIT(GRANT_SCOPE_MAX_BYTES);
	enum fault fault;

	fault = grant_scope(entry, target->provider, &scope);
	if (fault == FAULT_NONE)
		fault = flow_refresh_start(target, entry->refresh_token,
		    scope.n > 0 ? scope.p : NULL, &refresh->flow);
	buf_drop(&scope);
	return fault;
}

static bool may_send(void *ctx)
{
	const struct refresh *refresh = ctx;

	return fleet_turn_may_send(refresh->turn);
}

static enum fault start(struct refresh *refresh, struct provider *provider,
    struct why *why)
{
	struct record *record = refresh->record;
	const struct flow_target target = {
		.http = record->engine->http,
		.base = record->engine->base,
		.provider = provider,
		.basic = record->entry->secret_by_basic != 0,
		.event = finished,
		.ctx = refresh,
		.may_send = refresh->turn != NULL ? may_send : NULL,
		.may_send_ctx = refresh,
	};
	enum fault fault;

	fault = grant_prepare(record->entry, provider, &refresh->next);
	if (fault == FAULT_NONE)
		fault = grant_draw_serial(refresh->serial, why);
	if (fault == FAULT_NONE)
		fault = record->in_memory ?
		    refresh_app(&target, refresh->subject, &refresh->flow,
			why) :
		    start_grant(refresh, &target);
	return fault;
}

/* Faults of reading are the account's already; others are told here. */
static void not_started(struct refresh *refresh, enum refresh_event_kind kind,
    enum fault fault, const struct why *why)
{
	count(refresh,
	    tell(refresh,
		(struct refresh_event){ .kind = kind,
		    .fault = fault,
		    .text = why_text(why, fault) }),
	    -1);
	end(refresh);
}

/* With the endpoints of the issuer, or those that worked last. */
static void discovered(void *ctx, const struct issuer_end *told)
{
	struct refresh *refresh = ctx;
	struct record *record = refresh->record;
	struct provider *base = NULL, *whole = NULL;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	refresh->discovering = NULL;
	fault = grant_provider(record->engine->config, record->entry, &base,
	    &why);
	if (fault == FAULT_NONE)
		fault = grant_complete(record->entry, base, told->found, &whole,
		    &why);
	if (fault == FAULT_NOT_FOUND)
		why_set(&why, 0, "%s", told->text);
	if (fault == FAULT_NONE)
		fault = start(refresh, whole, &why);
	provider_release(whole);
	provider_release(base);
	if (fault != FAULT_NONE)
		not_started(refresh, REFRESH_UNSTARTED, fault, &why);
}

/* It has its turn: with its record, and where that is shared, its lock. */
static void proceed(struct refresh *refresh)
{
	const struct issuer_end nothing = { .found = NULL };
	struct record *record = refresh->record;
	struct issuer_wish wish = { .fn = discovered,
		.ctx = refresh,
		.now_ms = clock_boot_ms() };
	struct provider *provider = NULL;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (!record_room(record, refresh->urgent, &why)) {
		not_started(refresh, REFRESH_NO_ROOM, FAULT_IO, &why);
		return;
	}
	fault = grant_provider(record->engine->config, record->entry, &provider,
	    &why);
	wish.provider = provider;
	if (fault == FAULT_NONE && provider->incomplete)
		fault = issuer_start(record->engine->issuers, &wish,
		    &refresh->discovering);
	else if (fault == FAULT_NONE && provider->registers)
		discovered(refresh, &nothing);
	else if (fault == FAULT_NONE)
		fault = start(refresh, provider, &why);
	provider_release(provider);
	if (fault != FAULT_NONE)
		not_started(refresh, REFRESH_UNSTARTED, fault, &why);
}

static void has_turn(void *ctx, enum fleet_verdict verdict, const char *text)
{
	struct refresh *refresh = ctx;
	struct why why = { .err = 0, .text = "" };

	if (verdict != FLEET_LATER) {
		proceed(refresh);
		return;
	}
	why_set(&why, 0, "%s", text);
	not_started(refresh, REFRESH_HELD, FAULT_TRY_LATER, &why);
}

static void begin(struct refresh *refresh)
{
	struct record *record = refresh->record;
	struct fleet *fleet = record->engine->fleet;
	struct now now = clock_now();
	const struct fleet_wish wish = {
		.account = record->name,
		.needed = life_left_s(refresh->life, &now) < PLAN_LEAST_S,
		.waits = refresh->urgent,
		.done = has_turn,
		.ctx = refresh,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	refresh->begun_ms = now.boot_ms;
	refresh->answered = false;
	/* Its record comes into memory only now: many may queue. */
	fault = tell(refresh, (struct refresh_event){ .kind = REFRESH_BEGINS });
	if (fault == FAULT_NONE && fleet != NULL && !record->in_memory)
		fault = fleet_turn_start(fleet, &wish, &refresh->turn);
	else if (fault == FAULT_NONE)
		proceed(refresh);
	if (fault != FAULT_NONE)
		not_started(refresh, REFRESH_UNSTARTED, fault, &why);
}
