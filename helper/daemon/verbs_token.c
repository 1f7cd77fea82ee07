/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Questions to an account: its token, and renewing it.
 */
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/apps.h"
#include "daemon/verbs.h"

struct conn_due {
	struct conn *conn;
	struct account *account;
	struct waiter *waiter;
};

/* FAULT_NOT_FOUND when the mailbox has neither a record nor an application
 * that signs in for it. */
static enum fault find_account(const struct conn *conn, const char *mailbox,
    struct account **account_out)
{
	enum fault fault;

	fault = apps_find(conn->engine->apps, mailbox, account_out);
	if (fault != FAULT_NOT_FOUND)
		return fault;
	*account_out = accounts_find(conn->engine->accounts, mailbox);
	return *account_out != NULL ? FAULT_NONE : FAULT_NOT_FOUND;
}

/* What goes into user=: a block's or a record's login, else as asked for. */
static struct span login_of(const struct conn *conn)
{
	const struct config_account *block;
	const struct entry *entry;
	struct account *account;

	block = config_account(conn->engine->config, conn->request.folded);
	if (block != NULL && block->login != NULL)
		return span_of(block->login);
	if (block != NULL && block->token_of != NULL)
		return conn->request.account;
	if (apps_provider(conn->engine->config, conn->request.folded) != NULL)
		return conn->request.account;
	account = accounts_find(conn->engine->accounts, conn->request.folded);
	entry = account != NULL ? account_entry(account) : NULL;
	return entry != NULL && entry->login != NULL ? span_of(entry->login) :
						       conn->request.account;
}

static void answer_failure(struct conn *conn,
    const struct account_answer *answer)
{
	const struct answer_refusal refusal = { .fault = answer->fault,
		.text = answer->text,
		.retry_after_s = answer->retry_after_s };

	conn_answer_fault(conn, &refusal);
}

static void token_came(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;

	conn->waiter = NULL;
	if (answer->fault == FAULT_UNKNOWN_ACCOUNT) {
		verbs_refuse_unknown(conn, true);
	} else if (answer->fault != FAULT_NONE) {
		answer_failure(conn, answer);
	} else {
		answer_token(&conn->out, answer, login_of(conn));
		conn_close_after(conn, FAULT_NONE);
	}
}

void verbs_token(struct conn *conn)
{
	struct account_question question = {
		.server = conn->request.server,
		.service = conn->request.service,
		.mailbox = verbs_mailbox(conn),
		.min_validity_s = conn->request.min_validity_s,
		.fn = token_came,
		.ctx = conn,
	};
	struct account *account;
	enum fault fault;

	fault = find_account(conn, question.mailbox, &account);
	if (fault == FAULT_NOT_FOUND)
		verbs_refuse_unknown(conn, true);
	else if (fault != FAULT_NONE)
		conn_refuse(conn, fault, NULL);
	else
		account_token(account, &question, &conn->waiter);
}

void verbs_rejected(struct conn *conn)
{
	struct account *account;

	if (find_account(conn, verbs_mailbox(conn), &account) != FAULT_NONE) {
		verbs_refuse_unknown(conn, true);
		return;
	}
	account_rejected(account, conn->request.serial);
	conn_answer_ok(conn);
}

static void refreshed(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;

	conn->waiter = NULL;
	if (answer->fault != FAULT_NONE) {
		answer_failure(conn, answer);
		return;
	}
	answer_refreshed(&conn->out, conn->request.folded, answer->expires_s);
	conn_close_after(conn, FAULT_NONE);
}

static void due_refreshed(void *ctx, const struct account_answer *answer)
{
	struct conn_due *due = ctx;
	struct conn *conn = due->conn;

	due->waiter = NULL;
	answer_due(&conn->out, account_name(due->account), answer);
	if (--conn->dues_left > 0) {
		conn_send_later(conn);
		return;
	}
	conn_answer_ok(conn);
}

static void count_due(void *ctx, struct account *account)
{
	struct conn *conn = ctx;

	if (account_is_due(account))
		conn->n_dues++;
}

static void list_due(void *ctx, struct account *account)
{
	struct conn *conn = ctx;

	if (account_is_due(account) && conn->dues_left < conn->n_dues)
		conn->dues[conn->dues_left++].account = account;
}

static void refresh_due(struct conn *conn)
{
	struct account_question question = { .fn = due_refreshed };
	size_t i;

	accounts_each(conn->engine->accounts, count_due, conn);
	if (conn->n_dues == 0) {
		conn_answer_ok(conn);
		return;
	}
	conn->dues = calloc(conn->n_dues, sizeof(*conn->dues));
	if (conn->dues == NULL) {
		conn_refuse(conn, FAULT_NOMEM, NULL);
		return;
	}
	accounts_each(conn->engine->accounts, list_due, conn);
	for (i = 0; i < conn->n_dues; i++) {
		conn->dues[i].conn = conn;
		question.ctx = &conn->dues[i];
		account_refresh(conn->dues[i].account, &question,
		    &conn->dues[i].waiter);
	}
}

void verbs_refresh(struct conn *conn)
{
	struct account_question question = { .fn = refreshed,
		.ctx = conn,
		.mailbox = conn->request.folded };
	struct account *account;
	enum fault fault;

	if (conn->request.due) {
		refresh_due(conn);
		return;
	}
	fault = find_account(conn, conn->request.folded, &account);
	if (fault == FAULT_NOT_FOUND)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    "there is no such account; sign it in first");
	else if (fault != FAULT_NONE)
		conn_refuse(conn, fault, NULL);
	else
		account_refresh(account, &question, &conn->waiter);
}

void verbs_unwait(struct conn *conn)
{
	size_t i;

	if (conn->waiter != NULL)
		account_unwait(conn->waiter);
	conn->waiter = NULL;
	for (i = 0; conn->dues != NULL && i < conn->n_dues; i++)
		if (conn->dues[i].waiter != NULL)
			account_unwait(conn->dues[i].waiter);
	free(conn->dues);
	conn->dues = NULL;
}
