/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of accounts, once and at each change: those with a record, and
 * those whose application signs in for itself.
 */
#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/grant.h"
#include "daemon/verbs.h"

/* What the peer asked for and may know of; name is folded. */
static bool is_shown(const struct conn *conn, const char *name)
{
	const struct config *config = conn->engine->config;

	if (conn->request.account.n > 0 &&
	    strcmp(conn->request.folded, name) != 0)
		return false;
	return peer_is_root(&conn->peer) ||
	    config_is_admin(config, &conn->peer) ||
	    config_allows(config, name, &conn->peer);
}

static void show(struct conn *conn, struct account *account)
{
	struct provider *provider;
	struct account_view view;
	struct why why;

	if (account->record.in_memory ||
	    (!account->record.exists && conn->phase != CONN_STREAMING) ||
	    !is_shown(conn, account->name) ||
	    accounts_app(conn->engine->config, account->name) != NULL)
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
	answer_view(&conn->out, &view, provider);
	provider_release(provider);
	/* Else one status would keep all records in memory. */
	if (conn->phase != CONN_STREAMING)
		account_rest(account);
}

/* A mailbox of an application, by the name that the configuration has. */
static void show_app(struct conn *conn, const char *mailbox)
{
	const struct config *config = conn->engine->config;
	const struct config_account *block = config_account(config, mailbox);
	struct provider *provider = accounts_app(config, mailbox);
	struct account *account = accounts_app_of(conn->engine->accounts,
	    mailbox);
	struct account *old = accounts_find(conn->engine->accounts, mailbox);
	struct account_view view = { .state = ACCOUNT_ACTIVE };
	char text[ACCOUNT_MAX_BYTES + 100];

	if (provider == NULL || !is_shown(conn, mailbox))
		return;
	if (account != NULL)
		account_describe(account, &view);
	if (view.text == NULL && old != NULL && old->record.exists) {
		(void)snprintf(text, sizeof(text),
		    "an older grant of a sign-in is kept and not used: to end "
		    "it, run: mailtoken logout %s",
		    mailbox);
		view.text = text;
	}
	view.account = mailbox;
	view.provider = provider->name;
	view.servers = block->servers;
	answer_view(&conn->out, &view, provider);
}

/* Of the blocks with a name, those of the application that has changed. */
static bool show_next_app(void *ctx)
{
	struct conn *conn = ctx;
	const char *mailbox;

	if (conn->phase != CONN_STREAMING ||
	    conn->n_blocks == conn->blocks->n_accounts)
		return false;
	mailbox = conn->blocks->accounts[conn->n_blocks++].name;
	if (mailbox[0] != '*' &&
	    (conn->app == NULL ||
		accounts_app_of(conn->engine->accounts, mailbox) == conn->app))
		show_app(conn, mailbox);
	return true;
}

static void end_apps(void *ctx)
{
	struct conn *conn = ctx;

	config_release(conn->blocks);
	conn->blocks = NULL;
	conn_send_later(conn);
}

/* Another one meanwhile: all are told of anew. */
static void show_apps(struct conn *conn, struct account *account)
{
	conn->app = conn->blocks != NULL && conn->app != account ? NULL :
								   account;
	slices_drop(&conn->work);
	config_release(conn->blocks);
	conn->blocks = config_share(conn->engine->config);
	conn->n_blocks = 0;
	verbs_walk(conn, show_next_app, end_apps);
}

/* What is wrong with the configuration, for who can mend it. */
static void end_status(void *ctx)
{
	struct conn *conn = ctx;
	const struct config *config = conn->engine->config;
	const char *warnings[CONFIG_NOTES_MAX + 1];
	struct answer_warnings all = { warnings, 0 };
	size_t i;

	if (!config_is_admin(config, &conn->peer)) {
		conn_answer_ok(conn);
		return;
	}
	if (conn->engine->config_trouble[0] != '\0')
		warnings[all.n++] = conn->engine->config_trouble;
	for (i = 0; i < config->n_notes; i++)
		warnings[all.n++] = config->notes[i];
	answer_ok_but(&conn->out, all);
	conn_close_after(conn, FAULT_NONE);
}

/* Records, then blocks with a name. */
static bool show_next(void *ctx)
{
	struct conn *conn = ctx;
	struct account *account = accounts_next(&conn->place);
	const char *mailbox;

	if (account != NULL) {
		show(conn, account);
		return true;
	}
	if (conn->n_blocks == conn->blocks->n_accounts)
		return false;
	mailbox = conn->blocks->accounts[conn->n_blocks++].name;
	if (mailbox[0] != '*')
		show_app(conn, mailbox);
	return true;
}

/* A configuration that comes meanwhile has other blocks. */
static void show_all(struct conn *conn)
{
	if (!config_is_known(conn->engine->config, &conn->peer)) {
		end_status(conn);
		return;
	}
	conn->blocks = config_share(conn->engine->config);
	verbs_walk(conn, show_next, end_status);
}

void verbs_status(struct conn *conn)
{
	const char *name = conn->request.folded;
	struct account *account;

	if (conn->request.account.n == 0) {
		show_all(conn);
		return;
	}
	if (!is_shown(conn, name)) {
		verbs_refuse_unknown(conn, false);
		return;
	} else if (accounts_app(conn->engine->config, name) != NULL) {
		show_app(conn, name);
	} else {
		account = accounts_find(conn->engine->accounts, name);
		if (account == NULL) {
			verbs_refuse_unknown(conn, true);
			return;
		}
		show(conn, account);
	}
	end_status(conn);
}

static void changed(struct engine *engine, struct account *account)
{
	struct conn *conn;

	for (conn = engine->watchers; conn != NULL; conn = conn->next_watcher) {
		if (conn->phase != CONN_STREAMING)
			continue; /* its end is on the way */
		if (!account->record.in_memory)
			show(conn, account);
		else if (config_is_known(engine->config, &conn->peer))
			show_apps(conn, account);
		conn_send_later(conn);
	}
}

void verbs_watch(struct conn *conn)
{
	struct engine *engine = conn->engine;

	conn->next_watcher = engine->watchers;
	engine->watchers = conn;
	engine->changed = changed;
	conn->phase = CONN_STREAMING;
	answer_watching(&conn->out);
}
