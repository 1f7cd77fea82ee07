/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of accounts, once and at each change: those with a record, and
 * those whose application signs in for itself.
 */
#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/grant.h"
#include "daemon/verbs.h"

/* What the peer asked for and may know of; name is folded. */
static bool is_shown(struct conn *conn, const char *name)
{
	return (conn->request.account.n == 0 ||
		   strcmp(conn->request.folded, name) == 0) &&
	    access_sees(conn, name);
}

static void put_time(struct attr_writer *writer, const char *name,
    int64_t time_s)
{
	if (time_s > 0)
		attr_put_int(writer, name, time_s);
}

/* provider NULL: its servers are not known. */
static void tell(struct conn *conn, const struct account_view *view,
    const struct provider *provider)
{
	char untried[ACCOUNT_MAX_BYTES + 120];
	const char *text = view->text;
	struct attr_writer writer;

	answer_begin(&writer, &conn->out, ATTR_ACCOUNT, view->account);
	if (view->provider != NULL)
		attr_put_str(&writer, ATTR_PROVIDER, view->provider);
	attr_put_str(&writer, ATTR_STATE, account_state_word(view->state));
	if (provider != NULL)
		answer_servers(&writer, provider, view->account, view->servers);
	put_time(&writer, ATTR_EXPIRES, view->expires_s);
	put_time(&writer, ATTR_REFRESHED, view->refreshed_s);
	put_time(&writer, ATTR_GRANT_EXPIRES, view->grant_expires_s);
	put_time(&writer, ATTR_NEXT_TRY, view->next_try_s);
	attr_put_str(&writer, ATTR_UNSAVED, view->unsaved ? "yes" : "no");
	if (text == NULL && view->untried) {
		(void)snprintf(untried, sizeof(untried),
		    "imported, and not renewed yet: whether the grant works "
		    "shows when you run: mailtoken refresh %s",
		    view->account);
		text = untried;
	}
	answer_text(&writer, ATTR_TEXT, text);
	answer_end(&writer);
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
	tell(conn, &view, provider);
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
	tell(conn, &view, provider);
}

/* Records, then blocks with a name: those of the application that has changed,
 * if one has. */
static bool show_next(void *ctx)
{
	struct conn *conn = ctx;
	struct account *account = accounts_next(&conn->place);
	const char *mailbox;

	if (conn->phase == CONN_CLOSING)
		return false;
	if (account != NULL) {
		show(conn, account);
		return true;
	}
	if (conn->n_blocks == conn->blocks->n_accounts)
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
	conn_walk(conn, show_next, end_apps);
}

/* What is wrong with the configuration, for who can mend it. */
static void end_status(void *ctx)
{
	struct conn *conn = ctx;
	const struct engine *engine = conn->engine;
	struct attr_writer writer;
	size_t i;

	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	if (config_allows(engine->config, RIGHT_ADMIN, NULL, &conn->peer)) {
		if (engine->config_trouble[0] != '\0')
			answer_text(&writer, ATTR_WARNING,
			    engine->config_trouble);
		for (i = 0; i < engine->config->n_notes; i++)
			answer_text(&writer, ATTR_WARNING,
			    engine->config->notes[i]);
	}
	answer_end(&writer);
	conn_close_after(conn, FAULT_NONE);
}

/* A configuration that comes meanwhile has other blocks. */
static void show_all(struct conn *conn)
{
	if (!config_is_known(conn->engine->config, &conn->peer)) {
		end_status(conn);
		return;
	}
	conn->blocks = config_share(conn->engine->config);
	conn->place = accounts_first(conn->engine->accounts);
	conn_walk(conn, show_next, end_status);
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
		access_refuse_unknown(conn, false);
		return;
	} else if (accounts_app(conn->engine->config, name) != NULL) {
		show_app(conn, name);
	} else {
		account = accounts_find(conn->engine->accounts, name);
		if (account == NULL) {
			access_refuse_unknown(conn, true);
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
	struct attr_writer writer;

	conn->next_watcher = engine->watchers;
	engine->watchers = conn;
	engine->changed = changed;
	conn->phase = CONN_STREAMING;
	answer_begin(&writer, &conn->out, ATTR_EVENT, EVENT_WATCHING);
	answer_end(&writer);
}
