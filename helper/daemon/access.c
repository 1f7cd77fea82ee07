/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two refusals.
 */
#include "daemon/access.h"

#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "wire/ids.h"

bool access_sees(struct conn *conn, const char *folded)
{
	const struct config *config = conn->engine->config;

	return config_allows(config, RIGHT_ADMIN, NULL, &conn->peer) ||
	    config_allows(config, RIGHT_ACCOUNT, folded, &conn->peer);
}

void access_refuse(struct conn *conn, enum right right)
{
	if (conn->peer.overflow)
		conn_refuse(conn, FAULT_DENIED,
		    "the kernel does not tell this helper who you are: it runs "
		    "in a user namespace that does not map your uid");
	else if (right == RIGHT_ACCOUNT)
		access_refuse_unknown(conn, false);
	else if (right == RIGHT_ROOT)
		conn_refuse(conn, FAULT_DENIED,
		    "only root and the helper's own user may export or rekey "
		    "grants");
	else
		conn_refuse(conn, FAULT_DENIED,
		    "only root, the helper's own user and those whom 'admin' "
		    "names in its configuration may do that");
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

/* The same bytes for both cases and for all accounts. */
static void say_unknown(const struct conn *conn, char text[TEXT_MAX_BYTES])
{
	struct ids_text user;

	if (conn->peer.root) {
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

void access_refuse_unknown(struct conn *conn, bool allowed)
{
	char text[TEXT_MAX_BYTES];
	struct attr_writer writer;

	say_unknown(conn, text);
	conn->hidden = !allowed;
	conn_note(conn, allowed ? "no record" : "not allowed");
	answer_begin(&writer, &conn->out, ATTR_RESULT,
	    fault_word(FAULT_UNKNOWN_ACCOUNT));
	answer_text(&writer, ATTR_TEXT, text);
	if (strcmp(conn->request.verb, VERB_TOKEN) == 0 &&
	    conn->engine->config->password_as_token && is_known_server(conn))
		attr_put_str(&writer, ATTR_PASSWORD_AS_TOKEN, "yes");
	answer_end(&writer);
	conn_close_after(conn, FAULT_UNKNOWN_ACCOUNT);
}

const char *access_mailbox(const struct conn *conn)
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

const char *access_note(const struct conn *conn)
{
	return conn->hidden && !is_known(conn, access_mailbox(conn)) ?
	    "no record, and not allowed" :
	    conn->note;
}
