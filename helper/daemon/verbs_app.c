/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mailboxes whose application signs in for itself, as verbs see them.
 */
#include "daemon/verbs_app.h"

#include "daemon/answer.h"
#include "daemon/apps.h"

#define SERVERS_TEXT_BYTES 4096

static void app_answered(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;
	const char *mailbox = conn->request.folded;

	conn->waiter = NULL;
	answer_app(&conn->out, mailbox,
	    apps_provider(conn->engine->config, mailbox), answer);
	conn_close_after(conn, answer->fault);
}

/* Nobody needs to sign in; whether the application can is tried. */
static void app_sign_in(struct conn *conn)
{
	struct account_question question = {
		.mailbox = conn->request.folded,
		.fn = app_answered,
		.ctx = conn,
	};
	struct account *account;
	enum fault fault;

	fault = apps_find(conn->engine->apps, question.mailbox, &account);
	if (fault != FAULT_NONE)
		conn_refuse(conn, fault, NULL);
	else
		account_refresh(account, &question, &conn->waiter);
}

bool verbs_app_sign_in(struct conn *conn)
{
	const struct request *request = &conn->request;
	const struct provider *provider = apps_provider(conn->engine->config,
	    request->folded);

	if (provider == NULL || request->issuer.n > 0 ||
	    (request->provider.n > 0 &&
		!span_is(request->provider, provider->name)))
		return false;
	app_sign_in(conn);
	return true;
}

/* A mailbox of an application, by the name that the configuration has. */
void verbs_app_show(struct conn *conn, const char *mailbox)
{
	const struct config *config = conn->engine->config;
	const struct config_account *block = config_account(config, mailbox);
	struct provider *provider = apps_provider(config, mailbox);
	struct account *account = apps_peek(conn->engine->apps, mailbox);
	struct account_view view = { .state = ACCOUNT_ACTIVE };
	char servers[SERVERS_TEXT_BYTES];

	if (provider == NULL || !conn_may_see(conn, mailbox))
		return;
	if (conn->request.account.n > 0 &&
	    strcmp(conn->request.folded, mailbox) != 0)
		return;
	if (account != NULL)
		account_describe(account, &view);
	view.account = mailbox;
	view.provider = provider->name;
	answer_servers(provider, mailbox, block->servers, servers,
	    sizeof(servers));
	answer_view(&conn->out, &view, servers);
}

/* Those with a block of their own; all, or those that share one account. */
void verbs_app_show_all(struct conn *conn, const struct account *account)
{
	const struct config *config = conn->engine->config;
	size_t i;

	for (i = 0; i < config->n_accounts; i++) {
		const char *mailbox = config->accounts[i].name;

		if (mailbox[0] != '*' &&
		    (account == NULL ||
			apps_peek(conn->engine->apps, mailbox) == account))
			verbs_app_show(conn, mailbox);
	}
}
