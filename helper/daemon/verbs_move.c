/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants in and out of the keyring: a record's attributes in a list of the
 * protocol.  They hold secrets: nothing of them is logged.
 */
#include "daemon/accounts.h"
#include "daemon/import.h"
#include "daemon/verbs.h"

void verbs_import(struct conn *conn)
{
	struct import import = { .list = conn->list,
		.first = WIRE_FIRST,
		.replace = conn->request.replace };
	struct why why = { .err = 0, .text = "" };
	struct imported imported;
	struct attr_writer writer;
	enum fault fault;
	size_t i;

	fault = import_record(conn->engine, &import, &imported, &why);
	if (fault != FAULT_NONE) {
		conn_refuse(conn, fault, why.text);
		return;
	}
	answer_begin(&writer, &conn->out, ATTR_ACCOUNT,
	    imported.entry->account);
	answer_text(&writer, ATTR_PROVIDER, imported.entry->provider);
	for (i = 0; i < imported.n_notes; i++)
		answer_text(&writer, ATTR_WARNING, imported.notes[i]);
	answer_end(&writer);
	conn_answer_ok(conn);
}

static bool name_next(void *ctx)
{
	struct conn *conn = ctx;
	struct account *account = accounts_next(&conn->place);
	struct attr_writer writer;

	if (account == NULL)
		return false;
	if (account->record.exists && !account->record.in_memory) {
		answer_begin(&writer, &conn->out, ATTR_ACCOUNT, account->name);
		answer_end(&writer);
	}
	return true;
}

static void all_named(void *ctx)
{
	conn_answer_ok(ctx);
}

/* NULL: refused. */
static struct account *find(struct conn *conn)
{
	struct account *account = accounts_find(conn->engine->accounts,
	    conn->request.folded);

	if (account == NULL)
		conn_refuse(conn, FAULT_UNKNOWN_ACCOUNT,
		    "there is no grant of that account");
	return account;
}

/* Names first, then each by its own request: no answer grows with the number
 * of accounts times their size. */
void verbs_export(struct conn *conn)
{
	struct why why = { .err = 0, .text = "" };
	struct attr_writer writer;
	struct account *account;
	enum fault fault;

	if (conn->request.account.n == 0) {
		conn->place = accounts_first(conn->engine->accounts);
		conn_walk(conn, name_next, all_named);
		return;
	}
	account = find(conn);
	if (account == NULL)
		return;
	fault = account_read(account, &why);
	if (fault == FAULT_NONE) {
		attr_begin(&writer, &conn->out, WIRE_FIRST);
		entry_put(account_entry(account), &writer);
		answer_end(&writer);
	}
	/* Else one backup would keep all records in memory. */
	account_rest(account);
	if (fault == FAULT_NONE)
		conn_answer_ok(conn);
	else
		conn_refuse(conn, fault, why.text);
}

void verbs_rekey(struct conn *conn)
{
	struct account *account = find(conn);
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	if (account == NULL)
		return;
	if (conn->engine->config->keyring_key == NULL) {
		conn_refuse(conn, FAULT_CONFIG_ERROR,
		    "nothing is sealed here: set keyring_key and restart the "
		    "helper");
		return;
	}
	fault = account_rekey(account, &why);
	account_rest(account);
	if (fault == FAULT_NONE)
		conn_answer_ok(conn);
	else
		conn_refuse(conn, FAULT_CONFIG_ERROR, why_text(&why, fault));
}
