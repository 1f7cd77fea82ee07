/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one refresh in flight of an account: when it may start, and what its
 * end does.
 */
#include "daemon/account_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "oauth/issuer.h"

#define SAME_MAX_MS    (24 * 3600 * INT64_C(1000))
#define LOCAL_RETRY_S  60
#define ROOM_IDLE_MS   60000
#define ROOM_ASKED_S   600
#define ROOM_DOUBLINGS 2 /* of ACCOUNT_ROOM_MIN_MS */

static void exchange_start(void *ctx);

void exchange_want(struct account *account, bool urgent)
{
	if (account_in_flight(account) || account->engine->stopping)
		return;
	account->wish.start = exchange_start;
	account->wish.ctx = account;
	account->wish.urgent = account->wish.urgent || urgent;
	slots_want(account->engine->slots, &account->wish);
}

static void release(struct account *account)
{
	flow_free(account->flow);
	account->flow = NULL;
	issuer_cancel(account->discovering);
	account->discovering = NULL;
	entry_free(account->next);
	account->next = NULL;
	keyring_stage_free(account->stage);
	account->stage = NULL;
	account->wish.urgent = false;
}

void exchange_cancel(struct account *account)
{
	release(account);
	slots_done(account->engine->slots, &account->wish);
}

/* Returns fault, for the log. */
static enum fault answer_fault(struct account *account, enum fault fault,
    int64_t retry_after_s)
{
	struct account_answer answer = {
		.fault = fault,
		.text = account->text != NULL ? account->text :
						fault_text(fault),
		.retry_after_s = retry_after_s,
	};

	asking_answer_all(account, &answer);
	return fault;
}

/* 5 s doubling to 15 min, a fifth of it random; Retry-After up to an hour. */
static int64_t backoff_ms(struct account *account, int64_t retry_after_s)
{
	int64_t delay_s = ACCOUNT_BACKOFF_MIN_S;
	uint32_t random = 0; /* without randomness it is the whole delay */
	unsigned i;

	for (i = 0; i < account->failures && delay_s < ACCOUNT_BACKOFF_MAX_S;
	     i++)
		delay_s *= 2;
	if (delay_s > ACCOUNT_BACKOFF_MAX_S)
		delay_s = ACCOUNT_BACKOFF_MAX_S;
	account->failures++;
	(void)!getrandom(&random, sizeof(random), 0);
	if (retry_after_s > ACCOUNT_RETRY_AFTER_MAX_S)
		retry_after_s = ACCOUNT_RETRY_AFTER_MAX_S;
	account->told_to_wait = retry_after_s > delay_s;
	if (account->told_to_wait)
		return retry_after_s * 1000;
	return delay_s * 1000 - random % (delay_s * 200);
}

static void wait_for_next(struct account *account, int64_t retry_after_s,
    const char *text)
{
	if (account->trouble != TROUBLE_TRANSIENT)
		account->failures = 0;
	account_trouble(account, TROUBLE_TRANSIENT, text);
	account->next_try_ms = clock_boot_ms() +
	    backoff_ms(account, retry_after_s);
}

static enum fault answer_later(struct account *account)
{
	return answer_fault(account,
	    account->for_a_day ? FAULT_CONFIG_ERROR : FAULT_TRY_LATER,
	    (account->next_try_ms - clock_boot_ms() + 999) / 1000);
}

static enum fault fail_transient(struct account *account, int64_t retry_after_s,
    const char *text)
{
	wait_for_next(account, retry_after_s, text);
	return answer_later(account);
}

/* Looked for again soon where somebody asks: a mail waits for it. */
static void fail_for_room(struct account *account, const char *text)
{
	int64_t now_ms = clock_boot_ms();
	int64_t delay_ms = ROOM_IDLE_MS;

	if (account->trouble != TROUBLE_DISK) {
		account->failures = 0;
		log_event(LOG_LEVEL_ERROR, "no-room", "%s: %s", account->name,
		    text);
	}
	account_trouble(account, TROUBLE_DISK, text);
	if (llabs(clock_wall_s() - account->asked_s) < ROOM_ASKED_S)
		delay_ms = ACCOUNT_ROOM_MIN_MS << account->failures;
	if (account->failures < ROOM_DOUBLINGS)
		account->failures++;
	account->last_try_ms = now_ms;
	account->next_try_ms = now_ms + delay_ms;
	(void)answer_fault(account, FAULT_TRY_LATER, (delay_ms + 999) / 1000);
}

/* What fails the same way for a day is hardly temporary. */
static void note_answer(struct account *account,
    const struct flow_failure *failure)
{
	int64_t now_ms = clock_boot_ms();
	char answer[96] = "";

	if (failure->status != 0)
		(void)snprintf(answer, sizeof(answer), "%ld %s",
		    failure->status, failure->error);
	if (account->same == NULL || strcmp(account->same, answer) != 0) {
		free(account->same);
		account->same = strdup(answer);
		account->same_since_ms = now_ms;
	}
	account->for_a_day = failure->status != 0 &&
	    now_ms - account->same_since_ms >= SAME_MAX_MS;
}

/*
 * The provider may have acted on a request whose answer was lost: its refresh
 * token is not sent again before the next try, whatever is reloaded until then
 * and whoever asks.
 */
static enum fault fail_lost(struct account *account,
    const struct flow_failure *failure)
{
	char text[TEXT_MAX_BYTES];

	(void)snprintf(text, sizeof(text),
	    "%s; its refresh token may be spent, so it is not sent again "
	    "before the next try",
	    failure->text);
	wait_for_next(account, failure->retry_after_s, text);
	account->resend_ms = account->next_try_ms;
	account_save_lost(account);
	return answer_later(account);
}

static enum fault lose(struct account *account, const struct flow_event *event)
{
	const struct flow_failure *failure = event->failure;

	account->last_try_ms = clock_boot_ms();
	if (failure->class == ADVICE_LOGIN_NEEDED) {
		account_trouble(account, TROUBLE_LOGIN, failure->text);
		account_save_state(account, ENTRY_LOGIN_NEEDED);
		return answer_fault(account, FAULT_LOGIN_NEEDED, -1);
	}
	if (failure->class == ADVICE_TRANSIENT) {
		note_answer(account, failure);
		if (failure->lost && event->token == NULL && !account->is_app)
			return fail_lost(account, failure);
		return fail_transient(account, failure->retry_after_s,
		    failure->text);
	}
	account_trouble(account, TROUBLE_CONFIG, failure->text);
	if (failure->class == ADVICE_CONFIG)
		account_save_state(account, ENTRY_CONFIG_ERROR);
	return answer_fault(account, FAULT_CONFIG_ERROR, -1);
}

/* The prepared record is the account's from now on; the old one goes. */
static struct keyring_stage *take_next(struct account *account)
{
	struct keyring_stage *stage = account->stage;
	struct entry *old = account->entry;

	account->entry = account->next;
	account->entry->not_before_s = 0;
	account->resend_ms = ACCOUNT_NEVER_MS;
	/* A mail server may have refused the old token meanwhile. */
	refusals_note(account);
	account->next = NULL;
	account->stage = NULL;
	entry_free(old);
	return stage;
}

/* The old one is spent, though the answer is of no use otherwise. */
static void keep_refresh_token(struct account *account,
    struct reply_token *token)
{
	struct now now = engine_now();

	if (account->is_app)
		return;
	grant_keep(account->next, token, &now);
	account_save(account, take_next(account));
}

static void win(struct account *account, struct reply_token *token)
{
	struct keyring_stage *stage;
	struct now now = engine_now();

	if (account->is_app) {
		secret_free(token->refresh_token);
		token->refresh_token = NULL;
	}
	grant_renew(account->next, token, account->serial, &now);
	stage = take_next(account);
	account->life = life_begin(account->entry->granted_s,
	    account->entry->refresh_in_s, &now);
	account->refreshed_s = now.wall_s;
	account->last_try_ms = now.boot_ms;
	account->not_before_ms = 0;
	account->may_renew = account->is_app ||
	    account->entry->refresh_token != NULL;
	account_trouble(account, TROUBLE_NONE, NULL);
	/* On disk first: a waiter's host may be killed with its answer. */
	account_save(account, stage);
	asking_answer_token(account);
}

static void log_exchange(const struct account *account, enum fault fault,
    const struct flow_failure *failure)
{
	struct log_line line;

	log_start(&line,
	    fault == FAULT_NONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	    "refresh");
	log_str(&line, "account", account->name);
	log_str(&line, "outcome", fault_word(fault));
	log_int(&line, "ms", clock_boot_ms() - account->started_ms);
	if (fault == FAULT_NONE) {
		log_int(&line, "life", account->life.granted_s);
	} else {
		log_int(&line, "status", failure->status);
		log_plain(&line, "error", failure->error);
		log_plain(&line, "text", failure->text);
		log_plain(&line, "trace", failure->trace);
	}
	log_end(&line);
}

static void warn_of_scope(const struct account *account)
{
	struct span word = grant_lacks(account->entry);
	char plain[128];

	if (word.n == 0)
		return;
	attr_plain(word, plain, sizeof(plain));
	log_event(LOG_LEVEL_WARNING, "scope",
	    "%s: the provider no longer grants %s: mail servers may refuse the "
	    "token",
	    account->name, plain);
}

/* A new profile counts from now. */
static void end(struct account *account)
{
	exchange_cancel(account);
	account_reconsider(account);
}

static void finished(void *ctx, const struct flow_event *event)
{
	struct account *account = ctx;

	if (event->kind != FLOW_TOKENS && event->kind != FLOW_FAILED)
		return;
	if (event->kind == FLOW_TOKENS) {
		win(account, event->token);
		log_exchange(account, FAULT_NONE, NULL);
		warn_of_scope(account);
	} else {
		if (event->token != NULL)
			keep_refresh_token(account, event->token);
		log_exchange(account, lose(account, event), event->failure);
	}
	end(account);
}

static enum fault start_refresh(struct account *account,
    const struct flow_target *target)
{
	struct buf scope = BUF_INIT(GRANT_SCOPE_MAX_BYTES);
	enum fault fault;

	fault = grant_scope(account->entry, target->provider, &scope);
	if (fault == FAULT_NONE)
		fault = flow_refresh_start(target,
		    account->entry->refresh_token, scope.n > 0 ? scope.p : NULL,
		    &account->flow);
	buf_drop(&scope);
	return fault;
}

static enum fault start_flow(struct account *account, struct provider *provider,
    struct why *why)
{
	struct flow_target target = {
		.http = account->engine->http,
		.base = account->engine->base,
		.event = finished,
		.ctx = account,
	};
	enum fault fault;

	target.provider = provider;
	target.basic = account->entry->secret_by_basic != 0;
	fault = grant_prepare(account->entry, target.provider, &account->next);
	if (fault == FAULT_NONE)
		fault = grant_draw_serial(account->serial, why);
	if (fault == FAULT_NONE)
		fault = account->is_app ?
		    account_app_start(account, &target, why) :
		    start_refresh(account, &target);
	return fault;
}

/* Nothing was sent, and a file may be mended at any moment. */
static void refuse_locally(struct account *account, const char *text)
{
	account->last_try_ms = account->started_ms -
	    (account->is_app ?
		    (ACCOUNT_RETRY_S - LOCAL_RETRY_S) * INT64_C(1000) :
		    0);
	account_trouble(account, TROUBLE_CONFIG, text);
	(void)answer_fault(account, FAULT_CONFIG_ERROR, -1);
}

/* Not what fails, but to whom the grant belongs: no retry can cure that. */
static bool is_of_another_issuer(const struct account *account)
{
	struct provider *provider = NULL;
	struct why why;
	enum fault fault = FAULT_NONE;

	if (!account->is_app)
		fault = account_provider(account, &provider, &why);
	provider_release(provider);
	return fault == FAULT_CONFIG_ERROR;
}

static void not_started(struct account *account, enum fault fault,
    const struct why *why)
{
	if (fault == FAULT_CONFIG_ERROR) {
		refuse_locally(account, why->text);
		if (is_of_another_issuer(account))
			account->trouble = TROUBLE_ISSUER;
	} else {
		(void)fail_transient(account, -1, why_text(why, fault));
	}
}

/* With the endpoints of the issuer, or those that worked last. */
static void discovered(void *ctx, const struct issuer_end *told)
{
	struct account *account = ctx;
	struct provider *base = NULL, *whole = NULL;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	account->discovering = NULL;
	fault = account_provider(account, &base, &why);
	if (fault == FAULT_NONE)
		fault = grant_complete(account->entry, base, told->found,
		    &whole, &why);
	if (fault == FAULT_NOT_FOUND)
		why_set(&why, 0, "%s", told->text);
	if (fault == FAULT_NONE)
		fault = start_flow(account, whole, &why);
	provider_release(whole);
	provider_release(base);
	if (fault == FAULT_NONE)
		return;
	not_started(account, fault, &why);
	end(account);
}

static enum fault begin(struct account *account, struct why *why)
{
	const struct issuer_end nothing = { .found = NULL };
	struct provider *provider = NULL;
	struct issuer_wish wish = {
		.now_ms = clock_boot_ms(),
		.fn = discovered,
		.ctx = account,
	};
	enum fault fault;

	fault = account_provider(account, &provider, why);
	wish.provider = provider;
	if (fault == FAULT_NONE && provider->incomplete)
		fault = issuer_start(account->engine->issuers, &wish,
		    &account->discovering);
	else if (fault == FAULT_NONE && provider->registers)
		discovered(account, &nothing);
	else if (fault == FAULT_NONE)
		fault = start_flow(account, provider, why);
	provider_release(provider);
	return fault;
}

static void exchange_start(void *ctx)
{
	struct account *account = ctx;
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_IO;

	account->started_ms = clock_boot_ms();
	account->not_before_ms = 0;
	asking_began(account);
	/* Only now: many may queue, and few records stay in memory. */
	fault = account_read(account, &why);
	if (fault != FAULT_NONE) {
		(void)answer_fault(account, fault, ACCOUNT_BACKOFF_MIN_S);
		end(account);
		return;
	}
	if (!account->is_app && !account_save_room(account, &why)) {
		fail_for_room(account, why.text);
	} else {
		fault = begin(account, &why);
		if (fault == FAULT_NONE)
			return;
		not_started(account, fault, &why);
	}
	end(account);
}
