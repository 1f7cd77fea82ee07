/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A verdict each, and a timer for each who waits.
 */
#include "daemon/asking.h"

#include <event2/event.h>
#include <stdlib.h>

#include "daemon/refused.h"

#define WAIT_MAX_MS  25000 /* from an exchange's beginning */
#define TURN_MAX_MS  30000 /* until it begins: clients wait 35 s */
#define ASK_MAX_MS   33000 /* both together */
#define TURN_RETRY_S 5

struct waiter {
	struct account *account;
	struct account_question question;
	struct event *timer;
	int64_t asked_ms;
	struct waiter *next;
};

static void waiter_free(struct waiter *waiter)
{
	if (waiter->timer != NULL)
		event_free(waiter->timer);
	free(waiter);
}

void asking_leave(struct account *account, const void *ctx)
{
	struct waiter **at = &account->waiters, *waiter;

	while (*at != NULL) {
		waiter = *at;
		if (waiter->question.ctx != ctx) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		waiter_free(waiter);
	}
}

static void waited_long(evutil_socket_t fd, short events, void *ctx)
{
	struct waiter *waiter = ctx;
	struct account *account = waiter->account;
	struct account_question question = waiter->question;
	struct account_answer answer = {
		.fault = FAULT_TIMEOUT,
		.text = "the provider has not answered yet; if it does, the "
			"next who asks has the token",
		.retry_after_s = -1,
	};

	(void)fd;
	(void)events;
	if (account->refresh.place == REFRESH_QUEUED)
		answer = (struct account_answer){
			.fault = FAULT_TRY_LATER,
			.text = "the helper is busy with other exchanges, and "
				"this one has not had its turn yet",
			.retry_after_s = TURN_RETRY_S,
		};
	asking_leave(account, question.ctx);
	question.fn(question.ctx, account, &answer);
}

static bool set_limit(struct waiter *waiter)
{
	const struct refresh *refresh = &waiter->account->refresh;
	bool begun = refresh->place == REFRESH_RUNS;
	int64_t until_ms = waiter->asked_ms + TURN_MAX_MS;
	struct timeval limit;

	if (waiter->question.renewal && !begun)
		return true;
	if (begun)
		until_ms = refresh->begun_ms + WAIT_MAX_MS;
	if (begun && !waiter->question.renewal &&
	    until_ms > waiter->asked_ms + ASK_MAX_MS)
		until_ms = waiter->asked_ms + ASK_MAX_MS;
	until_ms -= clock_boot_ms();
	if (until_ms < 0)
		until_ms = 0;
	limit.tv_sec = (time_t)(until_ms / 1000);
	limit.tv_usec = (suseconds_t)(until_ms % 1000 * 1000);
	return evtimer_add(waiter->timer, &limit) == 0;
}

static enum fault add_waiter(struct account *account,
    const struct account_question *question)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return FAULT_NOMEM;
	waiter->timer = evtimer_new(account->engine->base, waited_long, waiter);
	waiter->account = account;
	waiter->question = *question;
	waiter->question.mailbox = NULL; /* may be the configuration's */
	waiter->asked_ms = clock_boot_ms();
	if (waiter->timer == NULL || !set_limit(waiter)) {
		waiter_free(waiter);
		return FAULT_NOMEM;
	}
	waiter->next = account->waiters;
	account->waiters = waiter;
	return FAULT_NONE;
}

static struct account_answer token_for(struct account *account,
    const struct account_question *question)
{
	refused_served(account->refused, account->record.entry,
	    question->server, question->service, clock_boot_ms());
	return (struct account_answer){ .entry = account->record.entry,
		.unsaved = account->record.unsaved,
		.retry_after_s = -1 };
}

bool asking_is_shared(const struct account *account)
{
	return account->record.in_memory && account->subject == NULL;
}

static bool is_refused(const struct account *account,
    const struct account_question *question)
{
	return !asking_is_shared(account) &&
	    refused_forbids(account->refused, account->record.entry,
		question->server, question->service);
}

/* FAULT_NONE when its record is here and may be used for that server. */
static enum fault check(struct account *account,
    const struct account_question *question, int64_t *server_min_s_out,
    struct why *why)
{
	const struct config *config = account->engine->config;
	const char *mailbox = question->mailbox != NULL ? question->mailbox :
							  account->name;
	struct provider *provider = NULL;
	const struct entry *entry;
	char name[SERVER_MAX_BYTES + 1];
	enum fault fault;

	fault = account_read(account, why);
	entry = account->record.entry;
	if (fault == FAULT_NONE)
		fault = grant_provider(config, entry, &provider, why);
	if (fault != FAULT_NONE)
		return fault;
	if (question->server.n > 0 &&
	    !grant_serves(config, entry, provider, mailbox, question->server)) {
		attr_plain(question->server, name, sizeof(name));
		why_set(why, 0,
		    "%s is not a server of provider '%s': if it should be, "
		    "write servers %s below account %s in %s",
		    name, provider->name, name, mailbox, config->path);
		fault = FAULT_WRONG_SERVER;
	} else if (!grant_covers(entry, question->service, why)) {
		fault = FAULT_LOGIN_NEEDED;
	}
	*server_min_s_out = provider->min_validity_s;
	provider_release(provider);
	return fault;
}

/* The verdict, with an answer unless it is PLAN_WAIT; its text may be in
 * why. */
static enum plan_verdict decide(struct account *account,
    const struct account_question *question, struct why *why,
    struct account_answer *answer_out)
{
	struct plan_question asked = {
		.min_validity_s = question->min_validity_s,
		.force = question->force,
		.in_flight = account->refresh.place == REFRESH_RUNS,
		.stopping = account->engine->stopping,
	};
	struct now now = engine_now();
	enum plan_verdict verdict;
	enum fault fault;

	fault = check(account, question, &asked.server_min_s, why);
	if (fault != FAULT_NONE) {
		*answer_out = (struct account_answer){ .fault = fault,
			.text = why_text(why, fault),
			.retry_after_s = fault == FAULT_TRY_LATER ?
			    TURN_RETRY_S :
			    -1 };
		return PLAN_REFUSE;
	}
	asked.has_token = account->record.entry->access_token != NULL;
	asked.refused = is_refused(account, question);
	verdict = plan(&account->standing, &asked, &now, answer_out);
	if (verdict == PLAN_SERVE || verdict == PLAN_SERVE_AND_RENEW)
		*answer_out = token_for(account, question);
	if (verdict == PLAN_WAIT && asked.refused && !asked.in_flight)
		account->standing.forced_ms = now.boot_ms;
	return verdict;
}

void asking_ask(struct account *account,
    const struct account_question *question)
{
	bool was_idle = !account_is_in_use(account);
	struct account_answer answer = { .fault = FAULT_INTERNAL,
		.text = fault_text(FAULT_INTERNAL),
		.retry_after_s = -1 };
	struct why why = { .err = 0, .text = "" };
	enum plan_verdict verdict;

	if (!question->force)
		account->record.asked_s = clock_wall_s();
	account_keep_up(account);
	verdict = decide(account, question, &why, &answer);
	if (verdict == PLAN_WAIT &&
	    add_waiter(account, question) == FAULT_NONE) {
		/* One that cannot even start answers at once. */
		refresh_want(&account->refresh, !question->renewal);
		return;
	}
	question->fn(question->ctx, account, &answer);
	if (verdict == PLAN_SERVE_AND_RENEW)
		refresh_want(&account->refresh, false);
	else if (verdict == PLAN_SERVE && was_idle)
		account_arm(account);
}

/* The list is taken first: an answer may bring the next question. */
void asking_answer(struct account *account, const struct account_answer *answer,
    bool fresh)
{
	struct waiter *waiter = account->waiters, *next;
	enum plan_verdict verdict = PLAN_REFUSE;
	struct account_answer own;
	struct why why;

	account->waiters = NULL;
	for (; waiter != NULL; waiter = next) {
		next = waiter->next;
		why.text[0] = '\0';
		if (answer != NULL)
			own = *answer;
		else if (fresh && is_refused(account, &waiter->question))
			own = plan_refused;
		else if (fresh)
			own = token_for(account, &waiter->question);
		else
			verdict = decide(account, &waiter->question, &why,
			    &own);
		if (verdict == PLAN_WAIT) {
			waiter->next = account->waiters;
			account->waiters = waiter;
			continue;
		}
		waiter->question.fn(waiter->question.ctx, account, &own);
		waiter_free(waiter);
	}
}

void asking_begins(struct account *account)
{
	struct waiter *waiter;

	for (waiter = account->waiters; waiter != NULL; waiter = waiter->next)
		(void)set_limit(waiter);
}
