/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The device grant, RFC 8628: ask for a code, show it, poll until somebody
 * has used it or its life is over.  The flow reads no clock but the event
 * loop's.
 */
#include "oauth/flow.h"

#include <stdio.h>

#include "oauth/flow_impl.h"
#include "oauth/form.h"

/* RFC 8628 section 3.5: this many more seconds, from now on. */
#define DEVICE_SLOW_DOWN_S    5
#define DEVICE_INTERVAL_MAX_S 300

struct flow_device {
	struct flow flow;
	struct reply_device reply;
	int64_t vain_s; /* the wait while polls get no answer; 0: they do */
	char last[400]; /* why the last poll told nothing, or "" */
	bool polling;	/* the token endpoint is asked, not the other */
};

static struct flow_device *device_of(struct flow *flow)
{
	return (struct flow_device *)(void *)flow;
}

/* Seconds until the code expires, by the event loop's clock. */
static int64_t left_s(const struct flow *flow)
{
	struct timeval end, now, left;

	if (!evtimer_pending(&flow->limit, &end) ||
	    event_base_gettimeofday_cached(flow->target.base, &now) ||
	    evutil_timercmp(&end, &now, <=))
		return 0;
	evutil_timersub(&end, &now, &left);
	return (int64_t)left.tv_sec + (left.tv_usec > 0 ? 1 : 0);
}

static void device_late(struct flow *flow)
{
	const char *last = device_of(flow)->last;

	flow_say(flow, ADVICE_LOGIN_NEEDED,
	    "the code expired before the sign-in was finished: start it "
	    "again%s%s%s",
	    last[0] != '\0' ? " (" : "", last, last[0] != '\0' ? ")" : "");
	(void)snprintf(flow->failure.error, sizeof(flow->failure.error),
	    "expired_token");
	flow_fail(flow);
}

static void device_poll(struct flow *flow)
{
	bool is_short = preset_is(flow->target.provider->row, "device_grant",
	    "short");
	struct buf *form = flow_token_form(flow, FLOW_WITH_SECRET);
	enum fault fault;

	form_add(form, "grant_type",
	    span_of(is_short ? "device_code" : FLOW_DEVICE_GRANT));
	form_add(form, is_short ? "code" : "device_code",
	    secret_reveal(device_of(flow)->reply.device_code,
		"grant device_code"));
	fault = flow_send(flow);
	if (fault) {
		flow_say_fault(flow, fault);
		flow_fail(flow);
	}
}

/* Poll once more, after at least this long, and say so. */
static void poll_again(struct flow *flow, int64_t at_least_s, const char *last)
{
	struct flow_device *device = device_of(flow);
	struct flow_event event = {
		.kind = FLOW_WAITING,
		.left_s = left_s(flow),
	};
	int64_t wait_s = device->reply.interval_s;

	(void)snprintf(device->last, sizeof(device->last), "%s", last);
	if (event.left_s == 0) {
		device_late(flow);
	} else if (flow_timer(flow, &flow->wake,
		       wait_s > at_least_s ? wait_s : at_least_s)) {
		flow_say_fault(flow, FAULT_NOMEM);
		flow_fail(flow);
	} else {
		flow_tell(flow, &event);
	}
}

/*
 * RFC 8628 section 3.5: on a connection timeout, poll less often; doubling
 * the interval each time is what it recommends.
 */
static void poll_later(struct flow *flow, const char *last)
{
	struct flow_device *device = device_of(flow);

	device->vain_s = 2 *
	    (device->vain_s > 0 ? device->vain_s : device->reply.interval_s);
	if (device->vain_s > DEVICE_INTERVAL_MAX_S)
		device->vain_s = DEVICE_INTERVAL_MAX_S;
	poll_again(flow, device->vain_s, last);
}

static void poll_answered(struct flow *flow, const struct http_answer *answer)
{
	struct flow_device *device = device_of(flow);
	struct flow_failure *failure = &flow->failure;
	const char *word = flow->error.error;
	bool is_slower = strcmp(word, "slow_down") == 0;

	if (answer->trouble != HTTP_ANSWERED && answer->trouble != HTTP_LOCAL) {
		poll_later(flow, answer->text);
		return;
	}
	if (flow->is_page) {
		/* Of a proxy or filter: the provider has not answered. */
		flow_judge(flow, answer);
		poll_later(flow, failure->text);
		return;
	}
	device->vain_s = 0;
	if (is_slower)
		device->reply.interval_s += DEVICE_SLOW_DOWN_S;
	if (is_slower || strcmp(word, "authorization_pending") == 0) {
		poll_again(flow, answer->retry_after_s, "");
		return;
	}
	if (flow->fault == FAULT_NONE ||
	    (word[0] == '\0' && answer->status == 200)) {
		flow_end(flow, answer);
		return;
	}
	flow_judge(flow, answer);
	if (failure->class == ADVICE_TRANSIENT &&
	    (advice_is_passing(answer->status) ||
		strcmp(word, "temporarily_unavailable") == 0)) {
		poll_again(flow, answer->retry_after_s, failure->text);
		return;
	}
	/* The words that end a sign-in; to a human, all of them mean to start
	 * again (advice_class() is about refreshing, where they do not
	 * occur). */
	if (span_listed(span_of(word),
		"access_denied authorization_declined expired_token "
		"bad_verification_code"))
		failure->class = ADVICE_LOGIN_NEEDED;
	flow_fail(flow);
}

static void device_answered(struct flow *flow, const struct http_answer *answer)
{
	struct flow_device *device = device_of(flow);
	struct flow_event event = {
		.kind = FLOW_SHOW_CODE,
		.device = &device->reply,
	};

	if (device->polling) {
		poll_answered(flow, answer);
		return;
	}
	if (flow_succeeded(answer))
		flow->fault = reply_device_parse(answer->body, &flow->asked,
		    &device->reply, &flow->why);
	if (!flow->fault)
		flow->fault = flow_timer(flow, &flow->limit,
		    device->reply.expires_in_s);
	if (!flow->fault)
		flow->fault = flow_timer(flow, &flow->wake,
		    device->reply.interval_s);
	if (flow->fault) {
		flow_judge(flow, answer);
		flow_fail(flow);
		return;
	}
	device->polling = true;
	event.left_s = device->reply.expires_in_s;
	flow_tell(flow, &event);
}

static void device_drop(struct flow *flow)
{
	reply_device_drop(&device_of(flow)->reply);
}

static const struct flow_grant device_grant = {
	.answered = device_answered,
	.woken = device_poll,
	.late = device_late,
	.drop = device_drop,
	.signs_in = true,
};

enum fault flow_device_start(const struct flow_target *target,
    const char *account, struct flow **flow_out)
{
	const struct provider *provider = target->provider;
	const char *scope = provider->scope;
	bool is_standard = provider->family == PROVIDER_STANDARD;
	struct flow *flow;
	struct buf *form;

	flow = flow_new(sizeof(struct flow_device), &device_grant, target);
	if (flow == NULL)
		return FAULT_NOMEM;
	/* Microsoft's endpoint wants no secret; nor does it document
	 * login_hint, which is OpenID Connect's. */
	form = flow_form(flow,
	    is_standard ? FLOW_WITH_SECRET : FLOW_WITHOUT_SECRET,
	    "device authorization endpoint",
	    provider->device_authorization_endpoint);
	if (scope != NULL && scope[0] != '\0')
		form_add(form, "scope", span_of(scope));
	if (is_standard && account != NULL && scope != NULL &&
	    strncmp(scope, "openid", 6) == 0)
		form_add(form, "login_hint", span_of(account));
	return flow_started(flow, flow_send(flow), flow_out);
}
