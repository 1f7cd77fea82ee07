/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The verbs there are: what each needs, who may use it, and what does it.
 */
#include "daemon/verbs.h"

#include <unistd.h>

#include "daemon/forget.h"
#include "daemon/keeper.h"
#include "daemon/signin.h"

static void reload(struct conn *conn)
{
	conn_close_after(conn, keeper_reload_into(conn->keeper, &conn->out));
}

static void version(struct conn *conn)
{
	struct attr_writer writer;

	answer_begin(&writer, &conn->out, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_VERSION, MAILTOKEN_VERSION);
	attr_put_str(&writer, ATTR_PROTOCOL, WIRE_VERSION);
	if (conn->engine != NULL && access_allows(conn, RIGHT_ADMIN)) {
		answer_text(&writer, ATTR_KEYRING,
		    keyring_path(conn->engine->keyring));
		attr_put_int(&writer, ATTR_PID, (int64_t)getpid());
	}
	answer_end(&writer);
	conn_close_after(conn, FAULT_NONE);
}

static const struct verb {
	const char *word;
	enum request_needs needs;
	enum right right;
	bool block; /* what the configuration says of the account counts */
	void (*act)(struct conn *conn);
} verbs[] = {
	{ VERB_TOKEN, NEEDS_ACCOUNT, RIGHT_ACCOUNT, true, verbs_token },
	{ VERB_REJECTED, NEEDS_SERIAL, RIGHT_ACCOUNT, false, verbs_rejected },
	{ VERB_SIGN_IN, NEEDS_ACCOUNT, RIGHT_ADMIN, true, verbs_sign_in },
	{ VERB_FORGET, NEEDS_ACCOUNT, RIGHT_ADMIN, false, verbs_forget },
	{ VERB_STATUS, MAY_HAVE_ACCOUNT, RIGHT_ANYBODY, false, verbs_status },
	{ VERB_WATCH, MAY_HAVE_ACCOUNT, RIGHT_ANYBODY, false, verbs_watch },
	{ VERB_REFRESH, ACCOUNT_OR_DUE, RIGHT_ADMIN, true, verbs_refresh },
	{ VERB_IMPORT, MAY_HAVE_ACCOUNT, RIGHT_ADMIN, false, verbs_import },
	{ VERB_EXPORT, MAY_HAVE_ACCOUNT, RIGHT_ROOT, false, verbs_export },
	{ VERB_REKEY, NEEDS_ACCOUNT, RIGHT_ROOT, false, verbs_rekey },
	{ VERB_RELOAD, NEEDS_NOTHING, RIGHT_ADMIN, false, reload },
	{ VERB_VERSION, NEEDS_NOTHING, RIGHT_ANYBODY, false, version },
};

static const struct verb *find_verb(struct span word)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is(word, verbs[i].word))
			return &verbs[i];
	return NULL;
}

/* What the configuration says of the account, or of the one that lends its
 * token, cannot be understood. */
static const char *bad_account(const struct conn *conn)
{
	const struct config *config = conn->engine->config;
	const char *text = NULL;

	if (conn->request.account.n > 0)
		text = config_bad_account(config, conn->request.folded);
	if (text == NULL && conn->request.account.n > 0)
		text = config_bad_account(config, access_mailbox(conn));
	return text;
}

static void act(struct conn *conn, const struct verb *verb)
{
	const char *text = verb->block ? bad_account(conn) : NULL;

	conn->trusted = verb->right != RIGHT_ANYBODY;
	if (text != NULL)
		conn_refuse(conn, FAULT_CONFIG_ERROR, text);
	/* What has no end of its own is not begun by a helper that stops. */
	else if (conn->engine != NULL && conn->engine->stopping &&
	    (verb->act == verbs_sign_in || verb->act == verbs_watch))
		conn_refuse(conn, FAULT_TRY_LATER, "the helper is stopping");
	else
		verb->act(conn);
}

/* In the configuration in force: no file is looked at. */
static bool stands_in(struct keeper *keeper, const struct peer *peer,
    bool (*list)(const struct config *config, const struct peer *peer))
{
	struct engine *engine;
	struct why why;

	return peer_is_root(peer) ||
	    (keeper_engine(keeper, false, &engine, &why) == FAULT_NONE &&
		list(engine->config, peer));
}

static bool is_known(struct keeper *keeper, const struct peer *peer)
{
	return stands_in(keeper, peer, config_is_known);
}

static void begin(struct conn *conn, const struct verb *verb)
{
	/* Says itself what it finds, also where nothing works. */
	bool reloads = verb->act == reload &&
	    stands_in(conn->keeper, &conn->peer, config_is_admin);
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	fault = keeper_engine(conn->keeper, !reloads, &conn->engine, &why);
	if (conn->engine != NULL)
		keeper_stranger(conn->keeper, &conn->peer);
	/* Who was let in just now does not make room for strangers. */
	conn->stranger = !is_known(conn->keeper, &conn->peer);
	if (verb->act == version) {
		version(conn);
	} else if (conn->peer.overflow) {
		access_refuse(conn, verb->right);
	} else if (conn->engine == NULL && !reloads) {
		conn_refuse(conn, fault, why.text);
	} else if (access_allows(conn, verb->right)) {
		act(conn, verb);
	} else {
		conn->trusted = false;
		if (verb->right == RIGHT_ACCOUNT)
			access_refuse_unknown(conn, false);
		else
			access_refuse(conn, verb->right);
	}
}

static void on_request(struct conn *conn, const struct attrs *attrs)
{
	const struct verb *verb;
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_BAD_REQUEST;

	if (conn->phase == CONN_DIALOGUE) {
		if (conn->signin != NULL && attr_has(attrs, ATTR_ANSWER))
			signin_answer(conn->signin,
			    attr_get(attrs, ATTR_ANSWER));
		return;
	}
	verb = find_verb(attr_get(attrs, ATTR_VERB));
	if (verb == NULL)
		why_set(&why, 0,
		    "this helper (version %s) does not know that verb",
		    MAILTOKEN_VERSION);
	else
		fault = request_read(attrs, verb->needs, &conn->request, &why);
	if (fault != FAULT_NONE) {
		conn_refuse(conn, fault, why.text);
		return;
	}
	conn->request.verb = verb->word;
	begin(conn, verb);
}

static void on_drop(struct conn *conn)
{
	struct conn **at;

	slices_drop(&conn->work);
	config_release(conn->blocks);
	verbs_unwait(conn);
	signin_free(conn->signin);
	forget_free(conn->forget);
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

const struct conn_calls verbs_calls = { is_known, on_request, on_drop,
	access_note };
