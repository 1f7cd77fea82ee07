/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * flow_driver - runs one grant after another and prints what it is told
 *
 *	flow_driver refresh|device|browser [option=value]...
 *
 * Options: preset, scope, account, times (refreshes, each with the token of
 * the one before), together (flows at once), race (1: the first to end ends
 * all), may_send (asked when a body is about to leave: that many less one may),
 * extra=NAME:VALUE, returns_iss (1: iss must come back), and every key of
 * a provider.  Secrets come on stdin as refresh_token=... and
 * client_secret=... up to an empty line; of those that come back only the
 * length is printed.  Behind the empty line, browser takes lines to paste.
 * An event is some lines name=value and an empty line.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oauth/flow.h"
#include "wire/attr.h"

#define FLOWS_MAX 32

struct driver {
	struct event_base *base;
	struct http *http;
	struct provider *provider;
	struct secret *refresh_token;
	struct secret *client_secret;
	const char *preset;
	const char *scope;
	const char *account;
	bool device;
	bool browser;
	bool returns_iss;
	struct event *stdin_ready;
	int64_t times;
	int64_t together;
	bool race;
	int64_t may_send; /* 0: nothing is asked */
	int64_t left;	  /* flows still to end */
	struct flow *flows[FLOWS_MAX];
	size_t n_flows;
};

static void die(const char *text)
{
	(void)fprintf(stderr, "flow_driver: %s\n", text);
	exit(2);
}

static void print_failure(const struct flow_failure *failure)
{
	static const char *const classes[] = {
		"transient",
		"login-needed",
		"config",
	};
	static const char *const troubles[] = {
		"answered",
		"too-big",
		"lost",
		"local",
	};

	printf("event=failed\nclass=%s\ntrouble=%s\nstatus=%ld\nerror=%s\n"
	       "code=%lld\ntext=%s\ntrace=%s\nretry-after=%lld\n\n",
	    classes[failure->class], troubles[failure->trouble],
	    failure->status, failure->error, (long long)failure->code,
	    failure->text, failure->trace, (long long)failure->retry_after_s);
}

static void print_tokens(const struct reply_token *token)
{
	printf("event=tokens\naccess-bytes=%zu\nrefresh-bytes=%zu\n"
	       "scope=%s\nidentity=%s\nexpires-in=%lld\nrefresh-in=%lld\n\n",
	    secret_bytes(token->access_token),
	    secret_bytes(token->refresh_token),
	    token->scope != NULL ? token->scope : "",
	    token->identity != NULL ? token->identity : "",
	    (long long)token->expires_in_s, (long long)token->refresh_in_s);
}

static void print_device(const struct flow_event *event)
{
	const struct reply_device *device = event->device;

	printf("event=show-code\nuser-code=%s\nverification-uri=%s\n"
	       "verification-uri-complete=%s\nleft=%lld\ninterval=%lld\n\n",
	    device->user_code, device->verification_uri,
	    device->verification_uri_complete != NULL ?
		device->verification_uri_complete :
		"",
	    (long long)event->left_s, (long long)device->interval_s);
}

static void start(struct driver *driver);

/* All flows are freed from inside an event, where the next ones start. */
static void ended(struct driver *driver)
{
	size_t i;

	if (--driver->left > 0 && !driver->race)
		return;
	for (i = 0; i < driver->n_flows; i++)
		flow_free(driver->flows[i]);
	driver->n_flows = 0;
	if (driver->stdin_ready != NULL)
		(void)event_del(driver->stdin_ready);
	if (--driver->times > 0)
		start(driver);
}

static void on_event(void *ctx, const struct flow_event *event)
{
	struct driver *driver = ctx;

	switch (event->kind) {
	case FLOW_SHOW_CODE: print_device(event); return;
	case FLOW_SHOW_URL:
		printf("event=show-url\nurl=%s\nredirect-uri=%s\nleft=%lld\n\n",
		    event->url, event->redirect_uri, (long long)event->left_s);
		return;
	case FLOW_WAITING:
		printf("event=waiting\nleft=%lld\n\n",
		    (long long)event->left_s);
		return;
	case FLOW_TOKENS:
		print_tokens(event->token);
		if (event->token->refresh_token != NULL) {
			secret_free(driver->refresh_token);
			driver->refresh_token = event->token->refresh_token;
			event->token->refresh_token = NULL;
		}
		break;
	case FLOW_REVOKED: printf("event=revoked\n\n"); break;
	case FLOW_FAILED: print_failure(event->failure); break;
	}
	ended(driver);
}

/* A line is pasted; of what is wrong with it the reason comes back. */
static void paste(evutil_socket_t fd, short what, void *ctx)
{
	static char line[32768];
	struct driver *driver = ctx;
	struct why why = { 0, "" };

	(void)fd;
	(void)what;
	if (driver->n_flows == 0 || fgets(line, sizeof(line), stdin) == NULL) {
		(void)event_del(driver->stdin_ready);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	if (flow_code_paste(driver->flows[0], span_of(line), &why))
		printf("event=refused\ntext=%s\n\n", why.text);
	secret_wipe(line, sizeof(line));
}

static enum fault start_browser(struct driver *driver,
    const struct flow_target *target, struct flow **flow_out)
{
	struct why why = { 0, "" };
	enum fault fault;

	driver->provider->returns_iss = driver->returns_iss;
	fault = flow_code_start(target, driver->account, flow_out, &why);
	if (fault)
		printf("event=not-started\nfault=%s\ntext=%s\n\n",
		    fault_word(fault), why.text);
	driver->stdin_ready = event_new(driver->base, STDIN_FILENO,
	    EV_READ | EV_PERSIST, paste, driver);
	if (driver->stdin_ready == NULL ||
	    event_add(driver->stdin_ready, NULL) != 0)
		die("no event");
	return fault;
}

static bool may_send(void *ctx)
{
	struct driver *driver = ctx;

	printf("event=may-send\n\n");
	return driver->may_send-- > 1;
}

static void start(struct driver *driver)
{
	struct flow_target target = {
		.http = driver->http,
		.base = driver->base,
		.provider = driver->provider,
		.event = on_event,
		.ctx = driver,
		.may_send = driver->may_send > 0 ? may_send : NULL,
		.may_send_ctx = driver,
	};
	enum fault fault = FAULT_NONE;
	int64_t i;

	driver->left = driver->together;
	for (i = 0; i < driver->together && !fault; i++) {
		if (driver->browser)
			fault = start_browser(driver, &target,
			    &driver->flows[i]);
		else if (driver->device)
			fault = flow_device_start(&target, driver->account,
			    &driver->flows[i]);
		else
			fault = flow_refresh_start(&target,
			    driver->refresh_token, driver->scope,
			    &driver->flows[i]);
		driver->n_flows++;
	}
	if (fault)
		die(fault_text(fault));
}

static int64_t number(const char *text)
{
	int64_t value = 0;

	if (attr_number(span_of(text), 1, FLOWS_MAX, &value))
		die("a number is out of range");
	return value;
}

static void set_extra(struct driver *driver, char *value)
{
	char *colon = strchr(value, ':');
	struct why why = { 0, "" };

	if (colon == NULL)
		die("extra=NAME:VALUE");
	*colon = '=';
	if (provider_set(driver->provider, "extra", value, &why))
		die(why.text);
}

static void set_option(struct driver *driver, char *option)
{
	char *value = strchr(option, '=');
	struct why why = { 0, "" };

	if (value == NULL)
		die("options are name=value");
	*value++ = '\0';
	if (strcmp(option, "preset") == 0)
		return;
	if (strcmp(option, "extra") == 0)
		set_extra(driver, value);
	else if (strcmp(option, "ask") == 0)
		driver->scope = value;
	else if (strcmp(option, "account") == 0)
		driver->account = value;
	else if (strcmp(option, "times") == 0)
		driver->times = number(value);
	else if (strcmp(option, "together") == 0)
		driver->together = number(value);
	else if (strcmp(option, "returns_iss") == 0)
		driver->returns_iss = number(value) == 1;
	else if (strcmp(option, "may_send") == 0)
		driver->may_send = number(value);
	else if (strcmp(option, "race") == 0)
		driver->race = number(value) == 1;
	else if (provider_set(driver->provider, option, value, &why))
		die(why.text);
}

static struct secret *secret_after(const char *line, const char *name)
{
	struct secret *secret = NULL;
	size_t n = strlen(name);

	if (strncmp(line, name, n) == 0 &&
	    secret_new((struct span){ line + n, strcspn(line + n, "\n") },
		&secret))
		die("out of memory");
	return secret;
}

static void read_secrets(struct driver *driver)
{
	static char line[REFRESH_TOKEN_MAX_BYTES + 100];

	/* No more than that: stdio must leave what comes later. */
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL && line[0] != '\n') {
		if (driver->refresh_token == NULL)
			driver->refresh_token = secret_after(line,
			    "refresh_token=");
		if (driver->client_secret == NULL)
			driver->client_secret = secret_after(line,
			    "client_secret=");
	}
	secret_wipe(line, sizeof(line));
}

static void set_up(struct driver *driver, int argc, char **argv)
{
	struct why why = { 0, "" };
	int i;

	if (argc < 2)
		die("refresh, device or browser?");
	driver->device = strcmp(argv[1], "device") == 0;
	driver->browser = strcmp(argv[1], "browser") == 0;
	for (i = 2; i < argc; i++)
		if (strncmp(argv[i], "preset=", 7) == 0)
			driver->preset = argv[i] + 7;
	if (provider_new("test", driver->preset, &driver->provider))
		die("no such preset");
	for (i = 2; i < argc; i++)
		set_option(driver, argv[i]);
	read_secrets(driver);
	if (provider_set_secret(driver->provider, driver->client_secret) ||
	    provider_finish(driver->provider, "smtp", &why))
		die(why.text);
	if ((driver->device || driver->browser) && driver->scope != NULL &&
	    provider_set(driver->provider, "scope", driver->scope, &why))
		die(why.text);
}

int main(int argc, char **argv)
{
	struct driver driver = { .times = 1, .together = 1 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	reply_setup();
	set_up(&driver, argc, argv);
	driver.base = event_base_new();
	if (driver.base == NULL || http_new(driver.base, &driver.http))
		die("no event loop");
	start(&driver);
	/* Ends when nothing is waited for: idle connections may remain. */
	while (driver.n_flows > 0 &&
	    event_base_loop(driver.base, EVLOOP_ONCE) == 0)
		;
	if (driver.stdin_ready != NULL)
		event_free(driver.stdin_ready);
	http_free(driver.http);
	event_base_free(driver.base);
	provider_release(driver.provider);
	secret_free(driver.refresh_token);
	secret_free(driver.client_secret);
	return 0;
}
