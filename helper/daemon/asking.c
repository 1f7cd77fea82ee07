/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Questions to an account: who is answered at once, who waits, and for how
 * long.
 */
#include "daemon/account_impl.h"

#include <stdlib.h>

#include "daemon/grant.h"

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

void account_unwait(struct waiter *waiter)
{
	struct waiter **at;

	for (at = &waiter->account->waiters; *at != NULL; at = &(*at)->next) {
		if (*at == waiter) {
			*at = waiter->next;
			break;
		}
	}
	waiter_free(waiter);
}

/* The list is taken first: an answer may bring the next question. */
void asking_answer_all(struct account *account,
    const struct account_answer *answer)
{
	struct waiter *waiter = account->waiters, *next;

	account->waiters = NULL;
	for (; waiter != NULL; waiter = next) {
		next = waiter->next;
		waiter->question.fn(waiter->question.ctx, answer);
		waiter_free(waiter);
	}
}

static void fill_token(struct account *account,
    const struct account_question *question, struct account_answer *answer)
{
	refusals_served(account, question->server, question->service);
	*answer = (struct account_answer){
		.fault = FAULT_NONE,
		.token = account->entry->access_token,
		.serial = account->entry->serial,
		.expires_s = account->entry->expires_s,
		.unsaved = account->unsaved,
		.retry_after_s = -1,
	};
}

/* A refused token that the provider gives again helps nobody. */
static void fill_refused(struct account_answer *answer)
{
	*answer = (struct account_answer){
		.fault = FAULT_TRY_LATER,
		.text = "a mail server refused this token and the provider "
			"has given no other one yet",
		.retry_after_s = LIFE_RENEWALS_APART_S,
	};
}

/* Just fetched: served whatever its life is. */
void asking_answer_token(struct account *account)
{
	struct waiter *waiter = account->waiters, *next;
	struct account_answer answer;

	account->waiters = NULL;
	for (; waiter != NULL; waiter = next) {
		const struct account_question *question = &waiter->question;

		next = waiter->next;
		if (refusals_forbid(account, question->server,
			question->service))
			fill_refused(&answer);
		else
			fill_token(account, question, &answer);
		question->fn(question->ctx, &answer);
		waiter_free(waiter);
	}
}

static void waited_long(evutil_socket_t fd, short events, void *ctx)
{
	struct waiter *waiter = ctx;
	struct account_answer answer = {
		.fault = FAULT_TIMEOUT,
		.text = "the provider has not answered yet; if it does, the "
			"next who asks has the token",
		.retry_after_s = -1,
	};
	struct account_question question = waiter->question;

	if (waiter->account->wish.place == SLOT_QUEUED) {
		answer.fault = FAULT_TRY_LATER;
		answer.text = "the helper is busy with other exchanges, and "
			      "this one has not had its turn yet";
		answer.retry_after_s = TURN_RETRY_S;
	}

	(void)fd;
	(void)events;
	account_unwait(waiter);
	question.fn(question.ctx, &answer);
}

/*
 * An exchange has its time from its own beginning; but whoever asks goes away
 * after 35 seconds, and is to hear why before.
 */
static bool set_limit(struct waiter *waiter)
{
	const struct account *account = waiter->account;
	bool begun = account->wish.place == SLOT_HELD;
	int64_t left_ms = waiter->asked_ms +
	    (begun ? ACCOUNT_ASK_MAX_MS : ACCOUNT_TURN_MAX_MS);
	struct timeval limit;

	if (waiter->question.renewal && !begun)
		return true;
	if (begun &&
	    (waiter->question.renewal ||
		left_ms > account->started_ms + ACCOUNT_WAIT_MAX_MS))
		left_ms = account->started_ms + ACCOUNT_WAIT_MAX_MS;
	left_ms -= clock_boot_ms();
	if (left_ms < 0)
		left_ms = 0;
	limit.tv_sec = (time_t)(left_ms / 1000);
	limit.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
	return evtimer_add(waiter->timer, &limit) == 0;
}

void asking_began(struct account *account)
{
	struct waiter *waiter;

	for (waiter = account->waiters; waiter != NULL; waiter = waiter->next)
		(void)set_limit(waiter);
}

static enum fault wait_for_it(struct account *account,
    const struct account_question *question, struct waiter **waiter_out)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return FAULT_NOMEM;
	waiter->timer = evtimer_new(account->engine->base, waited_long, waiter);
	waiter->account = account;
	waiter->question = *question;
	waiter->asked_ms = clock_boot_ms();
	if (waiter->timer == NULL || !set_limit(waiter)) {
		waiter_free(waiter);
		return FAULT_NOMEM;
	}
	waiter->question.mailbox = NULL; /* may be the configuration's */
	waiter->next = account->waiters;
	account->waiters = waiter;
	*waiter_out = waiter;
	return FAULT_NONE;
}

/* A refresh token that may be spent is not sent again at once, whoever asks:
 * the provider may not have ended the first exchange yet. */
bool asking_may_send(const struct account *account, const struct now *now,
    struct account_answer *answer)
{
	int64_t left_s = (account->resend_ms - now->boot_ms + 999) / 1000;

	if (now->boot_ms >= account->resend_ms)
		return true;
	*answer = (struct account_answer){ .fault = FAULT_TRY_LATER,
		.text = account->text,
		.retry_after_s = left_s };
	return false;
}

/* May a request start an exchange now?  If not, answer says why. */
bool asking_may_try(const struct account *account, const struct now *now,
    struct account_answer *answer)
{
	int64_t since_ms = now->boot_ms - account->last_try_ms;

	if (!asking_may_send(account, now, answer))
		return false;
	*answer = (struct account_answer){ .text = account->text,
		.retry_after_s = -1 };
	switch (account->trouble) {
	case TROUBLE_LOGIN:
		answer->fault = FAULT_LOGIN_NEEDED;
		return since_ms >= ACCOUNT_RETRY_S * 1000;
	case TROUBLE_CONFIG:
		answer->fault = FAULT_CONFIG_ERROR;
		return since_ms >= ACCOUNT_RETRY_S * 1000;
	case TROUBLE_TRANSIENT:
		answer->fault = account->for_a_day ? FAULT_CONFIG_ERROR :
						     FAULT_TRY_LATER;
		answer->retry_after_s =
		    (account->next_try_ms - now->boot_ms + 999) / 1000;
		return now->boot_ms >= account->next_try_ms;
	case TROUBLE_DISK:
		answer->fault = FAULT_TRY_LATER;
		answer->retry_after_s = 1;
		return since_ms >= ACCOUNT_ROOM_MIN_MS;
	case TROUBLE_UNREAD: answer->fault = FAULT_TRY_LATER; return false;
	case TROUBLE_ISSUER:
	case TROUBLE_RECORD: answer->fault = FAULT_CONFIG_ERROR; return false;
	case TROUBLE_NONE: break;
	}
	return true;
}

static void answer_now(const struct account_question *question,
    struct account_answer *answer)
{
	if (answer->text == NULL && answer->fault != FAULT_NONE)
		answer->text = fault_text(answer->fault);
	question->fn(question->ctx, answer);
}

/* Start an exchange, or join the one in flight, and wait for its end. */
static void ask_provider(struct account *account,
    const struct account_question *question, struct waiter **waiter_out)
{
	struct account_answer answer = { .fault = FAULT_INTERNAL };
	struct now now = engine_now();

	if (!account_in_flight(account) &&
	    !asking_may_send(account, &now, &answer)) {
		answer_now(question, &answer);
		return;
	}
	if (!account->may_renew) {
		answer.fault = FAULT_LOGIN_NEEDED;
		answer.text = "there is no refresh token: sign in again";
		answer_now(question, &answer);
		return;
	}
	if (account->engine->stopping && !account_in_flight(account)) {
		answer.fault = FAULT_TRY_LATER;
		answer.text = "the helper is stopping";
		answer.retry_after_s = 1;
		answer_now(question, &answer);
		return;
	}
	if (refusals_forbid(account, question->server, question->service) &&
	    !account_in_flight(account))
		account->forced_ms = clock_boot_ms();
	if (wait_for_it(account, question, waiter_out) != FAULT_NONE) {
		answer_now(question, &answer);
		return;
	}
	exchange_want(account, !question->renewal);
	/* An exchange that could not even start has answered already. */
	if (account->waiters == NULL)
		*waiter_out = NULL;
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
	char name[SERVER_MAX_BYTES + 1];
	enum fault fault;

	fault = account_read(account, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = account_provider(account, &provider, why);
	if (fault != FAULT_NONE)
		return fault;
	if (question->server.n > 0 &&
	    !grant_serves(config, account->entry, provider, mailbox,
		question->server)) {
		attr_plain(question->server, name, sizeof(name));
		why_set(why, 0,
		    "%s is not a server of provider '%s': if it should be, "
		    "write servers %s below account %s in %s",
		    name, provider->name, name, mailbox, config->path);
		fault = FAULT_WRONG_SERVER;
	}
	if (fault == FAULT_NONE &&
	    !grant_covers(account->entry, question->service, why))
		fault = FAULT_LOGIN_NEEDED;
	*server_min_s_out = provider->min_validity_s;
	provider_release(provider);
	return fault;
}

static bool has_good_token(const struct account *account, const struct now *now,
    const struct account_question *question, int64_t server_min_s)
{
	const struct entry *entry = account->entry;

	if (entry->access_token == NULL ||
	    refusals_forbid(account, question->server, question->service))
		return false;
	if (!life_usable(&account->life, now, question->min_validity_s, 0))
		return false;
	/* One that has just come: another would not live longer. */
	return life_left_s(&account->life, now) >= server_min_s ||
	    now->boot_ms - account->life.received_boot_ms <
	    LIFE_RENEWALS_APART_S * 1000;
}

/* One renewal a minute for a refused token, however often it is asked for. */
static bool is_too_soon(const struct account *account,
    const struct account_question *question, const struct now *now,
    struct account_answer *answer)
{
	if (now->boot_ms - account->forced_ms >= LIFE_RENEWALS_APART_S * 1000 ||
	    !refusals_forbid(account, question->server, question->service))
		return false;
	fill_refused(answer);
	return true;
}

static bool should_renew(struct account *account, const struct now *now,
    int64_t server_min_s)
{
	struct account_answer unused;

	if (life_renew_in_ms(&account->life, now, server_min_s) > 0)
		return false;
	return asking_may_try(account, now, &unused) &&
	    now->boot_ms - account->life.received_boot_ms >=
	    LIFE_RENEWALS_APART_S * 1000;
}

static void refuse(const struct account_question *question, enum fault fault,
    const struct why *why)
{
	struct account_answer answer = { .fault = fault,
		.text = why->text[0] != '\0' ? why->text : NULL,
		.retry_after_s = fault == FAULT_TRY_LATER ? TURN_RETRY_S : -1 };

	answer_now(question, &answer);
}

void account_token(struct account *account,
    const struct account_question *question, struct waiter **waiter_out)
{
	struct now now = engine_now();
	bool was_idle = !renewal_is_in_use(account, &now);
	struct account_answer answer;
	struct why why = { .err = 0, .text = "" };
	int64_t server_min_s = 0;
	enum fault fault;

	*waiter_out = NULL;
	account->asked_s = now.wall_s;
	account_keep_up(account);
	fault = check(account, question, &server_min_s, &why);
	if (fault != FAULT_NONE) {
		refuse(question, fault, &why);
		return;
	}
	if (has_good_token(account, &now, question, server_min_s)) {
		fill_token(account, question, &answer);
		answer_now(question, &answer);
		if (should_renew(account, &now, server_min_s))
			exchange_want(account, false);
		else if (was_idle)
			renewal_arm(account);
		return;
	}
	if (account_in_flight(account))
		ask_provider(account, question, waiter_out);
	else if (is_too_soon(account, question, &now, &answer))
		answer_now(question, &answer);
	else if (asking_may_try(account, &now, &answer))
		ask_provider(account, question, waiter_out);
	else
		answer_now(question, &answer);
}

void account_refresh(struct account *account,
    const struct account_question *question, struct waiter **waiter_out)
{
	struct account_question anywhere = *question;
	struct why why = { .err = 0, .text = "" };
	int64_t unused_s;
	enum fault fault;

	*waiter_out = NULL;
	anywhere.server = (struct span){ NULL, 0 };
	anywhere.service = (struct span){ NULL, 0 };
	account_keep_up(account);
	fault = check(account, &anywhere, &unused_s, &why);
	if (fault != FAULT_NONE)
		refuse(question, fault, &why);
	else
		ask_provider(account, &anywhere, waiter_out);
}

/*
 * Another grant has taken the place of the one that they wait for: it may be
 * of another provider, whose token their servers must not see, and an
 * imported one brings no token.
 */
void asking_look_again(struct account *account)
{
	struct waiter *waiter = account->waiters, *next;
	struct account_answer answer;
	struct now now = engine_now();
	int64_t server_min_s = 0;

	account->waiters = NULL;
	for (; waiter != NULL; waiter = next) {
		struct why why = { .err = 0, .text = "" };
		enum fault fault = check(account, &waiter->question,
		    &server_min_s, &why);

		bool good = has_good_token(account, &now, &waiter->question,
		    server_min_s);

		next = waiter->next;
		if (fault == FAULT_NONE && !good && !account->may_renew)
			fault = FAULT_LOGIN_NEEDED;
		if (fault != FAULT_NONE) {
			refuse(&waiter->question, fault, &why);
		} else if (good) {
			fill_token(account, &waiter->question, &answer);
			answer_now(&waiter->question, &answer);
		} else {
			waiter->next = account->waiters;
			account->waiters = waiter;
			continue;
		}
		waiter_free(waiter);
	}
	if (account->waiters != NULL)
		exchange_want(account, true);
}

void account_give_up(struct account *account)
{
	struct account_answer answer = { .fault = FAULT_TRY_LATER,
		.text = "the helper is stopping",
		.retry_after_s = 1 };

	if (account->unsaved)
		account_save(account, NULL); /* and often from now on */
	if (account_in_flight(account))
		return;
	slots_done(account->engine->slots, &account->wish);
	asking_answer_all(account, &answer);
}
