/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The device grant, RFC 8628: ask for a code, show it, poll until somebody
 * has used it.  Two timers: the next poll, and the end of the code's life.
 * The flow reads no clock; both run on the event loop's.
 */
#include "oauth/flow.h"

#include <event2/event.h>
#include <stdio.h>

#include "oauth/flow_impl.h"
#include "oauth/form.h"

#define DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"

/* RFC 8628 section 3.5: this many more seconds, from now on. */
#define DEVICE_SLOW_DOWN_S    5
#define DEVICE_INTERVAL_MAX_S 300
#define DEVICE_LATE_US	      100000

struct flow_device {
	struct flow flow;
	struct reply_device reply;
	struct event *poll;
	int64_t vain_s; /* the wait while polls get no answer; 0: they do */
	char last[400]; /* why the last poll told nothing, or "" */
	bool polling;	/* the token endpoint is asked, not the other */
};

static struct flow_device *device_of(struct flow *flow)
{
	return (struct flow_device *)(void *)flow;
}

/* Seconds until the code expires, by the event loop's clock. */
static int64_t left_s(const struct flow_device *device)
{
	struct timeval end, now, left;

	if (!evtimer_pending(device->flow.end, &end) ||
	    event_base_gettimeofday_cached(device->flow.target.base, &now))
		return 0;
	if (evutil_timercmp(&end, &now, <=))
		return 0;
	evutil_timersub(&end, &now, &left);
	return (int64_t)left.tv_sec + (left.tv_usec > 0 ? 1 : 0);
}

/*
 * The words that end a sign-in; to a human, all of them mean to start again
 * (advice_class() is about refreshing, where they do not occur).
 */
static bool is_end_word(const char *word)
{
	return strcmp(word, "access_denied") == 0 ||
	    strcmp(word, "authorization_declined") == 0 ||
	    strcmp(word, "expired_token") == 0 ||
	    strcmp(word, "bad_verification_code") == 0;
}

static void tell_expired(struct flow_device *device)
{
	const char *last = device->last;
	struct flow_failure failure;

	flow_failure_say(&failure, ADVICE_LOGIN_NEEDED,
	    "the code expired before the sign-in was finished: start it "
	    "again%s%s%s",
	    last[0] != '\0' ? " (" : "", last, last[0] != '\0' ? ")" : "");
	(void)snprintf(failure.error, sizeof(failure.error), "expired_token");
	flow_tell_failed(&device->flow, &failure);
}

static void device_poll(evutil_socket_t fd, short what, void *ctx)
{
	struct flow_device *device = ctx;
	struct flow *flow = &device->flow;
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);
	bool is_short = flow->target.provider->short_device_grant;
	enum fault fault;

	(void)fd;
	(void)what;
	form_add(&form, "grant_type",
	    span_of(is_short ? "device_code" : DEVICE_GRANT));
	form_add(&form, is_short ? "code" : "device_code",
	    secret_reveal(device->reply.device_code, "grant device_code"));
	flow_add_client(flow, FLOW_WITH_SECRET, &form);
	fault = flow_post_token(flow, &form);
	if (fault)
		flow_tell_fault(flow, fault);
}

/* With a poll on its way, its answer decides. */
static void device_end(evutil_socket_t fd, short what, void *ctx)
{
	struct flow_device *device = ctx;

	(void)fd;
	(void)what;
	if (device->flow.exchange != NULL)
		return;
	(void)evtimer_del(device->poll);
	tell_expired(device);
}

/*
 * The loop's clock is coarse and was read before its last events; a server
 * calls a poll that comes a moment early too fast.
 */
static enum fault set_timer(struct flow_device *device, struct event *timer,
    int64_t seconds)
{
	struct timeval wait = { (time_t)seconds, DEVICE_LATE_US };

	(void)event_base_update_cache_time(device->flow.target.base);
	return evtimer_add(timer, &wait) == 0 ? FAULT_NONE : FAULT_NOMEM;
}

/* Poll once more, after at least this long, and say so. */
static void poll_again(struct flow_device *device, int64_t at_least_s,
    const char *last)
{
	struct flow_event event = { .kind = FLOW_WAITING };
	int64_t wait_s = device->reply.interval_s;

	(void)snprintf(device->last, sizeof(device->last), "%s", last);
	event.left_s = left_s(device);
	if (event.left_s == 0) {
		tell_expired(device);
		return;
	}
	if (wait_s < at_least_s)
		wait_s = at_least_s;
	if (set_timer(device, device->poll, wait_s))
		flow_tell_fault(&device->flow, FAULT_NOMEM);
	else
		flow_tell(&device->flow, &event);
}

/*
 * RFC 8628 section 3.5: on a connection timeout, poll less often; doubling
 * the interval each time is what it recommends.
 */
static void poll_later(struct flow_device *device, const char *last)
{
	int64_t wait_s = device->vain_s * 2;

	if (wait_s == 0)
		wait_s = device->reply.interval_s * 2;
	if (wait_s > DEVICE_INTERVAL_MAX_S)
		wait_s = DEVICE_INTERVAL_MAX_S;
	device->vain_s = wait_s;
	poll_again(device, wait_s, last);
}

static void poll_refused(struct flow_device *device,
    const struct http_answer *answer, const struct reply_error *error)
{
	struct flow_failure failure;

	flow_failure_from(&device->flow, answer, error, &failure);
	if (failure.class == ADVICE_TRANSIENT &&
	    (answer->status >= 500 || answer->status == 408 ||
		answer->status == 425 || answer->status == 429 ||
		strcmp(failure.error, "temporarily_unavailable") == 0)) {
		poll_again(device, answer->retry_after_s, failure.text);
		return;
	}
	if (is_end_word(failure.error))
		failure.class = ADVICE_LOGIN_NEEDED;
	flow_tell_failed(&device->flow, &failure);
}

/* Of a proxy or filter: the provider has not answered. */
static void page_came(struct flow_device *device,
    const struct http_answer *answer)
{
	const struct reply_error none = { .n_codes = 0 };
	struct flow_failure failure;

	flow_failure_from(&device->flow, answer, &none, &failure);
	poll_later(device, failure.text);
}

static void poll_answered(struct flow_device *device,
    const struct http_answer *answer)
{
	struct reply_error error;
	bool slower;

	if (answer->trouble != HTTP_ANSWERED && answer->trouble != HTTP_LOCAL) {
		poll_later(device, answer->text);
		return;
	}
	if (flow_is_page(answer)) {
		page_came(device, answer);
		return;
	}
	device->vain_s = 0;
	if (flow_has_tokens(answer) ||
	    (!flow_refused(&device->flow, answer, &error) &&
		answer->status == 200)) {
		flow_tell_tokens(&device->flow, answer);
		return;
	}
	slower = strcmp(error.error, "slow_down") == 0;
	if (slower)
		device->reply.interval_s += DEVICE_SLOW_DOWN_S;
	if (slower || strcmp(error.error, "authorization_pending") == 0)
		poll_again(device, answer->retry_after_s, "");
	else
		poll_refused(device, answer, &error);
}

static void code_answered(struct flow_device *device,
    const struct http_answer *answer)
{
	struct flow_event event = {
		.kind = FLOW_SHOW_CODE,
		.device = &device->reply,
	};
	const struct reply_asked asked = flow_asked(&device->flow, answer);
	struct reply_error error;
	struct why why = { 0, "" };
	enum fault fault;

	fault = FAULT_GARBLED;
	if (flow_succeeded(answer))
		fault = reply_device_parse(answer->body, &asked, &device->reply,
		    &why);
	if (fault != FAULT_NONE &&
	    (flow_refused(&device->flow, answer, &error) ||
		!flow_succeeded(answer))) {
		flow_tell_refused(&device->flow, answer, &error);
		return;
	}
	if (!fault)
		fault = set_timer(device, device->flow.end,
		    device->reply.expires_in_s);
	if (!fault)
		fault = set_timer(device, device->poll,
		    device->reply.interval_s);
	if (fault) {
		flow_tell_unusable(&device->flow, answer, fault, &why);
		return;
	}
	device->polling = true;
	event.left_s = device->reply.expires_in_s;
	flow_tell(&device->flow, &event);
}

static void device_answered(struct flow *flow, const struct http_answer *answer)
{
	struct flow_device *device = device_of(flow);

	if (device->polling)
		poll_answered(device, answer);
	else
		code_answered(device, answer);
}

static void device_drop(struct flow *flow)
{
	struct flow_device *device = device_of(flow);

	if (device->poll != NULL)
		event_free(device->poll);
	reply_device_drop(&device->reply);
}

static const struct flow_grant device_grant = {
	.answered = device_answered,
	.drop = device_drop,
	.signs_in = true,
};

/*
 * login_hint is OpenID Connect's; Microsoft's endpoint does not document it
 * and wants no secret here.
 */
static enum fault device_ask(struct flow_device *device, const char *scope,
    const char *account)
{
	const struct provider *provider = device->flow.target.provider;
	bool standard = provider->family == PROVIDER_STANDARD;
	struct buf form = BUF_INIT(FLOW_FORM_MAX_BYTES);

	if (scope != NULL && scope[0] != '\0')
		form_add(&form, "scope", span_of(scope));
	if (standard && account != NULL && scope != NULL &&
	    strncmp(scope, "openid", 6) == 0)
		form_add(&form, "login_hint", span_of(account));
	flow_add_client(&device->flow,
	    standard ? FLOW_WITH_SECRET : FLOW_WITHOUT_SECRET, &form);
	return flow_post(&device->flow, "device authorization endpoint",
	    provider->device_authorization_endpoint, &form);
}

enum fault flow_device_start(const struct flow_target *target,
    const char *scope, const char *account, struct flow **flow_out)
{
	enum fault fault = FAULT_NOMEM;
	struct flow_device *device;
	struct flow *flow;

	if (target->provider->device_authorization_endpoint == NULL)
		return FAULT_CONFIG_ERROR;
	flow = flow_new(sizeof(*device), &device_grant, target);
	if (flow == NULL)
		return FAULT_NOMEM;
	device = device_of(flow);
	device->poll = evtimer_new(target->base, device_poll, device);
	flow->end = evtimer_new(target->base, device_end, device);
	if (device->poll != NULL && flow->end != NULL)
		fault = device_ask(device, scope, account);
	return flow_started(flow, fault, flow_out);
}
