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
#include "daemon/grant.h"

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
	struct entry *entry;		/* while a question is open */
	signin_event_fn *fn;
	void *ctx;
	struct signin *next;
};

static void end(struct signin *signin, enum fault fault, const char *text)
{
	struct signin_event event = { .kind = SIGNIN_DONE, .fault = fault,
		.text = text };

	signin->fn(signin->ctx, &event);
}

static void too_long(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	end(ctx, FAULT_TIMEOUT, "nobody signed in within 15 minutes: start "
	    "again");
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

	if (accounts_make(signin->engine->accounts, signin->folded,
	    &account) != FAULT_NONE) {
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
		(void)snprintf(lacks, sizeof(lacks), "the provider did not "
		    "grant %s: mail servers may refuse the token", plain);
		event.warnings[n++] = lacks;
	}
	if (entry->identity == NULL)
		event.warnings[n++] = "the provider does not say who signed "
		    "in: make sure that it was the right user";
	event.entry = account_entry(account);
	event.identity = entry->identity;
	event.provider = signin->provider;
	signin->fn(signin->ctx, &event);
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
	signin->fn(signin->ctx, &event);
}

void signin_answer(struct signin *signin, bool yes)
{
	if (signin->entry == NULL)
		return;
	if (yes) {
		commit(signin);
		return;
	}
	entry_free(signin->entry);
	signin->entry = NULL;
	end(signin, FAULT_DENIED, "another user signed in; nothing was "
	    "stored");
}

static void got_tokens(struct signin *signin, struct reply_token *token)
{
	struct now now = engine_now();

	if (token->refresh_token == NULL) {
		end(signin, FAULT_CONFIG_ERROR, "the provider gave no refresh "
		    "token: add offline_access (or what it calls that) to "
		    "scope, and sign in again");
		return;
	}
	if (grant_new(span_of(signin->account), signin->provider,
	    signin->kind, span_of(signin->servers), token, &now,
	    &signin->entry) != FAULT_NONE) {
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
	case ADVICE_TRANSIENT:		return FAULT_TRY_LATER;
	case ADVICE_LOGIN_NEEDED:	return FAULT_LOGIN_NEEDED;
	case ADVICE_CONFIG:		return FAULT_CONFIG_ERROR;
	}
	return FAULT_INTERNAL;
}

static void happened(void *ctx, const struct flow_event *event)
{
	struct signin *signin = ctx;
	struct signin_event told = { .device = event->device,
		.left_s = event->left_s };

	switch (event->kind) {
	case FLOW_SHOW_CODE:
		told.kind = SIGNIN_SHOW_CODE;
		signin->fn(signin->ctx, &told);
		break;
	case FLOW_WAITING:
		told.kind = SIGNIN_WAITING;
		signin->fn(signin->ctx, &told);
		break;
	case FLOW_TOKENS:
		got_tokens(signin, event->token);
		break;
	case FLOW_FAILED:
		log_event(LOG_LEVEL_WARNING, "sign-in", "%s: %s%s%s",
		    signin->folded, event->failure->text,
		    event->failure->trace[0] != '\0' ? " " : "",
		    event->failure->trace);
		end(signin, fault_of(event->failure), event->failure->text);
		break;
	}
}

/* Named, else the account's block, else its record, else the only one. */
static struct provider *choose(const struct engine *engine,
    const struct signin_wish *wish, struct why *why)
{
	const struct config_account *block;
	struct provider *provider = NULL;
	struct account *known;
	const struct entry *entry;
	char name[SERVER_MAX_BYTES + 1];

	if (wish->provider.n > 0) {
		attr_plain(wish->provider, name, sizeof(name));
		provider = config_provider(engine->config, name);
		if (provider == NULL)
			why_set(why, 0, "%s has no provider '%s': write a "
			    "provider block with its client_id",
			    engine->config->path, name);
		return provider;
	}
	block = config_account(engine->config, wish->folded);
	if (block != NULL && block->provider != NULL)
		return config_provider(engine->config, block->provider);
	known = accounts_find(engine->accounts, wish->folded);
	entry = known != NULL ? account_entry(known) : NULL;
	if (entry != NULL)
		provider = config_provider(engine->config, entry->provider);
	if (provider == NULL && engine->config->n_providers == 1)
		provider = engine->config->providers[0];
	if (provider == NULL)
		why_set(why, 0, engine->config->n_providers == 0 ?
		    "%s has no provider: write a provider block with its "
		    "client_id" : "%s has several providers: name one with "
		    "--provider", engine->config->path);
	return provider;
}

static enum fault check_room(const struct engine *engine,
    const struct signin_wish *wish, struct why *why)
{
	const struct signin *at;
	size_t n = 0;

	for (at = engine->signins; at != NULL; at = at->next) {
		if (strcmp(at->folded, wish->folded) == 0) {
			why_set(why, 0, "somebody else is signing this account "
			    "in: wait for that, or end it");
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

	if (signin->kind != FLOW_DEVICE) {
		why_set(why, 0, "provider '%s': this helper can sign in with "
		    "the flow 'device' only", signin->provider->name);
		return FAULT_CONFIG_ERROR;
	}
	fault = flow_device_start(&target, signin->provider->scope,
	    signin->account, &signin->flow);
	if (fault == FAULT_CONFIG_ERROR)
		why_set(why, 0, "provider '%s' has no "
		    "device_authorization_endpoint: add it, or choose another "
		    "flow", signin->provider->name);
	else if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

static enum fault fill(struct signin *signin, const struct signin_wish *wish)
{
	static const struct timeval limit = { SIGNIN_MAX_S, 0 };

	memcpy(signin->folded, wish->folded, strlen(wish->folded) + 1);
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
    signin_event_fn *fn, void *ctx, struct signin **signin_out,
    struct why *why)
{
	struct signin *signin;
	struct provider *provider;
	enum fault fault;

	fault = check_room(engine, wish, why);
	if (fault != FAULT_NONE)
		return fault;
	provider = choose(engine, wish, why);
	if (provider == NULL)
		return FAULT_CONFIG_ERROR;
	signin = calloc(1, sizeof(*signin));
	if (signin == NULL) {
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	signin->engine = engine;
	signin->provider = provider_share(provider);
	signin->kind = wish->flow != FLOW_NONE ? wish->flow : provider->flow;
	signin->as_delegate = wish->as_delegate;
	signin->fn = fn;
	signin->ctx = ctx;
	signin->next = engine->signins;
	engine->signins = signin;

	fault = fill(signin, wish);
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	else
		fault = start_flow(signin, why);
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
	if (signin->limit != NULL)
		event_free(signin->limit);
	entry_free(signin->entry);
	provider_release(signin->provider);
	free(signin->servers);
	free(signin->account);
	free(signin);
}
