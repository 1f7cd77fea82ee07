/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of accounts, once and at each change: those with a record, and
 * those whose application signs in for itself; and of the helper itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/grant.h"
#include "daemon/refused.h"
#include "daemon/verbs.h"

#define SAID_BYTES 1200

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

/* Why it is not well, or what its mail servers and its configuration will
 * make of a grant that is; or nothing. */
static void say(struct account *account, char text[SAID_BYTES])
{
	const struct standing *standing = &account->standing;
	const struct entry *entry = account->record.entry;
	char since[40];

	refused_date(standing->since_s, since);
	if (standing->text != NULL)
		(void)snprintf(text, SAID_BYTES,
		    standing->state == ACCOUNT_BACKOFF ? "%s (since %s)" : "%s",
		    standing->text, since);
	else
		refused_say(account->refused, account->name, clock_boot_ms(),
		    text, SAID_BYTES);
	if (text[0] == '\0' && standing->state == ACCOUNT_ACTIVE &&
	    !account->record.in_memory && entry != NULL)
		grant_say_scope(entry, account->engine->config, text,
		    SAID_BYTES);
	if (text[0] == '\0' && entry != NULL && entry->refreshed_s == 0 &&
	    entry->flow != NULL && strcmp(entry->flow, IMPORT_FLOW) == 0)
		(void)snprintf(text, SAID_BYTES,
		    "imported, and not renewed yet: whether the grant works "
		    "shows when you run: mailtoken refresh %s",
		    entry->account);
}

static void tell_times(struct attr_writer *writer,
    const struct account *account)
{
	const struct standing *standing = &account->standing;
	const struct entry *entry = account->record.entry;
	struct now now = clock_now();
	int64_t next_ms = standing->gate_ms > standing->renew_ms ?
	    standing->gate_ms :
	    standing->renew_ms;

	if (entry != NULL) {
		put_time(writer, ATTR_EXPIRES,
		    now.wall_s + life_left_s(&standing->life, &now));
		put_time(writer, ATTR_REFRESHED, entry->refreshed_s);
		put_time(writer, ATTR_GRANT_EXPIRES, entry->grant_expires_s);
	}
	if (standing->state == ACCOUNT_BACKOFF)
		put_time(writer, ATTR_NEXT_TRY,
		    now.wall_s + (next_ms - now.boot_ms) / 1000);
	if (standing->state != ACCOUNT_ACTIVE)
		put_time(writer, ATTR_FAILING_SINCE, standing->since_s);
}

/* Of one that was asked for by name. */
static void tell_more(struct attr_writer *writer, const struct account *account)
{
	const struct entry *entry = account->record.entry;

	put_time(writer, ATTR_ASKED, account->record.asked_s);
	if (entry != NULL) {
		put_time(writer, ATTR_SIGNED_IN, entry->signed_in_s);
		answer_text(writer, ATTR_IDENTITY, entry->identity);
		answer_text(writer, ATTR_SCOPE,
		    entry->granted_scope != NULL ? entry->granted_scope :
						   entry->scope);
	}
}

/* provider NULL: its servers are not known. */
static void show(struct conn *conn, struct account *account)
{
	const struct config *config = conn->engine->config;
	const struct provider *provider = NULL;
	char text[SAID_BYTES] = "";
	const struct entry *entry;
	struct attr_writer writer;
	enum fault fault;
	struct why why;

	if (account->record.in_memory ||
	    (!account->record.exists && conn->phase != CONN_STREAMING) ||
	    !is_shown(conn, account->name) ||
	    accounts_app(config, account->name) != NULL)
		return;
	if (account->edition != account->engine->edition)
		account_reconsider(account);
	fault = account_ready(account, &why);
	entry = account->record.entry;
	if (entry != NULL)
		provider = config_provider(config, entry->provider);
	if (provider == NULL && fault == FAULT_NONE)
		provider = account->provider;
	answer_begin(&writer, &conn->out, ATTR_ACCOUNT,
	    entry != NULL ? entry->account : account->name);
	if (entry != NULL)
		attr_put_str(&writer, ATTR_PROVIDER, entry->provider);
	attr_put_str(&writer, ATTR_STATE,
	    account_state_word(account_shown(account)));
	if (provider != NULL)
		answer_servers(&writer, provider, entry->account,
		    entry->servers);
	tell_times(&writer, account);
	if (conn->request.account.n > 0)
		tell_more(&writer, account);
	attr_put_str(&writer, ATTR_UNSAVED,
	    account->record.unsaved ? "yes" : "no");
	if (conn->engine->fleet != NULL)
		answer_text(&writer, ATTR_FLEET_LOCK,
		    fleet_holder(conn->engine->fleet, account->name));
	say(account, text);
	answer_text(&writer, ATTR_TEXT, text);
	answer_end(&writer);
	/* Else one status would keep all records in memory. */
	if (conn->phase != CONN_STREAMING)
		account_rest(account);
}

/* A mailbox of an application, by the name that the configuration has; its
 * account is there once somebody has asked. */
static void show_app(struct conn *conn, const char *mailbox)
{
	const struct config *config = conn->engine->config;
	const struct config_account *block = config_account(config, mailbox);
	struct account *account = accounts_app_of(conn->engine->accounts,
	    mailbox);
	struct account *old = accounts_find(conn->engine->accounts, mailbox);
	char text[SAID_BYTES] = "";
	struct attr_writer writer;

	if (block == NULL || block->app == NULL || !is_shown(conn, mailbox))
		return;
	if (account != NULL && account->edition != account->engine->edition)
		account_reconsider(account);
	answer_begin(&writer, &conn->out, ATTR_ACCOUNT, mailbox);
	attr_put_str(&writer, ATTR_PROVIDER, block->app->name);
	attr_put_str(&writer, ATTR_STATE,
	    account_state_word(
		account != NULL ? account_shown(account) : ACCOUNT_ACTIVE));
	answer_servers(&writer, block->app, mailbox, block->servers);
	if (account != NULL) {
		tell_times(&writer, account);
		say(account, text);
	}
	attr_put_str(&writer, ATTR_UNSAVED, "no");
	if (text[0] == '\0' && old != NULL && old->record.exists)
		(void)snprintf(text, sizeof(text),
		    "an older grant of a sign-in is kept and not used: to end "
		    "it, run: mailtoken logout %s",
		    mailbox);
	answer_text(&writer, ATTR_TEXT, text);
	answer_end(&writer);
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

/* Whether its program was replaced or taken away: the kernel says so (proc(5),
 * /proc/pid/exe).  Where /proc is not seen nothing is known. */
static bool is_stale(void)
{
	static const char gone[] = " (deleted)";
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	size_t end = sizeof(gone) - 1;

	return n > (ssize_t)end &&
	    memcmp(path + (size_t)n - end, gone, end) == 0;
}

/* What is wrong with helper and configuration, for who can mend it. */
static void warn(struct attr_writer *writer, const struct engine *engine)
{
	size_t i;

	answer_text(writer, ATTR_WARNING, engine->config_trouble);
	for (i = 0; engine->config != NULL && i < engine->config->n_notes; i++)
		answer_text(writer, ATTR_WARNING, engine->config->notes[i]);
	if (is_stale())
		answer_text(writer, ATTR_WARNING,
		    engine->config != NULL && engine->config->user_helper ?
			"the helper that runs is older than its program: "
			"restart it, as with: systemctl --user restart "
			"mailtokend.service" :
			"the helper that runs is older than its program: "
			"restart it, as with: systemctl restart "
			"mailtokend.service");
}

static void tell_fleet(struct attr_writer *writer, struct fleet *fleet)
{
	struct fleet_health health;

	if (fleet == NULL)
		return;
	fleet_health(fleet, &health);
	attr_put_str(writer, ATTR_FLEET, fleet_state_word(health.state));
	answer_text(writer, ATTR_FLEET_TEXT, health.text);
	answer_text(writer, ATTR_FLEET_URL, health.url);
	answer_text(writer, ATTR_FLEET_NAME, health.name);
	attr_put_int(writer, ATTR_FLEET_REVISION, health.revision);
	attr_put_int(writer, ATTR_FLEET_BEHIND, health.behind);
	attr_put_int(writer, ATTR_FLEET_LOCKS, health.locks);
	attr_put_int(writer, ATTR_FLEET_UNPUT, health.unput);
}

static void end_status(void *ctx)
{
	struct conn *conn = ctx;
	struct attr_writer writer;

	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	if (config_allows(conn->engine->config, RIGHT_ADMIN, NULL,
		&conn->peer)) {
		tell_fleet(&writer, conn->engine->fleet);
		warn(&writer, conn->engine);
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

/* Also where nothing works. */
void verbs_version(struct conn *conn)
{
	const struct engine *engine = conn->engine;
	struct attr_writer writer;

	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_VERSION, MAILTOKEN_VERSION);
	attr_put_str(&writer, ATTR_PROTOCOL, WIRE_VERSION);
	if (conn->peer.root ||
	    (engine->working &&
		config_allows(engine->config, RIGHT_ADMIN, NULL,
		    &conn->peer))) {
		if (engine->working)
			answer_text(&writer, ATTR_KEYRING,
			    keyring_path(engine->keyring));
		attr_put_int(&writer, ATTR_PID, (int64_t)getpid());
		attr_put_int(&writer, ATTR_STARTED, engine->started_s);
		answer_text(&writer, ATTR_SANDBOX, engine->sandbox);
		answer_text(&writer, ATTR_CONFIG, engine->config_path);
		attr_put_str(&writer, ATTR_STALE, is_stale() ? "yes" : "no");
		tell_fleet(&writer, engine->fleet);
		warn(&writer, engine);
	}
	answer_end(&writer);
	conn_close_after(conn, FAULT_NONE);
}
