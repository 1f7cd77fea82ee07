/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What each verb does, and who may use it.  The one decision about access is
 * the table at the end; "not yours" and "does not exist" are the same bytes.
 */
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/apps.h"
#include "daemon/conn.h"
#include "daemon/grant.h"
#include "daemon/moving.h"
#include "daemon/verbs_app.h"

#define SERVERS_TEXT_BYTES 4096

struct conn_due {
	struct conn *conn;
	struct account *account;
	struct waiter *waiter;
};

static void refuse(struct conn *conn, enum fault fault, const char *text)
{
	struct answer_refusal refusal = { .fault = fault,
		.text = text,
		.retry_after_s = -1 };

	answer_fault(&conn->out, &refusal);
	conn_close_after(conn, fault);
}

void conn_refuse(struct conn *conn, enum fault fault, const char *text)
{
	refuse(conn, fault, text);
}

/* A server that any provider knows: a password that is a token may go there. */
static bool is_known_server(const struct conn *conn)
{
	const struct config *config = conn->engine->config;
	size_t i;

	for (i = 0; i < config->n_providers; i++)
		if (provider_serves(config->providers[i],
			span_of(conn->request.folded), NULL,
			conn->request.server))
			return true;
	return false;
}

static const char no_record[] = "no record";
static const char not_allowed[] = "not allowed";

/* The same bytes whether it does not exist or is not this peer's. */
static void refuse_unknown(struct conn *conn, const char *note)
{
	struct answer_refusal refusal = { .fault = FAULT_UNKNOWN_ACCOUNT,
		.retry_after_s = -1 };

	refusal.password_as_token = conn->request.verb == REQUEST_TOKEN &&
	    conn->engine->config->password_as_token && is_known_server(conn);
	conn->note = note;
	answer_fault(&conn->out, &refusal);
	conn_close_after(conn, FAULT_UNKNOWN_ACCOUNT);
}

/* The mailbox whose token is asked for: another's for a shared one. */
static const char *token_mailbox(const struct conn *conn)
{
	const struct config_account *block;

	block = config_account(conn->engine->config, conn->request.folded);
	return block != NULL && block->token_of != NULL ? block->token_of :
							  conn->request.folded;
}

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

static bool is_known(const struct conn *conn, const char *mailbox)
{
	return apps_provider(conn->engine->config, mailbox) != NULL ||
	    accounts_find(conn->engine->accounts, mailbox) != NULL;
}

const char *verbs_note(const struct conn *conn)
{
	if (conn->note == not_allowed && !is_known(conn, token_mailbox(conn)))
		return "no record, and not allowed";
	return conn->note;
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

static void token_came(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;
	struct answer_refusal refusal = { .fault = answer->fault,
		.text = answer->text,
		.retry_after_s = answer->retry_after_s };

	conn->waiter = NULL;
	if (answer->fault == FAULT_UNKNOWN_ACCOUNT) {
		refuse_unknown(conn, no_record);
		return;
	}
	if (answer->fault == FAULT_NONE)
		answer_token(&conn->out, answer, login_of(conn));
	else
		answer_fault(&conn->out, &refusal);
	conn_close_after(conn, answer->fault);
}

static void do_token(struct conn *conn)
{
	struct account_question question = {
		.server = conn->request.server,
		.service = conn->request.service,
		.mailbox = token_mailbox(conn),
		.min_validity_s = conn->request.min_validity_s,
		.fn = token_came,
		.ctx = conn,
	};
	struct account *account;
	enum fault fault;

	fault = find_account(conn, question.mailbox, &account);
	if (fault == FAULT_NOT_FOUND)
		refuse_unknown(conn, no_record);
	else if (fault != FAULT_NONE)
		refuse(conn, fault, NULL);
	else
		account_token(account, &question, &conn->waiter);
}

static void do_rejected(struct conn *conn)
{
	struct account *account;

	if (find_account(conn, token_mailbox(conn), &account) != FAULT_NONE) {
		refuse_unknown(conn, no_record);
		return;
	}
	account_rejected(account, conn->request.serial);
	answer_ok(&conn->out);
	conn_close_after(conn, FAULT_NONE);
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

static void do_sign_in(struct conn *conn)
{
	const struct request *request = &conn->request;
	struct signin_wish wish = {
		.account = request->account,
		.folded = request->folded,
		.provider = request->provider,
		.issuer = request->issuer,
		.mx = request->mx,
		.protocols = request->protocols,
		.flow = request->flow,
		.servers = request->servers,
		.as_delegate = request->as_delegate,
		.event = signin_happened,
		.ctx = conn,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (verbs_app_sign_in(conn))
		return;
	fault = signin_start(conn->engine, &wish, &conn->signin, &why);
	if (fault != FAULT_NONE) {
		refuse(conn, fault, why.text[0] != '\0' ? why.text : NULL);
		return;
	}
	conn->phase = CONN_DIALOGUE;
}

void verbs_continue(struct conn *conn, const struct attrs *attrs)
{
	if (conn->signin != NULL && attr_has(attrs, ATTR_ANSWER))
		signin_answer(conn->signin, attr_get(attrs, ATTR_ANSWER));
}

static void forgotten(void *ctx, const struct forget_end *end)
{
	struct conn *conn = ctx;

	if (end->fault != FAULT_NONE) {
		refuse(conn, end->fault, end->text);
		return;
	}
	answer_forgotten(&conn->out, end);
	conn_close_after(conn, FAULT_NONE);
}

static void do_forget(struct conn *conn)
{
	const struct forget_wish wish = {
		.account = conn->request.folded,
		.revoke = conn->request.revoke,
		.keep_local = conn->request.keep_local,
	};
	enum fault fault;

	fault = forget_start(conn->engine, &wish, forgotten, conn,
	    &conn->forget);
	if (fault == FAULT_UNKNOWN_ACCOUNT)
		refuse(conn, fault,
		    apps_provider(conn->engine->config, conn->request.folded) !=
			    NULL ?
			"its application signs in for it, so there is nothing "
			"to forget: take its block out of the configuration" :
			"there is no such account to forget");
	else if (fault != FAULT_NONE)
		refuse(conn, FAULT_INTERNAL, NULL);
}

bool conn_may_see(const struct conn *conn, const char *name)
{
	const struct config *config = conn->engine->config;

	return peer_is_root(&conn->peer) ||
	    config_is_admin(config, &conn->peer) ||
	    config_allows(config, name, &conn->peer);
}

static void show(void *ctx, struct account *account)
{
	struct conn *conn = ctx;
	char servers[SERVERS_TEXT_BYTES] = "";
	struct provider *provider;
	struct account_view view;
	struct why why;

	if ((!account_exists(account) && conn->phase != CONN_STREAMING) ||
	    !conn_may_see(conn, account_name(account)))
		return;
	if (conn->request.account.n > 0 &&
	    strcmp(conn->request.folded, account_name(account)) != 0)
		return;
	account_describe(account, &view);
	/* One that cannot be read is not read again: view has its text. */
	provider = view.provider == NULL ?
	    NULL :
	    config_provider(conn->engine->config, view.provider);
	if (provider != NULL)
		provider = provider_share(provider);
	else if (view.provider != NULL &&
	    grant_provider(conn->engine->config, account_entry(account),
		&provider, &why) != FAULT_NONE)
		provider = NULL;
	if (provider != NULL)
		answer_servers(provider, view.account, view.servers, servers,
		    sizeof(servers));
	provider_release(provider);
	answer_view(&conn->out, &view, servers);
	/* Else one status would keep all records in memory. */
	if (conn->phase != CONN_STREAMING)
		account_rest(account);
}

static void do_status(struct conn *conn)
{
	const char *name = conn->request.folded;
	struct account *account;

	if (conn->request.account.n == 0) {
		accounts_each(conn->engine->accounts, show, conn);
		verbs_app_show_all(conn, NULL);
	} else if (!conn_may_see(conn, name)) {
		refuse_unknown(conn, not_allowed);
		return;
	} else if (apps_provider(conn->engine->config, name) != NULL) {
		verbs_app_show(conn, name);
	} else {
		account = accounts_find(conn->engine->accounts, name);
		if (account == NULL) {
			refuse_unknown(conn, no_record);
			return;
		}
		show(conn, account);
	}
	answer_ok(&conn->out);
	conn_close_after(conn, FAULT_NONE);
}

static void changed(void *ctx, struct account *account)
{
	struct conn *conn = ctx;

	if (conn->phase != CONN_STREAMING)
		return; /* its end is on the way */
	if (account_is_app(account))
		verbs_app_show_all(conn, account);
	else
		show(conn, account);
	conn_send_later(conn);
}

static void do_watch(struct conn *conn)
{
	if (watch_add(conn->engine->watchers, changed, conn, &conn->watcher) !=
	    FAULT_NONE) {
		refuse(conn, FAULT_INTERNAL, NULL);
		return;
	}
	conn->phase = CONN_STREAMING;
	answer_watching(&conn->out);
	conn_send_later(conn);
}

static void refreshed(void *ctx, const struct account_answer *answer)
{
	struct conn *conn = ctx;
	struct answer_refusal refusal = { .fault = answer->fault,
		.text = answer->text,
		.retry_after_s = answer->retry_after_s };

	conn->waiter = NULL;
	if (answer->fault == FAULT_NONE)
		answer_refreshed(&conn->out, conn->request.folded,
		    answer->expires_s);
	else
		answer_fault(&conn->out, &refusal);
	conn_close_after(conn, answer->fault);
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
	answer_ok(&conn->out);
	conn_close_after(conn, FAULT_NONE);
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
	bool was_inside = conn->inside;
	size_t i;

	accounts_each(conn->engine->accounts, count_due, conn);
	if (conn->n_dues == 0) {
		answer_ok(&conn->out);
		conn_close_after(conn, FAULT_NONE);
		return;
	}
	conn->dues = calloc(conn->n_dues, sizeof(*conn->dues));
	if (conn->dues == NULL) {
		refuse(conn, FAULT_INTERNAL, NULL);
		return;
	}
	accounts_each(conn->engine->accounts, list_due, conn);
	/* Some may answer at once, the last one included. */
	conn->inside = true;
	for (i = 0; i < conn->n_dues; i++) {
		conn->dues[i].conn = conn;
		question.ctx = &conn->dues[i];
		account_refresh(conn->dues[i].account, &question,
		    &conn->dues[i].waiter);
	}
	conn->inside = was_inside;
	conn_send_later(conn);
}

static void do_refresh(struct conn *conn)
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
		refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    "there is no such account; sign it in first");
	else if (fault != FAULT_NONE)
		refuse(conn, fault, NULL);
	else
		account_refresh(account, &question, &conn->waiter);
}

static void do_reload(struct conn *conn)
{
	const struct serve_host *host = conn_host(conn);

	conn_close_after(conn, host->reload(host->ctx, &conn->out));
}

static void do_version(struct conn *conn)
{
	bool admin = peer_is_root(&conn->peer) ||
	    (conn->engine != NULL &&
		config_is_admin(conn->engine->config, &conn->peer));

	answer_version(&conn->out,
	    admin && conn->engine != NULL ?
		keyring_path(conn->engine->keyring) :
		NULL);
	conn_close_after(conn, FAULT_NONE);
}

/* Who may. */
enum right {
	RIGHT_ANYBODY,
	RIGHT_ACCOUNT,
	RIGHT_ADMIN,
	RIGHT_ROOT
};

static const struct verb_rule {
	enum right right;
	void (*act)(struct conn *conn);
} rules[] = {
	[REQUEST_TOKEN] = { RIGHT_ACCOUNT, do_token },
	[REQUEST_REJECTED] = { RIGHT_ACCOUNT, do_rejected },
	[REQUEST_SIGN_IN] = { RIGHT_ADMIN, do_sign_in },
	[REQUEST_FORGET] = { RIGHT_ADMIN, do_forget },
	[REQUEST_STATUS] = { RIGHT_ANYBODY, do_status },
	[REQUEST_WATCH] = { RIGHT_ANYBODY, do_watch },
	[REQUEST_REFRESH] = { RIGHT_ADMIN, do_refresh },
	[REQUEST_IMPORT] = { RIGHT_ADMIN, moving_import },
	[REQUEST_EXPORT] = { RIGHT_ROOT, moving_export },
	[REQUEST_RELOAD] = { RIGHT_ADMIN, do_reload },
	[REQUEST_VERSION] = { RIGHT_ANYBODY, do_version },
};

static void refuse_denied(struct conn *conn)
{
	if (conn->peer.overflow)
		refuse(conn, FAULT_DENIED,
		    "the kernel does not tell this helper who you are: it runs "
		    "in a user namespace that does not map your uid");
	else if (conn->request.verb == REQUEST_EXPORT)
		refuse(conn, FAULT_DENIED,
		    "only root and the helper's own user may export grants");
	else
		refuse(conn, FAULT_DENIED,
		    "only root, the helper's own user and those whom 'admin' "
		    "names in its configuration may do that");
}

static bool may(const struct conn *conn, enum right right)
{
	const struct config *config = conn->engine->config;

	switch (right) {
	case RIGHT_ANYBODY: return true;
	case RIGHT_ACCOUNT:
		return peer_is_root(&conn->peer) ||
		    config_allows(config, conn->request.folded, &conn->peer);
	case RIGHT_ADMIN:
		return peer_is_root(&conn->peer) ||
		    config_is_admin(config, &conn->peer);
	case RIGHT_ROOT: return peer_is_root(&conn->peer);
	}
	return false;
}

static void refuse_later(struct conn *conn)
{
	struct answer_refusal refusal = { .fault = FAULT_TRY_LATER,
		.text = "the helper is stopping",
		.retry_after_s = 1 };

	answer_fault(&conn->out, &refusal);
	conn_close_after(conn, FAULT_TRY_LATER);
}

/* What has no end of its own is not begun by a helper that stops. */
static void act(struct conn *conn, const struct verb_rule *rule)
{
	if (conn->engine != NULL && conn->engine->stopping &&
	    (rule->act == do_sign_in || rule->act == do_watch))
		refuse_later(conn);
	else
		rule->act(conn);
}

void verbs_begin(struct conn *conn)
{
	const struct serve_host *host = conn_host(conn);
	const struct verb_rule *rule = &rules[conn->request.verb];
	struct why why = { .err = 0, .text = "" };
	bool allowed;

	conn->engine = host->engine(host->ctx, &why);
	if (conn->request.verb == REQUEST_VERSION) {
		do_version(conn);
		return;
	}
	if (conn->peer.overflow) {
		refuse_denied(conn);
		return;
	}
	if (conn->engine == NULL &&
	    !(conn->request.verb == REQUEST_RELOAD &&
		peer_is_root(&conn->peer))) {
		refuse(conn, FAULT_CONFIG_ERROR, why.text);
		return;
	}
	allowed = conn->engine == NULL || may(conn, rule->right);
	conn->trusted = allowed && rule->right != RIGHT_ANYBODY;
	if (allowed)
		act(conn, rule);
	else if (rule->right == RIGHT_ACCOUNT)
		refuse_unknown(conn, not_allowed);
	else
		refuse_denied(conn);
}

void verbs_drop(struct conn *conn)
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
	signin_free(conn->signin);
	conn->signin = NULL;
	forget_free(conn->forget);
	conn->forget = NULL;
	if (conn->watcher != NULL)
		watch_remove(conn->engine->watchers, conn->watcher);
	conn->watcher = NULL;
}
