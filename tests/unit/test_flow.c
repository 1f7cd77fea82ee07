/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Flows before anything has come back: what starting needs and promises.
 * Whole grants are in tests/flows.
 */
#include "test.h"

#include <event2/event.h>

#include "failing_malloc.h"
#include "oauth/flow.h"

struct fixture {
	struct event_base *base;
	struct http *http;
	struct provider *provider;
	struct secret *refresh_token;
	bool told;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct why why;

	memset(f, 0, sizeof(*f));
	f->base = event_base_new();
	if (f->base == NULL || http_new(f->base, &f->http) ||
	    secret_new(BYTES("a-refresh-token-1"), &f->refresh_token) ||
	    provider_new("own", NULL, &f->provider) ||
	    provider_set(f->provider, "client_id", "app", &why) ||
	    provider_set(f->provider, "token_endpoint",
		"https://no-such-host.invalid/token", &why) ||
	    provider_set(f->provider, "authorization_endpoint",
		"https://no-such-host.invalid/authorize", &why))
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	event_base_free(f->base);
	provider_release(f->provider);
	secret_free(f->refresh_token);
	return 0;
}

static void on_event(void *ctx, const struct flow_event *event)
{
	struct fixture *f = ctx;

	(void)event;
	f->told = true;
}

static struct flow_target target_of(struct fixture *f)
{
	return (struct flow_target){
		.http = f->http,
		.base = f->base,
		.provider = f->provider,
		.event = on_event,
		.ctx = f,
	};
}

static void finish(struct fixture *f, bool device)
{
	struct why why = { 0, "" };

	if (device)
		assert_int_equal(
		    provider_set(f->provider, "device_authorization_endpoint",
			"https://no-such-host.invalid/device", &why),
		    FAULT_NONE);
	assert_int_equal(provider_finish(f->provider, "smtp", &why),
	    FAULT_NONE);
}

static void starting_tells_nothing_and_freeing_tells_nothing(void **state)
{
	struct fixture *f = *state;
	struct flow_target target = target_of(f);
	struct flow *refresh = NULL, *device = NULL;

	finish(f, true);
	assert_int_equal(
	    flow_refresh_start(&target, f->refresh_token, NULL, &refresh),
	    FAULT_NONE);
	assert_int_equal(flow_device_start(&target, NULL, &device), FAULT_NONE);
	assert_int_equal(f->provider->users, 3);
	flow_free(refresh);
	flow_free(device);
	flow_free(NULL);
	assert_int_equal(f->provider->users, 1);
	assert_int_equal(event_base_loop(f->base, EVLOOP_NONBLOCK) < 0, 0);
	assert_false(f->told);
}

static void a_browser_flow_tells_nothing_before_the_loop_turns(void **state)
{
	struct fixture *f = *state;
	struct flow_target target = target_of(f);
	struct flow *flow = NULL;
	struct why why = { 0, "" };

	finish(f, false);
	assert_int_equal(flow_code_start(&target, NULL, &flow, &why),
	    FAULT_NONE);
	assert_false(f->told);
	assert_int_equal(flow_code_paste(flow, span_of("no"), &why),
	    FAULT_GRAMMAR);
	assert_int_equal(event_base_loop(f->base, EVLOOP_NONBLOCK) < 0, 0);
	assert_true(f->told);
	flow_free(flow);
	assert_int_equal(f->provider->users, 1);
}

static void only_a_browser_flow_takes_an_address(void **state)
{
	struct fixture *f = *state;
	struct flow_target target = target_of(f);
	struct flow *flow = NULL;
	struct why why = { 0, "" };

	finish(f, true);
	assert_int_equal(flow_device_start(&target, NULL, &flow), FAULT_NONE);
	assert_int_equal(flow_code_paste(flow, span_of("some-code"), &why),
	    FAULT_DENIED);
	flow_free(flow);
}

static enum fault start_browser(void *ctx)
{
	struct fixture *f = ctx;
	struct flow_target target = target_of(f);
	struct flow *flow = NULL;
	struct why why;
	enum fault fault;

	fault = flow_code_start(&target, "jo@x.example", &flow, &why);
	flow_free(flow);
	return fault;
}

/* An exchange that cannot begin is told by an event, not by the paste. */
static void no_memory_for_a_browser_flow_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct flow_target target = target_of(f);
	struct flow *flow = NULL;
	unsigned long n = 0;
	struct why why;
	bool failed;

	finish(f, false);
	assert_true(failing_malloc_each(start_browser, f) > 5);
	failing_malloc_watch("the-code-1");
	do {
		assert_int_equal(flow_code_start(&target, NULL, &flow, &why),
		    FAULT_NONE);
		failing_malloc_at(++n);
		(void)!flow_code_paste(flow, span_of("the-code-1"), &why);
		failed = failing_malloc_off();
		flow_free(flow);
	} while (failed);
	assert_true(n > 5);
	assert_false(failing_malloc_saw());
	assert_int_equal(f->provider->users, 1);
}

static enum fault start_both(void *ctx)
{
	struct fixture *f = ctx;
	struct flow_target target = target_of(f);
	struct flow *flow = NULL;
	enum fault fault;

	fault = flow_refresh_start(&target, f->refresh_token, "a", &flow);
	if (fault)
		return fault;
	flow_free(flow);
	flow = NULL;
	fault = flow_device_start(&target, "jo@x.example", &flow);
	flow_free(flow);
	return fault;
}

static void no_memory_is_a_fault_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	finish(f, true);
	failing_malloc_watch("a-refresh-token-1");
	assert_true(failing_malloc_each(start_both, f) > 5);
	assert_false(failing_malloc_saw());
	assert_int_equal(f->provider->users, 1);
	assert_false(f->told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    starting_tells_nothing_and_freeing_tells_nothing, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    no_memory_is_a_fault_and_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_browser_flow_tells_nothing_before_the_loop_turns, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    only_a_browser_flow_takes_an_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    no_memory_for_a_browser_flow_leaves_nothing, set_up,
		    tear_down),
	};

	reply_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
