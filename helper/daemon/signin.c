/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From "who and with which provider" to a record: choosing the provider,
 * running the flow, checking who signed in, handing the record over.
 */
#include "daemon/signin.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "daemon/accounts.h"
#include "daemon/choose.h"
#include "daemon/grant.h"
#include "daemon/profile.h"

typedef void answered_fn(struct signin *signin, struct span answer);

struct signin {
	struct engine *engine;
	char *account;
	char folded[ACCOUNT_MAX_BYTES + 1];
	char *servers;
	enum flow_kind kind;
	bool as_delegate;
	struct provider *provider;
	struct flow *flow;
	struct event *limit;
	struct event *soon; /* first turn of the loop */
	struct profile *profile;
	struct choice choice;
	char protocols[REQUEST_PROTOCOLS_BYTES];
	int64_t registered_s;
	enum flow_kind wished;
	char reason[320];
	struct entry *entry;   /* until it is kept */
	answered_fn *answered; /* of the open question; NULL: none is */
	signin_event_fn *fn;
	void *ctx;
	struct signin *next;
};

static void end(struct signin *signin, enum fault fault, const char *text)
{
	struct signin_event event = { .kind = SIGNIN_DONE,
		.fault = fault,
		.text = text };

	signin->fn(signin->ctx, &event);
}

static void too_long(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	end(ctx, FAULT_TIMEOUT,
	    "nobody signed in within 15 minutes: start again");
}

/* Whether name is one of the blank-separated names of identity. */
static bool is_named(const char *identity, const char *name)
{
	size_t n = strlen(name);

	while (*identity != '\0') {
		size_t word = strcspn(identity, " ");

		if (word == n && strncasecmp(identity, name, n) == 0)
			return true;
		identity += word;
		identity += strspn(identity, " ");
	}
	return false;
}

static void commit(struct signin *signin)
{
	struct signin_event event = { .kind = SIGNIN_DONE };
	struct entry *entry = signin->entry;
	struct account *account;
	struct why why = { .err = 0, .text = "" };
	char lacks[200];
	struct span word;
	size_t n = 0;

	if (accounts_make(signin->engine->accounts, signin->folded, &account) !=
	    FAULT_NONE) {
		end(signin, FAULT_INTERNAL, fault_text(FAULT_NOMEM));
		return;
	}
	signin->entry = NULL;
	word = grant_lacks(entry);
	if (account_adopt(account, entry, &why) != FAULT_NONE)
		event.warnings[n++] = why.text;
	if (word.n > 0) {
		char plain[100];

		attr_plain(word, plain, sizeof(plain));
		(void)snprintf(lacks, sizeof(lacks),
		    "the provider did not grant %s: mail servers may refuse "
		    "the token",
		    plain);
		event.warnings[n++] = lacks;
	}
	if (entry->identity == NULL)
		event.warnings[n++] =
		    "the provider does not say who signed in: "
		    "make sure that it was the right user";
	event.entry = account_entry(account);
	event.identity = entry->identity;
	event.provider = signin->provider;
	signin->fn(signin->ctx, &event);
}

static void ask(struct signin *signin, const struct signin_event *question,
    answered_fn *answered)
{
	signin->answered = answered;
	signin->fn(signin->ctx, question);
}

void signin_answer(struct signin *signin, struct span answer)
{
	if (signin->answered != NULL)
		signin->answered(signin, answer);
}

static void other_user_answered(struct signin *signin, struct span answer)
{
	signin->answered = NULL;
	if (span_is(answer, "yes"))
		commit(signin);
	else
		end(signin, FAULT_DENIED,
		    "another user signed in; nothing was stored");
}

static void ask_whether(struct signin *signin)
{
	struct signin_event event = { .kind = SIGNIN_ASK,
		.question = QUESTION_OTHER_USER };
	char who[256], text[768];

	attr_plain(span_of(signin->entry->identity), who, sizeof(who));
	(void)snprintf(text, sizeof(text), "%s signed in, not %s; keep this?",
	    who, signin->account);
	event.identity = who;
	event.text = text;
	ask(signin, &event, other_user_answered);
}

static void address_answered(struct signin *signin, struct span answer);

static void ask_for_address(struct signin *signin, const char *text)
{
	struct signin_event event = { .kind = SIGNIN_ASK,
		.question = QUESTION_PASTE_URL,
		.text = text };

	ask(signin, &event, address_answered);
}

static void address_answered(struct signin *signin, struct span answer)
{
	struct why why = { .err = 0, .text = "" };

	if (span_is(answer, "") || span_is(answer, "no"))
		return;
	if (flow_code_paste(signin->flow, answer, &why) != FAULT_NONE)
		ask_for_address(signin, why.text);
}

/* What the configuration does not know. */
static enum fault keep_client(struct signin *signin)
{
	const struct provider *provider = signin->provider;
	struct entry *entry = signin->entry;

	if (entry->protocols == NULL && signin->protocols[0] != '\0' &&
	    entry_set(&entry->protocols, span_of(signin->protocols)))
		return FAULT_NOMEM;
	entry->registered_s = signin->registered_s;
	if (signin->registered_s == 0 || provider->client_secret == NULL)
		return FAULT_NONE;
	return secret_copy(provider->client_secret, &entry->client_secret);
}

static void got_tokens(struct signin *signin, struct reply_token *token)
{
	const struct grant_signin signed_in = {
		.account = span_of(signin->account),
		.provider = signin->provider,
		.flow = signin->kind,
		.servers = span_of(signin->servers),
	};
	struct now now = engine_now();

	if (token->refresh_token == NULL) {
		end(signin, FAULT_CONFIG_ERROR,
		    "the provider gave no refresh token: add offline_access "
		    "(or what it calls that) to scope, and sign in again");
		return;
	}
	if (grant_new(&signed_in, token, &now, &signin->entry) != FAULT_NONE) {
		end(signin, FAULT_INTERNAL, fault_text(FAULT_NOMEM));
		return;
	}
	if (keep_client(signin) != FAULT_NONE) {
		end(signin, FAULT_INTERNAL, fault_text(FAULT_NOMEM));
		return;
	}
	if (signin->entry->identity != NULL && !signin->as_delegate &&
	    !is_named(signin->entry->identity, signin->account))
		ask_whether(signin);
	else
		commit(signin);
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

static void happened(void *ctx, const struct flow_event *event)
{
	struct signin *signin = ctx;
	struct signin_event told = { .device = event->device,
		.url = event->url,
		.redirect_uri = event->redirect_uri,
		.left_s = event->left_s,
		.provider = signin->provider,
		.flow = signin->kind,
		.text = signin->reason };

	switch (event->kind) {
	case FLOW_SHOW_CODE:
		told.kind = SIGNIN_SHOW_CODE;
		signin->fn(signin->ctx, &told);
		break;
	case FLOW_SHOW_URL:
		told.kind = SIGNIN_SHOW_URL;
		signin->fn(signin->ctx, &told);
		ask_for_address(signin,
		    "where the browser is not on this computer, paste the "
		    "address that it ended at");
		break;
	case FLOW_WAITING:
		told.kind = SIGNIN_WAITING;
		signin->fn(signin->ctx, &told);
		break;
	case FLOW_REVOKED: break; /* ends no sign-in */
	case FLOW_TOKENS: got_tokens(signin, event->token); break;
	case FLOW_FAILED:
		log_event(LOG_LEVEL_WARNING, "sign-in", "%s: %s%s%s",
		    signin->folded, event->failure->text,
		    event->failure->trace[0] != '\0' ? " " : "",
		    event->failure->trace);
		end(signin, fault_of(event->failure), event->failure->text);
		break;
	}
}

static enum fault check_room(const struct engine *engine,
    const struct signin_wish *wish, struct why *why)
{
	const struct signin *at;
	size_t n = 0;

	for (at = engine->signins; at != NULL; at = at->next) {
		if (strcmp(at->folded, wish->folded) == 0) {
			why_set(why, 0,
			    "somebody else is signing this account in: wait "
			    "for that, or end it");
			return FAULT_BUSY;
		}
		n++;
	}
	if (n < SIGNIN_MAX)
		return accounts_fits(wish->folded, why);
	why_set(why, 0, "%d sign-ins wait already: finish or end one",
	    SIGNIN_MAX);
	return FAULT_BUSY;
}

static enum fault start_device(struct signin *signin,
    const struct flow_target *target, struct why *why)
{
	enum fault fault;

	fault = flow_device_start(target, signin->provider->scope,
	    signin->account, &signin->flow);
	if (fault == FAULT_CONFIG_ERROR)
		why_set(why, 0,
		    "provider '%s' has no device_authorization_endpoint: add "
		    "it, or choose another flow",
		    signin->provider->name);
	else if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

static enum fault start_browser(struct signin *signin,
    const struct flow_target *target, struct why *why)
{
	struct flow_code_wish wish = {
		.scope = signin->provider->scope,
		.account = signin->account,
		.port = signin->provider->redirect_port,
	};

	return flow_code_start(target, &wish, &signin->flow, why);
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

	if (provider_check_flow(signin->provider, signin->kind, why) !=
	    FAULT_NONE)
		return FAULT_CONFIG_ERROR;
	switch (signin->kind) {
	case FLOW_DEVICE: return start_device(signin, &target, why);
	case FLOW_BROWSER: return start_browser(signin, &target, why);
	case FLOW_CLIENT_CREDENTIALS:
	case FLOW_SERVICE_ACCOUNT:
	case FLOW_NONE: break;
	}
	why_set(why, 0,
	    "provider '%s': nobody signs in with its flow: with 'device' and "
	    "'browser' somebody can",
	    signin->provider->name);
	return FAULT_CONFIG_ERROR;
}

static void set_reason(struct signin *signin)
{
	(void)snprintf(signin->reason, sizeof(signin->reason),
	    "provider '%.100s' (%s), flow '%s' (%s)", signin->provider->name,
	    signin->choice.reason, flow_kind_word(signin->kind),
	    signin->wished != FLOW_NONE ? "named for this sign-in" :
					  "the way of that provider");
}

static enum fault begin_flow(struct signin *signin, struct why *why)
{
	signin->kind = signin->wished != FLOW_NONE ? signin->wished :
						     signin->provider->flow;
	set_reason(signin);
	return start_flow(signin, why);
}

static void prepared(void *ctx, const struct profile_end *done)
{
	struct signin *signin = ctx;
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (done->provider == NULL) {
		end(signin, done->fault, done->text);
		return;
	}
	provider_release(signin->provider);
	signin->provider = done->provider;
	signin->registered_s = done->registered_s;
	fault = begin_flow(signin, &why);
	if (fault != FAULT_NONE)
		end(signin, fault,
		    why.text[0] != '\0' ? why.text : fault_text(fault));
}

static bool needs_preparing(const struct signin *signin)
{
	return signin->choice.must_ask || signin->provider->incomplete ||
	    signin->provider->registers || signin->protocols[0] != '\0';
}

static void prepare(struct signin *signin)
{
	struct account *known = accounts_find(signin->engine->accounts,
	    signin->folded);
	const struct profile_wish wish = {
		.engine = signin->engine,
		.provider = signin->provider,
		.entry = known != NULL ? account_entry(known) : NULL,
		.protocols = signin->protocols[0] != '\0' ? signin->protocols :
							    NULL,
	};

	if (profile_start(&wish, prepared, signin, &signin->profile) !=
	    FAULT_NONE)
		end(signin, FAULT_INTERNAL, fault_text(FAULT_NOMEM));
}

static void provider_answered(struct signin *signin, struct span answer)
{
	signin->answered = NULL;
	if (span_is(answer, "yes"))
		prepare(signin);
	else
		end(signin, FAULT_CONFIG_ERROR,
		    "no provider was chosen: name one with --provider");
}

static void ask_for_provider(struct signin *signin)
{
	struct signin_event event = { .kind = SIGNIN_ASK,
		.question = QUESTION_PROVIDER };
	char text[400];

	(void)snprintf(text, sizeof(text),
	    "%s: sign in there (provider '%.100s')?", signin->choice.reason,
	    signin->provider->name);
	event.text = text;
	ask(signin, &event, provider_answered);
}

static void prepare_now(evutil_socket_t fd, short events, void *ctx)
{
	struct signin *signin = ctx;

	(void)fd;
	(void)events;
	if (signin->choice.must_ask)
		ask_for_provider(signin);
	else
		prepare(signin);
}

/* Nobody may be told anything before signin_start() has returned. */
static enum fault begin(struct signin *signin, struct why *why)
{
	static const struct timeval now = { 0, 0 };

	if (!needs_preparing(signin))
		return begin_flow(signin, why);
	signin->soon = evtimer_new(signin->engine->base, prepare_now, signin);
	if (signin->soon != NULL && evtimer_add(signin->soon, &now) == 0)
		return FAULT_NONE;
	why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
	return FAULT_NOMEM;
}

static enum fault choose(const struct engine *engine,
    const struct signin_wish *wish, struct choice *choice, struct why *why)
{
	struct account *known = accounts_find(engine->accounts, wish->folded);
	const struct choose_from from = {
		.config = engine->config,
		.account = wish->folded,
		.entry = known != NULL ? account_entry(known) : NULL,
		.provider = wish->provider,
		.issuer = wish->issuer,
		.mx = wish->mx,
	};

	return choose_provider(&from, choice, why);
}

static enum fault fill(struct signin *signin, const struct signin_wish *wish)
{
	static const struct timeval limit = { SIGNIN_MAX_S, 0 };

	memcpy(signin->folded, wish->folded, strlen(wish->folded) + 1);
	memcpy(signin->protocols, wish->protocols, sizeof(signin->protocols));
	signin->account = strndup(wish->account.p, wish->account.n);
	signin->servers = strndup(wish->servers.n > 0 ? wish->servers.p : "",
	    wish->servers.n);
	signin->limit = evtimer_new(signin->engine->base, too_long, signin);
	if (signin->account == NULL || signin->servers == NULL ||
	    signin->limit == NULL || evtimer_add(signin->limit, &limit) != 0)
		return FAULT_NOMEM;
	return FAULT_NONE;
}

enum fault signin_start(struct engine *engine, const struct signin_wish *wish,
    struct signin **signin_out, struct why *why)
{
	struct choice choice = { .provider = NULL };
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];
	struct signin *signin;
	enum fault fault;

	if (keyring_leaf(span_of(wish->folded), leaf) != FAULT_NONE) {
		why_set(why, 0,
		    "the account's name is too long for a file of the keyring");
		return FAULT_BAD_REQUEST;
	}
	fault = check_room(engine, wish, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = choose(engine, wish, &choice, why);
	if (fault != FAULT_NONE)
		return fault;
	signin = calloc(1, sizeof(*signin));
	if (signin == NULL) {
		provider_release(choice.provider);
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	signin->engine = engine;
	signin->provider = choice.provider;
	signin->choice = choice;
	signin->wished = wish->flow;
	signin->as_delegate = wish->as_delegate;
	signin->fn = wish->event;
	signin->ctx = wish->ctx;
	signin->next = engine->signins;
	engine->signins = signin;

	fault = fill(signin, wish);
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	else
		fault = begin(signin, why);
	if (fault != FAULT_NONE) {
		signin_free(signin);
		return fault;
	}
	*signin_out = signin;
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
	profile_free(signin->profile);
	if (signin->soon != NULL)
		event_free(signin->soon);
	if (signin->limit != NULL)
		event_free(signin->limit);
	entry_free(signin->entry);
	provider_release(signin->provider);
	free(signin->servers);
	free(signin->account);
	free(signin);
}
