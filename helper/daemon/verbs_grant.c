/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants that come and go: sign-in and forget.
 */
#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/forget.h"
#include "daemon/signin.h"
#include "daemon/verbs.h"

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

void verbs_forget(struct conn *conn)
{
	const char *name = conn->request.folded;
	struct account *account = accounts_find(conn->engine->accounts, name);
	struct why why;

	if (account == NULL)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    accounts_app(conn->engine->config, name) != NULL ?
			"its application signs in for it, so there is nothing "
			"to forget: take its block out of the configuration" :
			"there is no such account to forget");
	/* Nobody could end what it holds any more. */
	else if (conn->request.revoke &&
	    account_read(account, &why) == FAULT_TRY_LATER)
		conn_refuse(conn, FAULT_TRY_LATER, why.text);
	else if (forget_start(conn, account) != FAULT_NONE)
		conn_refuse(conn, FAULT_INTERNAL, NULL);
}
