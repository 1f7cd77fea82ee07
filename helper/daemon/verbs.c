/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who may use which verb: the one decision about access is the table here;
 * "not yours" and "does not exist" are the same bytes.
 */
#include "daemon/verbs.h"

#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "wire/ids.h"

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

/* The same bytes for both cases and for all accounts. */
static void say_unknown(const struct conn *conn, char text[TEXT_MAX_BYTES])
{
	struct ids_text user;

	if (peer_is_root(&conn->peer)) {
		(void)snprintf(text, TEXT_MAX_BYTES, "not signed in");
	} else if (conn->peer.overflow) {
		(void)snprintf(text, TEXT_MAX_BYTES,
		    "not signed in, or not allowed for users of another user "
		    "namespace");
	} else {
		user = ids_user(conn->peer.uid);
		(void)snprintf(text, TEXT_MAX_BYTES,
		    "not signed in, or not allowed for %s, whom an admin lets "
		    "in with the line \"allow %s\" in %s",
		    user.text, strchr(user.text, ' ') + 1,
		    conn->engine->config_path);
	}
}

void verbs_refuse_unknown(struct conn *conn, bool allowed)
{
	char text[TEXT_MAX_BYTES];
	struct answer_refusal refusal = { .fault = FAULT_UNKNOWN_ACCOUNT,
		.text = text,
		.retry_after_s = -1 };

	say_unknown(conn, text);
	refusal.password_as_token = conn->request.verb == REQUEST_TOKEN &&
	    conn->engine->config->password_as_token && is_known_server(conn);
	conn->hidden = !allowed;
	conn_note(conn, allowed ? "no record" : "not allowed");
	conn_answer_fault(conn, &refusal);
}

const char *verbs_mailbox(const struct conn *conn)
{
	const struct config_account *block;

	block = config_account(conn->engine->config, conn->request.folded);
	return block != NULL && block->token_of != NULL ? block->token_of :
							  conn->request.folded;
}

static bool is_known(const struct conn *conn, const char *mailbox)
{
	return accounts_app(conn->engine->config, mailbox) != NULL ||
	    accounts_knows(conn->engine->accounts, mailbox);
}

const char *verbs_note(const struct conn *conn)
{
	return conn->hidden && !is_known(conn, verbs_mailbox(conn)) ?
	    "no record, and not allowed" :
	    conn->note;
}

/* The next slice waits until all of this one has left. */
static void rest(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->out.n == 0)
		slices_go_on(&conn->work);
	else
		conn_send_later(conn);
}

void verbs_walk(struct conn *conn, bool (*step)(void *ctx),
    void (*end)(void *ctx))
{
	conn->place = accounts_first(conn->engine->accounts);
	conn->work = (struct slices_work){ .uid = conn->peer.uid,
		.step = step,
		.rest = rest,
		.end = end,
		.ctx = conn };
	slices_begin(conn->engine->slices, &conn->work);
}

static void do_reload(struct conn *conn)
{
	const struct serve_host *host = conn->host;

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
	[REQUEST_TOKEN] = { RIGHT_ACCOUNT, verbs_token },
	[REQUEST_REJECTED] = { RIGHT_ACCOUNT, verbs_rejected },
	[REQUEST_SIGN_IN] = { RIGHT_ADMIN, verbs_sign_in },
	[REQUEST_FORGET] = { RIGHT_ADMIN, verbs_forget },
	[REQUEST_STATUS] = { RIGHT_ANYBODY, verbs_status },
	[REQUEST_WATCH] = { RIGHT_ANYBODY, verbs_watch },
	[REQUEST_REFRESH] = { RIGHT_ADMIN, verbs_refresh },
	[REQUEST_IMPORT] = { RIGHT_ADMIN, verbs_import },
	[REQUEST_EXPORT] = { RIGHT_ROOT, verbs_export },
	[REQUEST_REKEY] = { RIGHT_ROOT, verbs_rekey },
	[REQUEST_RELOAD] = { RIGHT_ADMIN, do_reload },
	[REQUEST_VERSION] = { RIGHT_ANYBODY, do_version },
};

static void refuse_denied(struct conn *conn)
{
	if (conn->peer.overflow)
		conn_refuse(conn, FAULT_DENIED,
		    "the kernel does not tell this helper who you are: it runs "
		    "in a user namespace that does not map your uid");
	else if (rules[conn->request.verb].right == RIGHT_ROOT)
		conn_refuse(conn, FAULT_DENIED,
		    "only root and the helper's own user may export or rekey "
		    "grants");
	else
		conn_refuse(conn, FAULT_DENIED,
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

/* What has no end of its own is not begun by a helper that stops. */
static void act(struct conn *conn, const struct verb_rule *rule)
{
	if (conn->engine != NULL && conn->engine->stopping &&
	    (rule->act == verbs_sign_in || rule->act == verbs_watch))
		conn_refuse(conn, FAULT_TRY_LATER, "the helper is stopping");
	else
		rule->act(conn);
}

/* What the configuration says of the account, or of the one that lends its
 * token, cannot be understood. */
static const char *bad_account(const struct conn *conn)
{
	const struct config *config;
	const char *text;

	if (conn->engine == NULL || conn->request.account.n == 0 ||
	    (conn->request.verb != REQUEST_TOKEN &&
		conn->request.verb != REQUEST_REFRESH &&
		conn->request.verb != REQUEST_SIGN_IN))
		return NULL;
	config = conn->engine->config;
	text = config_bad_account(config, conn->request.folded);
	return text != NULL ? text :
			      config_bad_account(config, verbs_mailbox(conn));
}

void verbs_begin(struct conn *conn)
{
	const struct serve_host *host = conn->host;
	const struct verb_rule *rule = &rules[conn->request.verb];
	struct why why = { .err = 0, .text = "" };
	enum fault fault;
	bool allowed;

	/* A reload says itself what it finds. */
	fault = host->engine(host->ctx,
	    conn->request.verb != REQUEST_RELOAD || !peer_is_root(&conn->peer),
	    &conn->engine, &why);
	if (conn->engine != NULL)
		host->stranger(host->ctx, &conn->peer);
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
		conn_refuse(conn, fault, why.text);
		return;
	}
	allowed = conn->engine == NULL || may(conn, rule->right);
	conn->trusted = allowed && rule->right != RIGHT_ANYBODY;
	if (allowed && bad_account(conn) != NULL)
		conn_refuse(conn, FAULT_CONFIG_ERROR, bad_account(conn));
	else if (allowed)
		act(conn, rule);
	else if (rule->right == RIGHT_ACCOUNT)
		verbs_refuse_unknown(conn, false);
	else
		refuse_denied(conn);
}

void verbs_continue(struct conn *conn, const struct attrs *attrs)
{
	if (conn->signin != NULL && attr_has(attrs, ATTR_ANSWER))
		signin_answer(conn->signin, attr_get(attrs, ATTR_ANSWER));
}

void verbs_drop(struct conn *conn)
{
	struct conn **at;

	slices_drop(&conn->work);
	config_release(conn->blocks);
	conn->blocks = NULL;
	verbs_unwait(conn);
	signin_free(conn->signin);
	conn->signin = NULL;
	forget_free(conn->forget);
	conn->forget = NULL;
	if (conn->engine == NULL)
		return;
	for (at = &conn->engine->watchers; *at != NULL;
	     at = &(*at)->next_watcher) {
		if (*at == conn) {
			*at = conn->next_watcher;
			return;
		}
	}
}
