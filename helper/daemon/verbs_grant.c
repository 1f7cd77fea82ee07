/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants that come and go.
 *
 * Signing an account out: the provider is told where it can be, then the
 * record is deleted.  Whatever the provider says, the record goes, unless only
 * the provider was to be told; a forget that is freed before its end deletes
 * nothing.  Nothing is learned on the way: the endpoint is the
 * configuration's, the one discovery found, or the one in the record.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/outcome.h"
#include "daemon/signin.h"
#include "daemon/verbs.h"
#include "oauth/issuer.h"

#define REVOKE_MAX_S 25 /* for two requests; clients wait for 35 */

static void app_answered(void *ctx, struct account *account,
    const struct account_answer *answer)
{
	struct conn *conn = ctx;
	const char *mailbox = conn->request.folded;
	const struct provider *provider; /* NULL: gone meanwhile */
	struct attr_writer writer;
	char text[500];

	(void)account;
	conn->asked = NULL;
	provider = accounts_app(conn->engine->config, mailbox);
	answer_begin(&writer, &conn->out, ATTR_EVENT, EVENT_DONE);
	attr_put_str(&writer, ATTR_RESULT, fault_word(answer->fault));
	if (answer->fault != FAULT_NONE) {
		answer_text(&writer, ATTR_TEXT, answer->text);
	} else if (provider != NULL) {
		attr_put_str(&writer, ATTR_ACCOUNT, mailbox);
		attr_put_str(&writer, ATTR_PROVIDER, provider->name);
		attr_put_str(&writer, ATTR_FLOW,
		    flow_kind_word(provider->flow));
		answer_servers(&writer, provider, mailbox, NULL);
		(void)snprintf(text, sizeof(text),
		    "%.254s needs no sign-in: the application of provider "
		    "'%.64s' signs in for itself, and that works",
		    mailbox, provider->name);
		answer_text(&writer, ATTR_TEXT, text);
	}
	answer_end(&writer);
	conn_close_after(conn, answer->fault);
}

static bool somebody_has_to(const struct conn *conn)
{
	const struct request *request = &conn->request;
	const struct provider *provider = accounts_app(conn->engine->config,
	    request->folded);

	return provider == NULL || request->issuer.n > 0 ||
	    (request->provider.n > 0 &&
		!span_is(request->provider, provider->name));
}

void verbs_sign_in(struct conn *conn)
{
	struct request kept = { .verb = conn->request.verb };
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	/* An application signs in for itself; whether it can is tried. */
	if (!somebody_has_to(conn)) {
		verbs_force(conn, app_answered);
		return;
	}
	fault = signin_start(conn, &why);
	if (fault != FAULT_NONE) {
		conn_refuse(conn, fault, why.text);
		return;
	}
	/* The answers to its questions take the place of the list. */
	memcpy(kept.folded, conn->request.folded, sizeof(kept.folded));
	conn->request = kept;
	conn->phase = CONN_DIALOGUE;
}

struct forget {
	struct conn *conn;
	struct account *account;
	int64_t signed_in_s;	   /* of the grant that is to end */
	struct provider *provider; /* NULL: not known any more */
	struct flow *flow;
	struct event timer; /* the provider has its time; or there is nothing
				to tell it */
	enum {
		NOT_REVOKED,
		REVOKED,
		UNSUPPORTED /* the provider cannot be told */
	} revoked;
	char text[720]; /* a sentence for the user, or "" */
};

/* It is gone then. */
static void tell(struct forget *forget, enum fault fault, bool deleted)
{
	static const char *const words[] = {
		[NOT_REVOKED] = "no",
		[REVOKED] = "yes",
		[UNSUPPORTED] = "unsupported",
	};
	struct conn *conn = forget->conn;
	struct attr_writer writer;

	if (fault != FAULT_NONE) {
		conn_refuse(conn, fault, forget->text);
		return;
	}
	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_DELETED, deleted ? "yes" : "no");
	attr_put_str(&writer, ATTR_REVOKED, words[forget->revoked]);
	answer_text(&writer, ATTR_TEXT, forget->text);
	answer_end(&writer);
	conn_close_after(conn, FAULT_NONE);
}

/* What the user can do where the provider has not done it. */
static void say_not_revoked(struct forget *forget, const char *what,
    const char *why)
{
	const char *page = forget->provider != NULL ?
	    preset_value(forget->provider->row, "sign_out_page") :
	    NULL;

	(void)snprintf(forget->text, sizeof(forget->text),
	    "the provider %s%.400s; to end %s there, go to %s", what, why,
	    why[0] != '\0' ? "it" : "the grant",
	    page != NULL ? page : "the settings of the user's account");
}

static void say_failed(struct forget *forget, const char *why)
{
	say_not_revoked(forget, "has not ended the grant: ", why);
}

/* deletes: unless only the provider was to be told, or why says what keeps
 * the other relays from it. */
static void end(struct forget *forget, bool deletes, struct why *why)
{
	struct account *account = forget->account;
	bool revoked = forget->revoked == REVOKED;
	bool deleted = deletes && account_forget(account, why) == FAULT_NONE;
	bool keeps = forget->conn->request.keep_local;

	if (!deleted && revoked)
		account_revoked(account);
	if (!deleted && !keeps)
		(void)snprintf(forget->text, sizeof(forget->text), "%s%s",
		    revoked ? "the provider has ended the grant, but " : "",
		    why->text);
	tell(forget,
	    deleted || keeps ? FAULT_NONE :
		deletes	     ? FAULT_INTERNAL :
			       FAULT_TRY_LATER,
	    deleted);
}

static void forgotten_there(void *ctx, enum fleet_verdict verdict,
    const char *text)
{
	struct forget *forget = ctx;
	const struct entry *entry = account_entry(forget->account);
	struct why why = { .err = 0, .text = "" };

	why_set(&why, 0, "the other relays may have it still: %s", text);
	/* It was signed in anew meanwhile, and is shared anew. */
	if (entry != NULL && entry->signed_in_s != forget->signed_in_s) {
		record_changed(&forget->account->record, true);
		record_save(&forget->account->record);
		tell(forget, FAULT_NONE, false);
		return;
	}
	end(forget, verdict == FLEET_GO, &why);
}

/* The provider has been told, or could not be. */
static void finish(struct forget *forget)
{
	struct account *account = forget->account;
	struct fleet *fleet = account->engine->fleet;
	const struct entry *entry = account_entry(account);
	struct why why = { .err = 0, .text = "" };
	bool deletes = !forget->conn->request.keep_local;

	flow_free(forget->flow);
	forget->flow = NULL;
	(void)evtimer_del(&forget->timer);
	if (!account->record.exists) {
		tell(forget, FAULT_UNKNOWN_ACCOUNT, false);
		return;
	}
	if (entry != NULL && entry->signed_in_s != forget->signed_in_s) {
		(void)snprintf(forget->text, sizeof(forget->text),
		    "it was signed in anew meanwhile, so nothing was deleted");
		tell(forget, FAULT_NONE, false);
		return;
	}
	if (fleet == NULL || !deletes)
		end(forget, deletes, &why);
	else if (fleet_forget(fleet, account->name, forgotten_there, forget) !=
	    FAULT_NONE)
		forgotten_there(forget, FLEET_LATER, "try again");
}

static void happened(void *ctx, const struct flow_event *event)
{
	struct forget *forget = ctx;

	if (event->kind == FLOW_REVOKED)
		forget->revoked = REVOKED;
	else if (event->kind == FLOW_FAILED)
		say_failed(forget, event->failure->text);
	else
		return;
	finish(forget);
}

static void time_is_up(evutil_socket_t fd, short events, void *ctx)
{
	struct forget *forget = ctx;

	(void)fd;
	(void)events;
	if (forget->flow != NULL && flow_revoke_is_done(forget->flow))
		forget->revoked = REVOKED;
	else if (forget->flow != NULL)
		say_failed(forget, "it did not answer in time");
	finish(forget);
}

/* The profile that the grant is of, whole where that takes no asking. */
static void find_provider(struct forget *forget, const struct entry *entry)
{
	struct engine *engine = forget->account->engine;
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

static void revoke(struct forget *forget, const struct entry *entry)
{
	struct flow_target target = {
		.http = forget->account->engine->http,
		.base = forget->account->engine->base,
		.basic = entry->secret_by_basic != 0,
		.event = happened,
		.ctx = forget,
	};
	enum fault fault;

	find_provider(forget, entry);
	target.provider = forget->provider;
	if (forget->provider == NULL ||
	    forget->provider->revocation_endpoint == NULL) {
		forget->revoked = UNSUPPORTED;
		say_not_revoked(forget, "was not told", "");
		return;
	}
	fault = flow_revoke_start(&target, entry->refresh_token,
	    entry->access_token, &forget->flow);
	if (fault != FAULT_NONE && fault != FAULT_NOT_FOUND)
		say_failed(forget, fault_text(fault));
}

static enum fault start(struct conn *conn, struct account *account)
{
	const struct entry *entry = account_entry(account);
	struct forget *forget = calloc(1, sizeof(*forget));
	struct timeval limit = { 0, 0 };

	if (forget == NULL)
		return FAULT_NOMEM;
	forget->conn = conn;
	forget->account = account;
	(void)evtimer_assign(&forget->timer, conn->engine->base, time_is_up,
	    forget);
	if (entry != NULL)
		forget->signed_in_s = entry->signed_in_s;
	if (conn->request.revoke && entry != NULL)
		revoke(forget, entry);
	else if (conn->request.revoke && account->record.exists)
		say_failed(forget, "the record cannot be read");
	if (forget->flow != NULL)
		limit.tv_sec = REVOKE_MAX_S;
	(void)evtimer_add(&forget->timer, &limit);
	conn->forget = forget;
	return FAULT_NONE;
}

void verbs_forget(struct conn *conn)
{
	const char *name = conn->request.folded;
	struct account *account = accounts_find(conn->engine->accounts, name);
	const char *away = conn->engine->fleet != NULL ?
	    fleet_away(conn->engine->fleet) :
	    NULL;
	struct why why;

	/* The others would have it still, and give it back. */
	if (away != NULL && account != NULL && !conn->request.keep_local)
		conn_refuse(conn, FAULT_TRY_LATER, away);
	else if (account == NULL)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    accounts_app(conn->engine->config, name) != NULL ?
			"its application signs in for it, so there is nothing "
			"to forget: take its block out of the configuration" :
			"there is no such account to forget");
	/* Nobody could end what it holds any more. */
	else if (conn->request.revoke &&
	    account_read(account, &why) == FAULT_TRY_LATER)
		conn_refuse(conn, FAULT_TRY_LATER, why.text);
	else if (start(conn, account) != FAULT_NONE)
		conn_refuse(conn, FAULT_INTERNAL, NULL);
}

void forget_free(struct forget *forget)
{
	if (forget == NULL)
		return;
	if (forget->account->engine->fleet != NULL)
		fleet_forget_leave(forget->account->engine->fleet, forget);
	flow_free(forget->flow);
	(void)evtimer_del(&forget->timer);
	provider_release(forget->provider);
	free(forget);
}
