/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants that come and go: sign-in and forget.
 */
#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/asking.h"
#include "daemon/verbs.h"

static void app_answered(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;
	const char *mailbox = conn->request.folded;

	conn->waiter = NULL;
	answer_app(&conn->out, mailbox,
	    accounts_app(conn->engine->config, mailbox), answer);
	conn_close_after(conn, answer->fault);
}

/* An application signs in for itself; whether it can is tried. */
static void try_app(struct conn *conn)
{
	struct account_question question = {
		.mailbox = conn->request.folded,
		.force = true,
		.fn = app_answered,
		.ctx = conn,
	};
	struct account *account;
	enum fault fault;

	fault = accounts_for(conn->engine->accounts, question.mailbox,
	    &account);
	if (fault != FAULT_NONE)
		conn_refuse(conn, fault, NULL);
	else
		asking_ask(account, &question, &conn->waiter);
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

static void signin_happened(void *ctx, const struct signin_event *event)
{
	struct conn *conn = ctx;

	answer_signin(&conn->out, event);
	if (event->kind == SIGNIN_DONE)
		conn_close_after(conn, event->fault);
	else
		conn_send_later(conn);
}

static void look(void *ctx)
{
	conn_start(ctx);
}

void verbs_sign_in(struct conn *conn)
{
	const struct signin_wish wish = {
		.request = &conn->request,
		.event = signin_happened,
		.look = look,
		.ctx = conn,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (!somebody_has_to(conn)) {
		try_app(conn);
		return;
	}
	fault = signin_start(conn->engine, &wish, &conn->signin, &why);
	if (fault != FAULT_NONE)
		conn_refuse(conn, fault, why.text);
	else
		conn->phase = CONN_DIALOGUE;
}

static void forgotten(void *ctx, const struct forget_end *end)
{
	struct conn *conn = ctx;

	if (end->fault != FAULT_NONE) {
		conn_refuse(conn, end->fault, end->text);
		return;
	}
	answer_forgotten(&conn->out, end);
	conn_close_after(conn, FAULT_NONE);
}

void verbs_forget(struct conn *conn)
{
	const char *name = conn->request.folded;
	const struct forget_wish wish = {
		.account = accounts_find(conn->engine->accounts, name),
		.revoke = conn->request.revoke,
		.keep_local = conn->request.keep_local,
		.fn = forgotten,
		.ctx = conn,
	};
	struct why why;

	if (wish.account == NULL)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    accounts_app(conn->engine->config, name) != NULL ?
			"its application signs in for it, so there is nothing "
			"to forget: take its block out of the configuration" :
			"there is no such account to forget");
	/* Nobody could end what it holds any more. */
	else if (wish.revoke &&
	    account_read(wish.account, &why) == FAULT_TRY_LATER)
		conn_refuse(conn, FAULT_TRY_LATER, why.text);
	else if (forget_start(&wish, &conn->forget) != FAULT_NONE)
		conn_refuse(conn, FAULT_INTERNAL, NULL);
}
