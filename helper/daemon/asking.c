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
	struct event timer;
	int64_t asked_ms;
	struct waiter *next;
};

static void waiter_free(struct waiter *waiter)
{
	(void)evtimer_del(&waiter->timer);
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
	bool renewal = waiter->question.renewal;
	int64_t until_ms = begun ? refresh->begun_ms + WAIT_MAX_MS :
				   waiter->asked_ms + TURN_MAX_MS;
	struct timeval limit;

	if (renewal && !begun)
		return true;
	if (!renewal && until_ms > waiter->asked_ms + ASK_MAX_MS)
		until_ms = waiter->asked_ms + ASK_MAX_MS;
	limit = clock_span(until_ms - clock_boot_ms());
	return evtimer_add(&waiter->timer, &limit) == 0;
}

static enum fault add_waiter(struct account *account,
    const struct account_question *question)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return FAULT_NOMEM;
	(void)evtimer_assign(&waiter->timer, account->engine->base, waited_long,
	    waiter);
	waiter->account = account;
	waiter->question = *question;
	waiter->question.mailbox = NULL; /* may be the configuration's */
	waiter->asked_ms = clock_boot_ms();
	if (!set_limit(waiter)) {
		waiter_free(waiter);
		return FAULT_NOMEM;
	}
	waiter->next = account->waiters;
	account->waiters = waiter;
	return FAULT_NONE;
}

bool asking_is_shared(const struct account *account)
{
	return account->record.in_memory && account->subject == NULL;
}

/* Not one of the provider's, nor kept at the sign-in: of the mailbox's
 * block, or a wrong one. */
static enum fault check_block(const struct account *account,
    const struct account_question *question, struct why *why)
{
	const struct config *config = account->engine->config;
	const char *mailbox = question->mailbox != NULL ? question->mailbox :
							  account->name;
	const struct config_account *block = config_account(config, mailbox);
	char name[SERVER_MAX_BYTES + 1];

	if (block != NULL && block->servers != NULL &&
	    provider_serves(account->provider, span_of(mailbox), block->servers,
		question->server))
		return FAULT_NONE;
	attr_plain(question->server, name, sizeof(name));
	why_set(why, 0,
	    "%s is not a server of provider '%s': if it should be, write "
	    "servers %s below account %s in %s",
	    name, account->provider->name, name, mailbox, config->path);
	return FAULT_WRONG_SERVER;
}

/* Its record is here and may be used for that server. */
static enum fault check(struct account *account,
    const struct account_question *question, struct why *why)
{
	const char *mailbox = question->mailbox != NULL ? question->mailbox :
							  account->name;
	enum fault fault = FAULT_NONE;

	if (account->ready != account->engine->edition)
		fault = account_ready(account, why);
	if (fault == FAULT_NONE && question->server.n > 0 &&
	    !provider_serves(account->provider, span_of(mailbox),
		account->record.entry->servers, question->server))
		fault = check_block(account, question, why);
	if (fault == FAULT_NONE && account->record.entry->protocols != NULL &&
	    !grant_covers(account->record.entry, question->service, why))
		fault = FAULT_LOGIN_NEEDED;
	return fault;
}

/*
 * The verdict, with an answer unless it is PLAN_WAIT; its text may be in why.
 *
 * fresh  in: its token has just come
 */
static enum plan_verdict decide(struct account *account,
    const struct account_question *question, bool fresh, struct why *why,
    struct account_answer *answer_out)
{
	struct plan_question asked = {
		.min_validity_s = question->min_validity_s,
		.force = question->force,
		.in_flight = account->refresh.place == REFRESH_RUNS,
		.stopping = account->engine->stopping,
	};
	enum plan_verdict verdict = PLAN_SERVE;
	const struct entry *entry;
	struct now now = clock_now();
	enum fault fault = FAULT_NONE;

	if (!fresh)
		fault = check(account, question, why);
	if (fault != FAULT_NONE) {
		*answer_out = (struct account_answer){ .fault = fault,
			.text = why_text(why, fault),
			.retry_after_s = fault == FAULT_TRY_LATER ?
			    TURN_RETRY_S :
			    -1 };
		return PLAN_REFUSE;
	}
	entry = account->record.entry;
	asked.refused = account->refused != NULL &&
	    !asking_is_shared(account) &&
	    refused_forbids(account->refused, entry, question->server,
		question->service);
	if (fresh && asked.refused) {
		*answer_out = plan_refused;
		return PLAN_REFUSE;
	}
	if (!fresh) {
		asked.has_token = entry->access_token != NULL;
		asked.server_min_s = account->provider->min_validity_s;
		verdict = plan(&account->standing, &asked, &now, answer_out);
	}
	if (verdict == PLAN_WAIT && asked.refused && !asked.in_flight)
		account->standing.forced_ms = now.boot_ms;
	if (verdict != PLAN_SERVE && verdict != PLAN_SERVE_AND_RENEW)
		return verdict;
	if (account->refused != NULL)
		refused_served(account->refused, entry, question->server,
		    question->service, now.boot_ms);
	*answer_out = (struct account_answer){ .entry = entry,
		.unsaved = account->record.unsaved,
		.retry_after_s = -1 };
	return verdict;
}

void asking_ask(struct account *account,
    const struct account_question *question)
{
	struct account_answer answer = { .fault = FAULT_INTERNAL,
		.text = fault_text(FAULT_INTERNAL),
		.retry_after_s = -1 };
	struct why why = { .err = 0, .text = "" };
	enum plan_verdict verdict;

	if (!question->force)
		account->record.asked_s = clock_now().wall_s;
	if (account->edition != account->engine->edition)
		account_reconsider(account);
	verdict = decide(account, question, false, &why, &answer);
	if (verdict == PLAN_WAIT &&
	    add_waiter(account, question) == FAULT_NONE) {
		/* One that cannot even start answers at once. */
		refresh_want(&account->refresh, !question->renewal);
		return;
	}
	question->fn(question->ctx, account, &answer);
	if (verdict == PLAN_SERVE_AND_RENEW)
		refresh_want(&account->refresh, false);
	else if (verdict == PLAN_SERVE && account->idle)
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
		else
			verdict = decide(account, &waiter->question, fresh,
			    &why, &own);
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
