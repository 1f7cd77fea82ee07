/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arithmetic of lives, gates and delays.
 */
#include "daemon/plan.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_S 5
#define BACKOFF_MAX_S 900
#define IN_USE_S      86400

void life_begin(struct life *life, const struct now *now)
{
	life->received_ms = now->boot_ms -
	    (now->wall_s - life->received_s) * 1000;
	if (life->received_s > now->wall_s ||
	    life->expires_s - now->wall_s > life->granted_s)
		*life = (struct life){ .granted_s = 0 };
	if (life->refresh_in_s >= life->granted_s)
		life->refresh_in_s = 0;
	life->margin_s = life->refresh_in_s > 0 ?
	    life->granted_s - life->refresh_in_s :
	    life->granted_s / 2;
}

int64_t life_left_s(const struct life *life, const struct now *now)
{
	int64_t wall = life->expires_s - now->wall_s;
	int64_t boot = life->granted_s -
	    (now->boot_ms - life->received_ms) / 1000;
	int64_t left = wall < boot ? wall : boot;

	if (life->granted_s <= 0 || left < 0)
		return 0;
	return left;
}

void standing_set(struct standing *standing, enum account_state state,
    const char *text, const struct now *now)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	free(standing->text);
	standing->text = copy;
	if (state != standing->state)
		standing->since_s = now->wall_s;
	if (state != ACCOUNT_BACKOFF) {
		standing->for_a_day = false;
		standing->failures = 0;
	}
	standing->state = state;
	standing->gate = GATE_SOFT;
	standing->gate_ms = standing->renew_ms = PLAN_LONG_AGO;
}

void standing_back_off(struct standing *standing, const char *text,
    int64_t retry_after_s, uint32_t random, const struct now *now)
{
	int64_t delay_s = BACKOFF_MIN_S;
	unsigned i;

	standing_set(standing, ACCOUNT_BACKOFF, text, now);
	for (i = 0; i < standing->failures && delay_s < BACKOFF_MAX_S; i++)
		delay_s *= 2;
	if (delay_s > BACKOFF_MAX_S)
		delay_s = BACKOFF_MAX_S;
	if (retry_after_s > PLAN_RETRY_AFTER_MAX_S)
		retry_after_s = PLAN_RETRY_AFTER_MAX_S;
	standing->failures++;
	standing->gate_ms = now->boot_ms + delay_s * 1000 -
	    random % (delay_s * 200);
	if (now->boot_ms + retry_after_s * 1000 > standing->gate_ms) {
		standing->gate = GATE_TOLD;
		standing->gate_ms = now->boot_ms + retry_after_s * 1000;
	}
}

/* Milliseconds until less is left than its margin, or the server's rule. */
static int64_t margin_in_ms(const struct life *life, int64_t server_min_s,
    const struct now *now)
{
	int64_t margin_s = life->margin_s > server_min_s ? life->margin_s :
							   server_min_s;
	int64_t left_s = life_left_s(life, now);

	return left_s > margin_s ? (left_s - margin_s) * 1000 : 0;
}

struct account_answer plan_refuse(const struct standing *standing,
    const struct now *now)
{
	static const enum fault faults[] = {
		[ACCOUNT_EMPTY] = FAULT_UNKNOWN_ACCOUNT,
		[ACCOUNT_ACTIVE] = FAULT_TRY_LATER,
		[ACCOUNT_BACKOFF] = FAULT_TRY_LATER,
		[ACCOUNT_LOGIN_NEEDED] = FAULT_LOGIN_NEEDED,
		[ACCOUNT_CONFIG_ERROR] = FAULT_CONFIG_ERROR,
	};
	struct account_answer answer = { .fault = faults[standing->state],
		.text = standing->text,
		.retry_after_s = -1 };

	if (answer.fault == FAULT_TRY_LATER) {
		answer.retry_after_s =
		    (standing->gate_ms - now->boot_ms + 999) / 1000;
		if (standing->for_a_day)
			answer.fault = FAULT_CONFIG_ERROR;
	}
	if (answer.text == NULL)
		answer.text = fault_text(answer.fault);
	return answer;
}

const struct account_answer plan_refused = {
	.fault = FAULT_TRY_LATER,
	.text = "a mail server refused this token and the provider has given "
		"no other one yet",
	.retry_after_s = PLAN_APART_MS / 1000,
};

enum plan_verdict plan(const struct standing *standing,
    const struct plan_question *question, const struct now *now,
    struct account_answer *answer_out)
{
	const struct life *life = &standing->life;
	bool open = now->boot_ms >= standing->gate_ms;
	bool is_new = now->boot_ms - life->received_ms < PLAN_APART_MS;
	int64_t left_s = life_left_s(life, now);
	int64_t need_s = question->min_validity_s > PLAN_LEAST_S ?
	    question->min_validity_s :
	    PLAN_LEAST_S;

	if (need_s > life->granted_s / 2)
		need_s = life->granted_s / 2;
	/* Whoever asks, one that may be spent is not sent again at once: the
	 * provider may not have ended the first exchange yet. */
	if (question->force && standing->gate != GATE_SPENT &&
	    standing->gate_ms != PLAN_NEVER)
		open = true;
	/* Another than one that has just come would not live longer. */
	if (question->has_token && !question->refused && !question->force &&
	    left_s > 0 && left_s >= need_s &&
	    (left_s >= question->server_min_s || is_new))
		return open && !is_new &&
			(left_s <= life->margin_s ||
			    left_s <= question->server_min_s) ?
		    PLAN_SERVE_AND_RENEW :
		    PLAN_SERVE;
	if (question->in_flight)
		return PLAN_WAIT;
	/* One renewal a minute for it, however often it is asked for. */
	if (question->refused && !question->force &&
	    now->boot_ms - standing->forced_ms < PLAN_APART_MS)
		*answer_out = plan_refused;
	else if (!open)
		*answer_out = plan_refuse(standing, now);
	else if (question->stopping)
		*answer_out = (struct account_answer){ .fault = FAULT_TRY_LATER,
			.text = "the helper is stopping",
			.retry_after_s = 1 };
	else
		return PLAN_WAIT;
	return PLAN_REFUSE;
}

bool plan_is_in_use(int64_t asked_s, const struct now *now)
{
	/* Further in the future than that the clock was wrong then. */
	return asked_s > 0 && llabs(now->wall_s - asked_s) < IN_USE_S;
}

static int64_t idle_in_ms(const struct plan_use *use, const struct now *now)
{
	int64_t left_s = use->refreshed_s + use->renew_idle_s - now->wall_s;

	if (use->renew_idle_s == 0 || !use->has_grant)
		return -1;
	/* Refreshed in the future: the clock was wrong then. */
	return left_s > 0 && left_s <= use->renew_idle_s ? left_s * 1000 : 0;
}

bool plan_is_due(const struct plan_use *use, const struct now *now)
{
	return idle_in_ms(use, now) == 0;
}

int64_t plan_renew_in_ms(const struct standing *standing,
    const struct plan_use *use, const struct now *now)
{
	bool in_use = plan_is_in_use(use->asked_s, now);
	int64_t opens_ms = standing->gate_ms > standing->renew_ms ?
	    standing->gate_ms :
	    standing->renew_ms;
	int64_t in_ms = in_use ?
	    margin_in_ms(&standing->life, use->server_min_s, now) :
	    idle_in_ms(use, now);

	if (standing->state == ACCOUNT_EMPTY ||
	    standing->state == ACCOUNT_LOGIN_NEEDED ||
	    standing->gate_ms == PLAN_NEVER)
		return -1;
	/* So that a cure shows; nobody looks at an idle application's. */
	if (standing->state == ACCOUNT_CONFIG_ERROR &&
	    (use->has_grant || in_use))
		in_ms = 0;
	if (in_ms >= 0 && in_ms < opens_ms - now->boot_ms)
		in_ms = opens_ms - now->boot_ms;
	return in_ms;
}
