/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Nothing is learned on the way: the endpoint is the configuration's, the
 * one discovery found, or the one in the record.
 */
#include "daemon/forget.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/grant.h"
#include "daemon/issuers.h"
#include "oauth/flow.h"

struct forget {
	struct engine *engine;
	char account[ACCOUNT_MAX_BYTES + 1];
	bool keep_local;
	int64_t signed_in_s;	   /* of the grant that is to end */
	struct provider *provider; /* NULL: not known any more */
	struct flow *flow;
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

static void keep(struct forget *forget, struct account *account)
{
	if (forget->revoked == FORGET_REVOKED)
		account_revoked(account);
	tell(forget, FAULT_NONE, false);
}

/* The provider has been told, or could not be. */
static void finish(struct forget *forget)
{
	struct account *account = accounts_find(forget->engine->accounts,
	    forget->account);
	const struct entry *entry = account == NULL ? NULL :
						      account_entry(account);
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_NOT_FOUND;

	if (entry != NULL && entry->signed_in_s != forget->signed_in_s) {
		(void)snprintf(forget->text, sizeof(forget->text),
		    "it was signed in anew meanwhile, so nothing was deleted");
		tell(forget, FAULT_NONE, false);
		return;
	}
	if (account != NULL && forget->keep_local) {
		keep(forget, account);
		return;
	}
	if (account != NULL)
		fault = account_forget(account, &why);
	if (fault == FAULT_NONE) {
		tell(forget, FAULT_NONE, true);
		return;
	}
	(void)snprintf(forget->text, sizeof(forget->text), "%s",
	    fault == FAULT_NOT_FOUND ? "there is no such account to forget" :
				       why.text);
	tell(forget,
	    fault == FAULT_NOT_FOUND ? FAULT_UNKNOWN_ACCOUNT : FAULT_INTERNAL,
	    false);
}

static const char *page_of(const struct forget *forget)
{
	return forget->provider != NULL ? forget->provider->sign_out_page :
					  NULL;
}

static void say_failed(struct forget *forget, const char *text)
{
	const char *page = page_of(forget);

	forget->revoked = FORGET_NOT_REVOKED;
	(void)snprintf(forget->text, sizeof(forget->text),
	    "the provider has not ended the grant: %.400s; to end it there, go "
	    "to %s",
	    text, page != NULL ? page : "the settings of the user's account");
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
	flow_free(forget->flow);
	forget->flow = NULL;
	finish(forget);
}

static void say_unsupported(struct forget *forget)
{
	const char *page = page_of(forget);

	forget->revoked = FORGET_UNSUPPORTED;
	(void)snprintf(forget->text, sizeof(forget->text),
	    "the provider was not told; to end the grant there, go to %s",
	    page != NULL ? page : "the settings of the user's account");
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
	enum fault fault;

	forget->signed_in_s = entry->signed_in_s;
	find_provider(forget, entry);
	if (forget->provider == NULL ||
	    forget->provider->revocation_endpoint == NULL) {
		say_unsupported(forget);
		finish(forget);
		return;
	}
	target.provider = forget->provider;
	fault = flow_revoke_start(&target, entry->refresh_token,
	    entry->access_token, &forget->flow);
	if (fault == FAULT_NONE)
		return;
	if (fault != FAULT_NOT_FOUND)
		say_failed(forget, fault_text(fault));
	finish(forget);
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
		forget->signed_in_s = entry != NULL ? entry->signed_in_s : 0;
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
	provider_release(forget->provider);
	free(forget);
}
