/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From "who and with which provider" to tokens: choosing the provider, running
 * the flow, asking what the user has to say.
 */
#include "daemon/signin.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"

static void too_long(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	signin_end(ctx, FAULT_TIMEOUT,
	    "nobody signed in within 15 minutes: start again");
}

void signin_answer(struct signin *signin, struct span answer)
{
	if (signin->answered != NULL)
		signin->answered(signin, answer);
}

static void address_answered(struct signin *signin, struct span answer);

static void ask_for_address(struct signin *signin, const char *text)
{
	const struct signin_question question = { .word = QUESTION_PASTE_URL,
		.text = text,
		.answered = address_answered };

	signin_ask(signin, &question);
}

static void address_answered(struct signin *signin, struct span answer)
{
	struct why why = { .err = 0, .text = "" };

	if (span_is(answer, "") || span_is(answer, "no"))
		return;
	if (flow_code_paste(signin->flow, answer, &why) != FAULT_NONE)
		ask_for_address(signin, why.text);
}

static enum fault fault_of(const struct flow_failure *failure)
{
	switch (failure->class) {
	case ADVICE_TRANSIENT: return FAULT_TRY_LATER;
	case ADVICE_LOGIN_NEEDED: return FAULT_LOGIN_NEEDED;
	case ADVICE_CONFIG: return FAULT_CONFIG_ERROR;
	}
	return FAULT_INTERNAL;
}

static enum fault start_flow(struct signin *signin, struct why *why);

static void say_choice(struct signin *signin, const char *why_flow)
{
	(void)snprintf(signin->reason, sizeof(signin->reason),
	    "provider '%.100s' (%s), flow '%s' (%s)", signin->provider->name,
	    signin->choice.reason, flow_kind_word(signin->kind), why_flow);
}

static void say_anew(struct signin *signin, const char *anew)
{
	size_t n = strlen(signin->reason);

	if (anew == NULL)
		return;
	(void)snprintf(signin->reason + n, sizeof(signin->reason) - n,
	    "; registered anew: %s", anew);
	log_event(LOG_LEVEL_INFO, "sign-in", "%s: registered anew: %s",
	    signin->folded, anew);
}

/* In place of a device flow that cannot work there, if there is another. */
static bool go_on_with_browser(struct signin *signin,
    const struct flow_failure *failure)
{
	struct flow *over = signin->flow; /* which has the failure */
	struct why why = { .err = 0, .text = "" };
	char text[100];

	if (signin->kind != FLOW_DEVICE || !advice_is_blocked(failure->code) ||
	    provider_check_flow(signin->provider, FLOW_BROWSER, &why) !=
		FAULT_NONE)
		return false;
	log_event(LOG_LEVEL_WARNING, "sign-in",
	    "%s: %s; going on with the browser flow", signin->folded,
	    failure->text);
	signin->flow = NULL;
	signin->kind = FLOW_BROWSER;
	(void)snprintf(text, sizeof(text),
	    "a policy of the provider blocks the device flow, number %lld",
	    (long long)failure->code);
	say_choice(signin, text);
	if (start_flow(signin, &why) != FAULT_NONE)
		signin_end(signin, FAULT_CONFIG_ERROR, failure->text);
	flow_free(over);
	return true;
}

static void prepare(struct signin *signin);

/* The server has forgotten the client that an earlier sign-in registered. */
static bool go_on_with_new_client(struct signin *signin,
    const struct flow_failure *failure)
{
	if (!signin->reused ||
	    (strcmp(failure->error, "invalid_client") != 0 &&
		strcmp(failure->error, "unauthorized_client") != 0))
		return false;
	log_event(LOG_LEVEL_WARNING, "sign-in", "%s: %s; registering anew",
	    signin->folded, failure->text);
	flow_free(signin->flow);
	signin->flow = NULL;
	signin->answered = NULL; /* what is pasted now was for that one */
	provider_release(signin->provider);
	signin->provider = provider_share(signin->chosen);
	signin->anew = "the server does not accept the earlier registration";
	prepare(signin);
	return true;
}

static void tell_device(struct attr_writer *writer,
    const struct reply_device *device)
{
	attr_put_str(writer, ATTR_USER_CODE, device->user_code);
	attr_put_str(writer, ATTR_VERIFICATION_URI, device->verification_uri);
	if (device->verification_uri_complete != NULL)
		attr_put_str(writer, ATTR_VERIFICATION_URI_COMPLETE,
		    device->verification_uri_complete);
}

/* What to do, where and until when; with which provider and how, and why so. */
static void tell(struct signin *signin, const char *word,
    const struct flow_event *event)
{
	struct attr_writer writer;

	answer_begin(&writer, &signin->conn->out, ATTR_EVENT, word);
	if (event->kind == FLOW_SHOW_CODE) {
		tell_device(&writer, event->device);
	} else if (event->kind == FLOW_SHOW_URL) {
		attr_put_str(&writer, ATTR_URL, event->url);
		attr_put_str(&writer, ATTR_REDIRECT_URI, event->redirect_uri);
	}
	attr_put_int(&writer, ATTR_EXPIRES_IN, event->left_s);
	if (event->kind != FLOW_WAITING) {
		attr_put_str(&writer, ATTR_PROVIDER, signin->provider->name);
		attr_put_str(&writer, ATTR_FLOW, flow_kind_word(signin->kind));
		answer_text(&writer, ATTR_TEXT, signin->reason);
	}
	answer_end(&writer);
	conn_send_later(signin->conn);
}

static void happened(void *ctx, const struct flow_event *event)
{
	struct signin *signin = ctx;

	switch (event->kind) {
	case FLOW_SHOW_CODE: tell(signin, EVENT_SHOW_CODE, event); break;
	case FLOW_SHOW_URL:
		tell(signin, EVENT_SHOW_URL, event);
		ask_for_address(signin,
		    signin->provider->redirect_uri != NULL ?
			"paste the address that the browser ended at, also "
			"when its page is an error" :
			"where the browser is not on this computer, paste the "
			"address that it ended at");
		break;
	case FLOW_WAITING: tell(signin, EVENT_WAITING, event); break;
	case FLOW_REVOKED: break; /* ends no sign-in */
	case FLOW_TOKENS: signin_keep(signin, event->token); break;
	case FLOW_FAILED:
		if (go_on_with_browser(signin, event->failure) ||
		    go_on_with_new_client(signin, event->failure))
			break;
		log_event(LOG_LEVEL_WARNING, "sign-in", "%s: %s%s%s",
		    signin->folded, event->failure->text,
		    event->failure->trace[0] != '\0' ? " " : "",
		    event->failure->trace);
		signin_end(signin, fault_of(event->failure),
		    event->failure->text);
		break;
	}
}

/* Who hung up and begins again is not told to wait for himself. */
static void look_who_left(const struct engine *engine)
{
	struct signin *at;
	struct signin *next;

	for (at = engine->signins; at != NULL; at = next) {
		next = at->next;
		conn_start(at->conn);
	}
}

static enum fault check_room(const struct engine *engine,
    const struct request *request, struct why *why)
{
	const struct signin *at;
	size_t n = 0;

	for (at = engine->signins; at != NULL; at = at->next) {
		if (strcmp(at->folded, request->folded) == 0) {
			why_set(why, 0,
			    "somebody else is signing this account in: wait "
			    "for that, or end it");
			return FAULT_BUSY;
		}
		n++;
	}
	if (n < SIGNIN_MAX)
		return FAULT_NONE;
	why_set(why, 0, "%d sign-ins wait already: finish or end one",
	    SIGNIN_MAX);
	return FAULT_BUSY;
}

static enum fault start_flow(struct signin *signin, struct why *why)
{
	struct flow_target target = {
		.http = signin->engine->http,
		.base = signin->engine->base,
		.provider = signin->provider,
		.event = happened,
		.ctx = signin,
	};
	enum fault fault;

	if (provider_check_flow(signin->provider, signin->kind, why) !=
	    FAULT_NONE)
		return FAULT_CONFIG_ERROR;
	fault = grant_draw_serial(signin->serial, why);
	if (fault != FAULT_NONE)
		return fault;
	if (signin->kind == FLOW_DEVICE)
		return flow_device_start(&target, signin->account,
		    &signin->flow);
	if (signin->kind == FLOW_BROWSER)
		return flow_code_start(&target, signin->account, &signin->flow,
		    why);
	why_set(why, 0,
	    "provider '%s': nobody signs in with its flow: with 'device' and "
	    "'browser' somebody can",
	    signin->provider->name);
	return FAULT_CONFIG_ERROR;
}

/* Of an earlier sign-in, or NULL. */
static const struct entry *earlier(const struct engine *engine,
    const char *folded)
{
	struct account *known = accounts_find(engine->accounts, folded);

	return known != NULL ? account_entry(known) : NULL;
}

/* How it was signed in before with that provider, if that can work still. */
static enum flow_kind earlier_flow(const struct signin *signin)
{
	const struct entry *entry = earlier(signin->engine, signin->folded);
	enum flow_kind kind = FLOW_NONE;
	struct why why;

	if (entry == NULL || entry->flow == NULL ||
	    strcmp(entry->provider, signin->provider->name) != 0 ||
	    flow_kind_from_word(span_of(entry->flow), &kind) != FAULT_NONE ||
	    provider_check_flow(signin->provider, kind, &why) != FAULT_NONE)
		return FLOW_NONE;
	return kind;
}

static const char *choose_flow(struct signin *signin)
{
	signin->kind = signin->wished;
	if (signin->kind != FLOW_NONE)
		return "named for this sign-in";
	signin->kind = earlier_flow(signin);
	if (signin->kind != FLOW_NONE)
		return "that of the earlier sign-in";
	signin->kind = signin->provider->flow;
	return "the way of that provider";
}

static void prepared(void *ctx, const struct issuer_end *done)
{
	const char *why_flow;
	struct signin *signin = ctx;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	signin->step = NULL;
	if (done->provider == NULL) {
		signin_end(signin, done->fault, done->text);
		return;
	}
	provider_release(signin->provider);
	signin->provider = provider_share(done->provider);
	why_flow = choose_flow(signin);
	say_choice(signin, why_flow);
	if (done->registered) {
		signin->registered_s = clock_wall_s();
		signin->secret_expires_s = done->secret_expires_s;
		say_anew(signin, signin->anew);
	}
	fault = start_flow(signin, &why);
	if (fault != FAULT_NONE)
		signin_end(signin, fault,
		    why.text[0] != '\0' ? why.text : NULL);
}

/* What was named for the earlier sign-in with that provider. */
static void recall_protocols(struct signin *signin, const struct entry *entry)
{
	if (signin->protocols[0] != '\0' || entry == NULL ||
	    entry->chosen_protocols == NULL ||
	    strlen(entry->chosen_protocols) >= sizeof(signin->protocols) ||
	    strcmp(entry->provider, signin->provider->name) != 0)
		return;
	(void)snprintf(signin->protocols, sizeof(signin->protocols), "%s",
	    entry->chosen_protocols);
	signin->chosen_before = true;
}

/* What went wrong with a client may be that its server forgot it. */
static const char *why_anew(const struct entry *entry)
{
	if (entry->client_secret_expires_s > 0 &&
	    entry->client_secret_expires_s <= clock_wall_s())
		return "the earlier registration has expired";
	return entry->state == ENTRY_CONFIG_ERROR ?
	    "the earlier registration may be what was refused" :
	    NULL;
}

/* The client that an earlier sign-in registered at the same issuer. */
static enum fault recall_client(struct signin *signin,
    const struct entry *entry, struct why *why)
{
	const struct provider_change client = {
		.client_id = entry->client_id,
		.client_secret = entry->client_secret,
		.secret_way = entry->secret_by_basic != 0 ? SECRET_WAY_BASIC :
							    SECRET_WAY_UNKNOWN,
	};
	const struct provider *chosen = signin->provider;
	struct provider *changed;
	enum fault fault;

	if (entry->registered_s == 0 || entry->client_id == NULL ||
	    entry->issuer == NULL || chosen->issuer == NULL ||
	    chosen->client_id != NULL || provider_is_app_only(chosen))
		return FAULT_NONE;
	if (signin->anew == NULL)
		signin->anew = why_anew(entry);
	if (signin->anew != NULL || strcmp(chosen->issuer, entry->issuer) != 0)
		return FAULT_NONE;
	fault = provider_change(chosen, &client, &changed, why);
	if (fault != FAULT_NONE)
		return fault;
	provider_release(signin->provider);
	signin->provider = changed;
	signin->registered_s = entry->registered_s;
	signin->secret_expires_s = entry->client_secret_expires_s;
	signin->reused = true;
	return FAULT_NONE;
}

static void prepare(struct signin *signin)
{
	const struct entry *entry = earlier(signin->engine, signin->folded);
	struct issuer_wish wish = {
		.now_ms = clock_boot_ms(),
		.to_sign_in = true,
		.fn = prepared,
		.ctx = signin,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_NONE;

	recall_protocols(signin, entry);
	if (signin->protocols[0] != '\0')
		wish.protocols = signin->protocols;
	signin->registered_s = 0;
	signin->reused = false;
	if (entry != NULL)
		fault = recall_client(signin, entry, &why);
	wish.provider = signin->provider;
	if (fault == FAULT_NONE)
		fault = issuer_start(signin->engine->issuers, &wish,
		    &signin->step);
	if (fault != FAULT_NONE)
		signin_end(signin, fault,
		    why.text[0] != '\0' ? why.text : NULL);
}

static void provider_answered(struct signin *signin, struct span answer)
{
	signin->answered = NULL;
	if (span_is(answer, "yes"))
		prepare(signin);
	else
		signin_end(signin, FAULT_CONFIG_ERROR,
		    "no provider was chosen: name one with --provider");
}

static void ask_for_provider(struct signin *signin)
{
	struct signin_question question = { .word = QUESTION_PROVIDER,
		.answered = provider_answered };
	char text[400];

	(void)snprintf(text, sizeof(text),
	    "%s: sign in there (provider '%.100s')?", signin->choice.reason,
	    signin->provider->name);
	question.text = text;
	signin_ask(signin, &question);
}

static void begin(evutil_socket_t fd, short events, void *ctx)
{
	struct signin *signin = ctx;

	(void)fd;
	(void)events;
	if (signin->choice.must_ask)
		ask_for_provider(signin);
	else
		prepare(signin);
}

static enum fault fill(struct signin *signin, const struct request *request)
{
	static const struct timeval limit = { SIGNIN_MAX_S, 0 };
	static const struct timeval now = { 0, 0 };
	struct event_base *base = signin->engine->base;

	memcpy(signin->folded, request->folded, sizeof(signin->folded));
	memcpy(signin->protocols, request->protocols,
	    sizeof(signin->protocols));
	signin->wished = request->flow;
	signin->as_delegate = request->as_delegate;
	signin->account = strndup(request->account.p, request->account.n);
	signin->servers = strndup(request->servers.n > 0 ? request->servers.p :
							   "",
	    request->servers.n);
	(void)evtimer_assign(&signin->limit, base, too_long, signin);
	(void)evtimer_assign(&signin->soon, base, begin, signin);
	if (signin->account == NULL || signin->servers == NULL ||
	    evtimer_add(&signin->limit, &limit) != 0 ||
	    evtimer_add(&signin->soon, &now) != 0)
		return FAULT_NOMEM;
	return FAULT_NONE;
}

enum fault signin_start(struct conn *conn, struct why *why)
{
	struct engine *engine = conn->engine;
	const struct request *request = &conn->request;
	struct choose_from from = {
		.config = engine->config,
		.account = request->folded,
		.provider = request->provider,
		.issuer = request->issuer,
		.mx = request->mx,
	};
	struct choice choice = { .provider = NULL };
	struct signin *signin;
	enum fault fault;

	look_who_left(engine);
	fault = accounts_fits(request->folded, why);
	if (fault == FAULT_NONE)
		fault = check_room(engine, request, why);
	if (!fault) {
		from.entry = earlier(engine, request->folded);
		fault = choose_provider(&from, &choice, why);
	}
	if (fault)
		return fault;
	signin = calloc(1, sizeof(*signin));
	if (signin == NULL) {
		provider_release(choice.provider);
		return FAULT_NOMEM;
	}
	signin->engine = engine;
	signin->provider = choice.provider;
	signin->chosen = provider_share(choice.provider);
	signin->choice = choice;
	signin->conn = conn;
	signin->next = engine->signins;
	engine->signins = signin;
	fault = fill(signin, request);
	if (fault != FAULT_NONE) {
		signin_free(signin);
		return fault;
	}
	conn->signin = signin;
	return FAULT_NONE;
}

void signin_free(struct signin *signin)
{
	struct signin **at;

	if (signin == NULL)
		return;
	for (at = &signin->engine->signins; *at != NULL; at = &(*at)->next) {
		if (*at == signin) {
			*at = signin->next;
			break;
		}
	}
	flow_free(signin->flow);
	issuer_cancel(signin->step);
	(void)evtimer_del(&signin->soon);
	(void)evtimer_del(&signin->limit);
	entry_free(signin->entry);
	provider_release(signin->provider);
	provider_release(signin->chosen);
	free(signin->servers);
	free(signin->account);
	free(signin);
}
