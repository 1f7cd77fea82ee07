/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether a provider can be reached from here and knows its client, without a
 * grant: one request that says nothing, and one that nobody has signed in for.
 * The first tells about name, connection, TLS and clock.  The second is for a
 * device code that is not used, for an application's token that is dropped, or
 * with a refresh token that never was: a server looks at the client first (RFC
 * 6749 section 3.2.1).
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/choose.h"
#include "daemon/refresh.h"
#include "daemon/verbs.h"
#include "oauth/assertion.h"
#include "oauth/issuer.h"
#include "oauth/url.h"

#define PROBES_MAX    8
#define PROBE_MAX_S   25 /* clients wait for 35 */
#define REACH_MAX_MS  10000
#define CLOCK_MAX_S   60
#define MADE_UP_TOKEN "mailtoken-probe-of-a-grant-that-never-was-00"

/* In this order; the first four are stages of the first request. */
enum check {
	CHECK_DNS = HTTP_NAME,
	CHECK_CONNECT = HTTP_CONNECT,
	CHECK_TLS = HTTP_TLS,
	CHECK_CLOCK = HTTP_ANSWER,
	CHECK_CLIENT,
	CHECKS
};

static const char *const words[CHECKS] = {
	[CHECK_DNS] = "dns",
	[CHECK_CONNECT] = "connect",
	[CHECK_TLS] = "tls",
	[CHECK_CLOCK] = "clock",
	[CHECK_CLIENT] = "client",
};

struct probe {
	struct conn *conn;
	struct provider *provider;
	char *host; /* that the first request is for */
	struct http_exchange *reach;
	struct issuer_step *step; /* to the endpoints of an issuer */
	struct flow *flow;
	struct event limit;
	enum check check;  /* the next to be told */
	bool clock_is_off; /* by more than an assertion lives */
	bool made_up;	   /* the flow has a token that never was */
};

static const char *host_of(const struct probe *probe)
{
	return probe->provider->token_host != NULL ?
	    probe->provider->token_host :
	    probe->host;
}

static void say(struct probe *probe, const char *outcome, const char *text)
{
	struct attr_writer writer;

	answer_begin(&writer, &probe->conn->out, ATTR_CHECK,
	    words[probe->check++]);
	attr_put_str(&writer, ATTR_OUTCOME, outcome);
	answer_text(&writer, ATTR_SERVER, host_of(probe));
	answer_text(&writer, ATTR_TEXT, text);
	answer_end(&writer);
	conn_send_later(probe->conn);
}

/* One sentence about the next check. */
static void tell(struct probe *probe, enum fault fault, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void tell(struct probe *probe, enum fault fault, const char *format, ...)
{
	char text[TEXT_MAX_BYTES];
	va_list values;

	va_start(values, format);
	(void)vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	say(probe, fault_word(fault), text);
}

/* It is gone then. */
static void finish(struct probe *probe, enum check needed)
{
	struct conn *conn = probe->conn;
	char text[40];

	(void)evtimer_del(&probe->limit);
	http_cancel(probe->reach);
	probe->reach = NULL;
	issuer_cancel(probe->step);
	probe->step = NULL;
	flow_free(probe->flow);
	probe->flow = NULL;
	(void)snprintf(text, sizeof(text), "not run: needs %s", words[needed]);
	while (probe->check < CHECKS)
		say(probe, OUTCOME_NOT_RUN, text);
	conn_answer_ok(conn);
}

static void end(struct probe *probe, enum fault fault, const char *text)
{
	tell(probe, fault, "%s", text);
	finish(probe, CHECK_CLIENT);
}

static void ask_client(struct probe *probe);

/* What a token that never was is answered with where the client is known. */
static bool is_known(const struct probe *probe,
    const struct flow_failure *failure)
{
	return probe->made_up &&
	    (failure->code == 9002313 || /* malformed */
		span_listed(span_of(failure->error),
		    "invalid_grant unsupported_grant_type invalid_scope"));
}

static void happened(void *ctx, const struct flow_event *event)
{
	struct probe *probe = ctx;
	const struct provider *provider = probe->provider;
	const struct flow_failure *failure = event->failure;

	if (event->kind == FLOW_SHOW_CODE && provider->client_secret != NULL) {
		flow_free(probe->flow); /* nobody has looked at the secret */
		probe->flow = NULL;
		probe->made_up = true;
		ask_client(probe);
	} else if (event->kind == FLOW_FAILED && !is_known(probe, failure)) {
		end(probe,
		    failure->class == ADVICE_TRANSIENT ? FAULT_TRY_LATER :
							 FAULT_CONFIG_ERROR,
		    failure->text);
	} else {
		tell(probe, FAULT_NONE,
		    provider_is_app_only(provider) ?
			"%.200s gave the application a token" :
			failure == NULL ||
			    strcmp(failure->error, "invalid_grant") == 0 ?
			"%.200s knows the client" :
			"%.200s does not refuse the client",
		    host_of(probe));
		finish(probe, CHECK_CLIENT);
	}
}

static enum fault start_made_up(struct probe *probe,
    const struct flow_target *target)
{
	struct secret *token;
	enum fault fault;

	probe->made_up = true;
	fault = secret_new(span_of(MADE_UP_TOKEN), &token);
	if (fault != FAULT_NONE)
		return fault;
	fault = flow_refresh_start(target, token, NULL, &probe->flow);
	secret_free(token);
	return fault;
}

static void ask_client(struct probe *probe)
{
	const struct request *request = &probe->conn->request;
	struct provider *provider = probe->provider;
	const struct flow_target target = {
		.http = probe->conn->engine->http,
		.base = probe->conn->engine->base,
		.provider = provider,
		.event = happened,
		.ctx = probe,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (provider_is_app_only(provider))
		fault = refresh_app(&target,
		    request->account.n > 0    ? request->folded :
			provider->key != NULL ? assertion_key_issuer(
						    provider->key) :
						NULL,
		    &probe->flow, &why);
	else if (!probe->made_up &&
	    provider_check_flow(provider, FLOW_DEVICE, &why) == FAULT_NONE)
		fault = flow_device_start(&target, NULL, &probe->flow);
	else
		fault = start_made_up(probe, &target);
	if (fault != FAULT_NONE)
		end(probe, fault, why_text(&why, fault));
}

static void begin_client(struct probe *probe)
{
	const struct provider *provider = probe->provider;

	if (provider->registers) {
		say(probe, OUTCOME_NOT_RUN,
		    "not run: the provider gives a client id at the sign-in");
		finish(probe, CHECK_CLIENT);
	} else if (probe->clock_is_off && provider->key != NULL) {
		finish(probe, CHECK_CLOCK);
	} else {
		ask_client(probe);
	}
}

static void discovered(void *ctx, const struct issuer_end *told)
{
	struct probe *probe = ctx;
	const struct provider_change change = { .found = told->found };
	struct provider *whole = NULL;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	probe->step = NULL;
	if (told->found == NULL) {
		end(probe, told->fault, told->text);
		return;
	}
	fault = provider_change(probe->provider, &change, &whole, &why);
	if (fault == FAULT_NONE) {
		provider_release(probe->provider);
		probe->provider = whole;
		begin_client(probe);
	} else {
		end(probe, fault, why_text(&why, fault));
	}
}

/* It may be gone before issuer_start() returns. */
static void discover(struct probe *probe)
{
	const struct issuer_wish wish = {
		.provider = probe->provider,
		.now_ms = clock_boot_ms(),
		.fn = discovered,
		.ctx = probe,
	};
	struct issuer_step *step;
	enum fault fault;

	fault = issuer_start(probe->conn->engine->issuers, &wish, &step);
	if (fault != FAULT_NONE)
		end(probe, fault, fault_text(fault));
	else if (step != NULL)
		probe->step = step;
}

static void tell_clock(struct probe *probe, int64_t date_s)
{
	const char *host = host_of(probe);
	int64_t ahead_s = clock_wall_s() - date_s;
	long long off_s = (long long)(ahead_s > 0 ? ahead_s : -ahead_s);

	probe->clock_is_off = date_s > 0 && off_s > CLOCK_MAX_S;
	if (date_s == 0)
		tell(probe, FAULT_NONE, "%.200s sends no date to compare with",
		    host);
	else if (probe->clock_is_off)
		tell(probe, FAULT_CONFIG_ERROR,
		    "the clock of this machine is %lld seconds %s that of "
		    "%.200s: set it, as with: timedatectl set-ntp true",
		    off_s, ahead_s > 0 ? "ahead of" : "behind", host);
	else
		tell(probe, FAULT_NONE,
		    "the clock of this machine is %lld seconds off that of "
		    "%.200s",
		    off_s, host);
}

/* Where the way ended, with what to try. */
static void tell_trouble(struct probe *probe, const struct http_answer *answer)
{
	const char *host = host_of(probe);
	bool of_proxy = strstr(answer->text, "proxy") != NULL;
	char hint[400] = "";

	if (!of_proxy && answer->stage == HTTP_NAME)
		(void)snprintf(hint, sizeof(hint),
		    ": look at /etc/resolv.conf, and whether this finds it: "
		    "getent ahosts %.*s",
		    (int)strcspn(host, ":"), host);
	else if (!of_proxy && answer->stage == HTTP_CONNECT)
		(void)snprintf(hint, sizeof(hint),
		    ": let this machine connect to %.200s, or write proxy ... "
		    "into the provider's block",
		    host);
	tell(probe,
	    answer->stage == HTTP_TLS || answer->trouble == HTTP_LOCAL ?
		FAULT_CONFIG_ERROR :
		FAULT_TRY_LATER,
	    "%s%s", answer->text, hint);
}

static void reached(void *ctx, const struct http_answer *answer)
{
	struct probe *probe = ctx;
	bool ended = answer->trouble == HTTP_LOST ||
	    answer->trouble == HTTP_LOCAL;
	enum check stage = ended ? (enum check)answer->stage : CHECK_CLIENT;

	probe->reach = NULL;
	if (stage > CHECK_DNS)
		tell(probe, FAULT_NONE, "the name has an address%s%s",
		    answer->address[0] != '\0' ? ": " : "", answer->address);
	if (stage > CHECK_CONNECT)
		tell(probe, FAULT_NONE, "%s takes connections",
		    answer->address[0] != '\0' ? answer->address :
						 answer->host);
	if (stage > CHECK_TLS)
		tell(probe, FAULT_NONE,
		    "TLS 1.2 or newer, with a certificate that is accepted");
	if (ended) {
		tell_trouble(probe, answer);
		finish(probe, stage);
		return;
	}
	tell_clock(probe, answer->date_s);
	if (probe->provider->incomplete)
		discover(probe);
	else
		begin_client(probe);
}

static void too_long(evutil_socket_t fd, short events, void *ctx)
{
	struct probe *probe = ctx;
	enum check check = probe->check;

	(void)fd;
	(void)events;
	tell(probe, FAULT_TIMEOUT, "%.200s did not answer within %d seconds",
	    host_of(probe), PROBE_MAX_S);
	finish(probe, check);
}

/* NULL where nothing was said. */
static const char *plain(struct span value, char out[SERVER_MAX_BYTES + 1])
{
	attr_plain(value, out, SERVER_MAX_BYTES + 1);
	return value.n > 0 ? out : NULL;
}

/* The block with another client, whose secret is not written yet. */
static enum fault change_client(const struct provider *block,
    const char *client_id, struct provider **provider_out, struct why *why)
{
	const struct provider_change change = { .client_id = client_id };
	enum fault fault = provider_change(block, &change, provider_out, why);

	if (fault != FAULT_NONE)
		return fault;
	(*provider_out)->registered = block->registered;
	return block->client_id != NULL && client_id != NULL &&
		strcmp(block->client_id, client_id) != 0 ?
	    provider_set_secret(*provider_out, NULL) :
	    FAULT_NONE;
}

/* What the block says, and the request does not. */
static void take_block(const struct provider *block,
    struct grant_profile *brought)
{
	const char *preset = block->token_host != NULL ?
	    preset_of_host(block->token_host) :
	    NULL;

	brought->preset = block->preset;
	brought->cloud = block->cloud;
	brought->ca_file = block->ca_file;
	brought->ca_path = block->ca_path;
	brought->proxy = block->proxy;
	if (brought->issuer == NULL && block->preset == NULL)
		brought->issuer = block->issuer;
	if (brought->tenant == NULL)
		brought->tenant = block->tenant;
	if (brought->client_id == NULL) {
		brought->client_id = block->client_id;
		brought->client_secret = block->client_secret;
	}
	/* Endpoints of its own; others have the tenant in them. */
	if (block->preset == NULL || block->token_host == NULL ||
	    preset != NULL)
		return;
	brought->token_endpoint = block->token_endpoint;
	brought->authorization_endpoint = block->authorization_endpoint;
	brought->device_authorization_endpoint =
	    block->device_authorization_endpoint;
}

/* What is to be tried: a block or preset, with other values. */
static enum fault make_provider(const struct config *config,
    const struct request *request, struct provider **provider_out,
    struct why *why)
{
	char texts[4][SERVER_MAX_BYTES + 1];
	struct grant_profile brought = {
		.preset = plain(request->provider, texts[0]),
		.client_id = plain(request->client_id, texts[1]),
		.tenant = plain(request->tenant, texts[2]),
		.issuer = plain(request->issuer, texts[3]),
	};
	const struct provider *block = config != NULL ?
	    config_provider(config, texts[0]) :
	    NULL;

	brought.name = brought.preset != NULL ? brought.preset : brought.issuer;
	if (block != NULL && brought.issuer == NULL &&
	    (brought.tenant == NULL || block->preset == NULL) &&
	    !provider_is_app_only(block))
		return change_client(block, brought.client_id, provider_out,
		    why);
	if (block != NULL)
		take_block(block, &brought);
	/* Its secret is not written yet. */
	if (preset_is(preset_find(brought.preset), "flow",
		"client-credentials"))
		brought.flow = "device";
	if (brought.name == NULL) {
		why_set(why, 0,
		    "the request names neither provider nor issuer");
		return FAULT_BAD_REQUEST;
	}
	if (brought.preset != NULL && preset_find(brought.preset) == NULL) {
		why_set(why, 0, "there is no provider and no preset '%s'",
		    brought.preset);
		return FAULT_CONFIG_ERROR;
	}
	return grant_make(config, &brought, provider_out, why);
}

static enum fault find_provider(const struct conn *conn,
    struct provider **provider_out, struct why *why)
{
	const struct request *request = &conn->request;
	struct choice choice = { .provider = NULL };
	const struct choose_from from = {
		.config = conn->engine->config,
		.account = "",
		.provider = request->provider,
		.issuer = request->issuer,
	};
	enum fault fault;

	if (request->client_id.n > 0 || request->tenant.n > 0 ||
	    (request->provider.n > 0 && request->issuer.n > 0))
		return make_provider(from.config, request, provider_out, why);
	if (from.config == NULL) {
		why_set(why, 0, "%s", conn->engine->config_trouble);
		return FAULT_CONFIG_ERROR;
	}
	fault = choose_provider(&from, &choice, why);
	*provider_out = choice.provider;
	return fault;
}

static enum fault start(struct conn *conn, struct why *why)
{
	static const struct timeval limit = { PROBE_MAX_S, 0 };
	struct probe *probe = calloc(1, sizeof(*probe));
	struct http_request reach = {
		.method = HTTP_GET,
		.max_ms = REACH_MAX_MS,
	};
	enum fault fault;

	if (probe == NULL)
		return FAULT_NOMEM;
	conn->probe = probe;
	conn->engine->probes++;
	probe->conn = conn;
	(void)evtimer_assign(&probe->limit, conn->engine->base, too_long,
	    probe);
	fault = find_provider(conn, &probe->provider, why);
	if (fault != FAULT_NONE)
		return fault;
	reach.url = probe->provider->incomplete ?
	    probe->provider->issuer :
	    probe->provider->token_endpoint;
	reach.ca_file = probe->provider->ca_file;
	reach.ca_path = probe->provider->ca_path;
	reach.proxy = probe->provider->proxy;
	fault = url_host(reach.url, &probe->host);
	if (fault != FAULT_NONE)
		return fault;
	if (evtimer_add(&probe->limit, &limit) != 0)
		return FAULT_NOMEM;
	return http_start(conn->engine->http, &reach, reached, probe,
	    &probe->reach);
}

void verbs_probe(struct conn *conn)
{
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (conn->engine->probes >= PROBES_MAX) {
		conn_refuse(conn, FAULT_BUSY,
		    "8 providers are looked at already: try again");
		return;
	}
	conn->phase = CONN_STREAMING;
	fault = start(conn, &why);
	if (fault != FAULT_NONE)
		conn_refuse(conn, fault, why.text);
}

void probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	probe->conn->engine->probes--;
	http_cancel(probe->reach);
	issuer_cancel(probe->step);
	flow_free(probe->flow);
	(void)evtimer_del(&probe->limit);
	provider_release(probe->provider);
	free(probe->host);
	free(probe);
}
