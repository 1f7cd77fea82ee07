/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Nothing is learned on the way: the endpoint is the configuration's, the
 * one discovery found, or the one in the record.
 */
#include "daemon/forget.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/grant.h"
#include "oauth/flow.h"
#include "oauth/issuer.h"

#define REVOKE_MAX_S 25 /* for two requests; clients wait for 35 */

struct forget {
	struct engine *engine;
	char account[ACCOUNT_MAX_BYTES + 1];
	bool keep_local;
	int64_t signed_in_s;	   /* of the grant that is to end */
	struct provider *provider; /* NULL: not known any more */
	struct flow *flow;
	struct event *limit;
	enum forget_revoked revoked;
	char text[720];
	forget_fn *fn;
	void *ctx;
	bool starting;
	bool ended;
};

static void tell(struct forget *forget, enum fault fault, bool deleted)
{
	const struct forget_end end = {
		.fault = fault,
		.deleted = deleted,
		.revoked = forget->revoked,
		.text = forget->text[0] != '\0' ? forget->text : NULL,
	};

	forget->ended = true;
	forget->fn(forget->ctx, &end);
}

/* What the user can do where the provider has not done it. */
static void say_not_revoked(struct forget *forget, enum forget_revoked revoked,
    const char *text)
{
	const struct provider *provider = forget->provider;
	const char *page = provider != NULL ? provider->sign_out_page : NULL;

	forget->revoked = revoked;
	(void)snprintf(forget->text, sizeof(forget->text),
	    "%.450s; to end %s there, go to %s", text,
	    revoked == FORGET_UNSUPPORTED ? "the grant" : "it",
	    page != NULL ? page : "the settings of the user's account");
}

static void say_failed(struct forget *forget, const char *why)
{
	char text[450];

	(void)snprintf(text, sizeof(text),
	    "the provider has not ended the grant: %s", why);
	say_not_revoked(forget, FORGET_NOT_REVOKED, text);
}

static void erase(struct forget *forget, struct account *account)
{
	struct why why = { .err = 0, .text = "" };
	bool revoked = forget->revoked == FORGET_REVOKED;

	if (account_forget(account, &why) == FAULT_NONE) {
		tell(forget, FAULT_NONE, true);
		return;
	}
	if (revoked)
		account_revoked(account);
	(void)snprintf(forget->text, sizeof(forget->text), "%s%s",
	    revoked ? "the provider has ended the grant, but " : "", why.text);
	tell(forget, FAULT_INTERNAL, false);
}

/* The provider has been told, or could not be. */
static void finish(struct forget *forget)
{
	struct account *account = accounts_find(forget->engine->accounts,
	    forget->account);
	const struct entry *entry = account != NULL ? account_entry(account) :
						      NULL;

	if (account == NULL) {
		tell(forget, FAULT_UNKNOWN_ACCOUNT, false);
	} else if (entry != NULL && entry->signed_in_s != forget->signed_in_s) {
		(void)snprintf(forget->text, sizeof(forget->text),
		    "it was signed in anew meanwhile, so nothing was deleted");
		tell(forget, FAULT_NONE, false);
	} else if (forget->keep_local) {
		if (forget->revoked == FORGET_REVOKED)
			account_revoked(account);
		tell(forget, FAULT_NONE, false);
	} else {
		erase(forget, account);
	}
}

/* The flow has ended, or is not waited for any more. */
static void revoked(struct forget *forget)
{
	flow_free(forget->flow);
	forget->flow = NULL;
	if (forget->limit != NULL)
		(void)evtimer_del(forget->limit);
	finish(forget);
}

static void happened(void *ctx, const struct flow_event *event)
{
	struct forget *forget = ctx;

	if (event->kind == FLOW_REVOKED)
		forget->revoked = FORGET_REVOKED;
	else if (event->kind == FLOW_FAILED)
		say_failed(forget, event->failure->text);
	else
		return;
	revoked(forget);
}

static void too_long(evutil_socket_t fd, short events, void *ctx)
{
	struct forget *forget = ctx;

	(void)fd;
	(void)events;
	if (flow_revoke_is_done(forget->flow))
		forget->revoked = FORGET_REVOKED;
	else
		say_failed(forget, "it did not answer in time");
	revoked(forget);
}

/* The profile that the grant is of, whole where that takes no asking. */
static void find_provider(struct forget *forget, const struct entry *entry)
{
	struct engine *engine = forget->engine;
	struct provider *base = NULL;
	struct why why;

	if (grant_provider(engine->config, entry, &base, &why) != FAULT_NONE)
		return;
	if (!base->incomplete && !base->registers) {
		forget->provider = base;
		return;
	}
	if (grant_complete(entry, base,
		base->incomplete ? issuers_known(engine->issuers, base) : NULL,
		&forget->provider, &why) != FAULT_NONE)
		forget->provider = NULL;
	provider_release(base);
}

static void begin(struct forget *forget, const struct entry *entry)
{
	struct flow_target target = {
		.http = forget->engine->http,
		.base = forget->engine->base,
		.event = happened,
		.ctx = forget,
	};
	static const struct timeval limit = { REVOKE_MAX_S, 0 };
	enum fault fault;

	forget->signed_in_s = entry->signed_in_s;
	find_provider(forget, entry);
	if (forget->provider == NULL ||
	    forget->provider->revocation_endpoint == NULL) {
		say_not_revoked(forget, FORGET_UNSUPPORTED,
		    "the provider was not told");
		finish(forget);
		return;
	}
	target.provider = forget->provider;
	target.basic = entry->secret_by_basic != 0;
	forget->limit = evtimer_new(target.base, too_long, forget);
	fault = forget->limit != NULL &&
		evtimer_add(forget->limit, &limit) == 0 ?
	    flow_revoke_start(&target, entry->refresh_token,
		entry->access_token, &forget->flow) :
	    FAULT_NOMEM;
	if (fault == FAULT_NONE)
		return;
	if (fault != FAULT_NOT_FOUND)
		say_failed(forget, fault_text(fault));
	revoked(forget);
}

enum fault forget_start(struct engine *engine, const struct forget_wish *wish,
    forget_fn *fn, void *ctx, struct forget **forget_out)
{
	struct account *account = accounts_find(engine->accounts,
	    wish->account);
	const struct entry *entry;
	struct forget *forget;

	*forget_out = NULL;
	if (account == NULL)
		return FAULT_UNKNOWN_ACCOUNT;
	forget = calloc(1, sizeof(*forget));
	if (forget == NULL)
		return FAULT_NOMEM;
	forget->engine = engine;
	(void)snprintf(forget->account, sizeof(forget->account), "%s",
	    wish->account);
	forget->keep_local = wish->keep_local;
	forget->revoked = FORGET_NOT_REVOKED;
	forget->fn = fn;
	forget->ctx = ctx;
	forget->starting = true;
	entry = account_entry(account);
	if (wish->revoke && entry != NULL) {
		begin(forget, entry);
	} else {
		if (entry != NULL)
			forget->signed_in_s = entry->signed_in_s;
		else if (wish->revoke && account_exists(account))
			say_failed(forget, "the record cannot be read");
		finish(forget);
	}
	forget->starting = false;
	if (forget->ended)
		forget_free(forget);
	else
		*forget_out = forget;
	return FAULT_NONE;
}

void forget_free(struct forget *forget)
{
	if (forget == NULL || forget->starting)
		return;
	flow_free(forget->flow);
	if (forget->limit != NULL)
		event_free(forget->limit);
	provider_release(forget->provider);
	free(forget);
}
