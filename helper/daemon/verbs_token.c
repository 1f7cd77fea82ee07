/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Questions to an account: its token, and renewing it.
 */
#include "daemon/accounts.h"
#include "daemon/outcome.h"
#include "daemon/verbs.h"
#include "wire/echo.h"

static void no_account(struct conn *conn, enum fault fault, bool forced)
{
	conn->asked = NULL;
	if (fault != FAULT_NOT_FOUND)
		conn_refuse(conn, fault, NULL);
	else if (forced)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    "there is no such account; sign it in first");
	else
		access_refuse_unknown(conn, true);
}

void verbs_force(struct conn *conn, account_answer_fn *fn)
{
	const struct account_question question = { .fn = fn,
		.ctx = conn,
		.mailbox = conn->request.folded,
		.force = true };
	enum fault fault = accounts_for(conn->engine->accounts,
	    question.mailbox, &conn->asked);

	if (fault != FAULT_NONE)
		no_account(conn, fault, true);
	else
		asking_ask(conn->asked, &question);
}

/* What goes into user=: a block's or a record's login, else as asked for. */
static void token_came(void *ctx, struct account *account,
    const struct account_answer *answer)
{
	struct conn *conn = ctx;
	const struct request *request = &conn->request;
	const struct entry *entry = answer->entry;
	const struct config_account *block;
	const char *login = NULL;
	struct attr_writer writer;

	(void)account;
	conn->asked = NULL;
	if (answer->fault == FAULT_UNKNOWN_ACCOUNT) {
		access_refuse_unknown(conn, true);
		return;
	}
	if (answer->fault != FAULT_NONE) {
		conn_answer_fault(conn, answer->fault, answer->text,
		    answer->retry_after_s);
		return;
	}
	block = config_account(conn->engine->config, request->folded);
	if (block != NULL)
		login = config_login(block, request->service);
	if (login == NULL && (block == NULL || block->token_of == NULL))
		login = entry->login;
	attr_begin(&writer, &conn->out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put(&writer, ATTR_LOGIN,
	    login != NULL ? span_of(login) : request->account);
	attr_put(&writer, ATTR_TOKEN,
	    secret_reveal(entry->access_token, "the answer"));
	attr_put_int(&writer, ATTR_EXPIRES, entry->expires_s);
	attr_put_str(&writer, ATTR_SERIAL, entry->serial);
	if (attr_end(&writer) != FAULT_NONE)
		answer_failed(&conn->out);
	conn_close_after(conn, FAULT_NONE);
}

void verbs_token(struct conn *conn)
{
	const struct config_account *block;
	struct account_question question = {
		.server = conn->request.server,
		.service = conn->request.service,
		.mailbox = conn->request.folded,
		.min_validity_s = conn->request.min_validity_s,
		.fn = token_came,
		.ctx = conn,
	};
	enum fault fault;

	block = config_account(conn->engine->config, question.mailbox);
	if (block != NULL && block->token_of != NULL)
		question.mailbox = block->token_of;
	fault = accounts_for(conn->engine->accounts, question.mailbox,
	    &conn->asked);
	if (fault != FAULT_NONE)
		no_account(conn, fault, false);
	else
		asking_ask(conn->asked, &question);
}

/* Who reports it should have looked whether it repeats the token; of one that
 * has been renewed since, that cannot be seen here. */
static void hush_challenge(struct conn *conn, struct account *account)
{
	const struct entry *entry = account_entry(account);
	struct span *challenge = &conn->request.challenge;
	bool here = entry != NULL && entry->access_token != NULL &&
	    entry->serial != NULL &&
	    span_is(conn->request.serial, entry->serial);

	if (challenge->n > 0 && !here)
		*challenge = span_of("(hidden: its token is no longer here)");
	else if (here &&
	    echo_holds(*challenge,
		secret_reveal(entry->access_token, "to find a copy of it")))
		*challenge = span_of(ECHO_HIDDEN);
}

void verbs_rejected(struct conn *conn)
{
	struct account *account;

	if (accounts_for(conn->engine->accounts, access_mailbox(conn),
		&account) != FAULT_NONE) {
		access_refuse_unknown(conn, true);
		return;
	}
	account_rejected(account, conn->request.serial, conn->request.server,
	    conn->request.service);
	hush_challenge(conn, account);
	conn_answer_ok(conn);
}

static void end_renewed(struct attr_writer *writer,
    const struct account_answer *answer)
{
	if (answer->fault != FAULT_NONE) {
		answer_text(writer, ATTR_TEXT, answer->text);
	} else {
		attr_put_int(writer, ATTR_EXPIRES, answer->entry->expires_s);
		if (answer->unsaved)
			attr_put_str(writer, ATTR_UNSAVED, "yes");
	}
	answer_end(writer);
}

static void refreshed(void *ctx, struct account *account,
    const struct account_answer *answer)
{
	struct attr_writer writer;
	struct conn *conn = ctx;

	(void)account;
	conn->asked = NULL;
	if (answer->fault != FAULT_NONE) {
		conn_answer_fault(conn, answer->fault, answer->text,
		    answer->retry_after_s);
		return;
	}
	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_ACCOUNT, conn->request.folded);
	end_renewed(&writer, answer);
	conn_close_after(conn, FAULT_NONE);
}

static void due_done(void *ctx)
{
	struct conn *conn = ctx;

	if (--conn->dues_left > 0)
		conn_send_later(conn);
	else
		conn_answer_ok(conn);
}

static void due_refreshed(void *ctx, struct account *account,
    const struct account_answer *answer)
{
	struct attr_writer writer;
	struct conn *conn = ctx;

	answer_begin(&writer, &conn->out, ATTR_ACCOUNT, account->name);
	attr_put_str(&writer, ATTR_OUTCOME, fault_word(answer->fault));
	end_renewed(&writer, answer);
	due_done(conn);
}

static bool refresh_next(void *ctx)
{
	struct conn *conn = ctx;
	struct account *account = accounts_next(&conn->place);
	const struct account_question question = { .fn = due_refreshed,
		.ctx = conn,
		.force = true,
		.renewal = true };

	if (account != NULL && account_is_due(account)) {
		conn->dues_left++;
		asking_ask(account, &question);
	}
	return account != NULL;
}

void verbs_refresh(struct conn *conn)
{
	if (!conn->request.due) {
		verbs_force(conn, refreshed);
		return;
	}
	/* Some are done before: the end counts as one more. */
	conn->dues_left = 1;
	conn->place = accounts_first(conn->engine->accounts);
	conn_walk(conn, refresh_next, due_done);
}

void verbs_unwait(struct conn *conn)
{
	struct accounts_place *place;
	struct account *account;

	if (conn->asked != NULL)
		asking_leave(conn->asked, conn);
	if (conn->dues_left == 0)
		return;
	place = accounts_first(conn->engine->accounts);
	while ((account = accounts_next(&place)) != NULL)
		asking_leave(account, conn);
}
