/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants in and out of the keyring: a record's attributes in a list of the
 * protocol.  They hold secrets: nothing of them is logged.
 */
#include <fcntl.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/outcome.h"
#include "daemon/verbs.h"

/*
 * The request's list once more, as a record.  It must work, and fit on disk,
 * before the other program is told to stop.
 */
static enum fault read_record(const struct conn *conn, struct entry **entry_out,
    struct why *why)
{
	struct buf bytes = BUF_INIT(ENTRY_MAX_BYTES);
	struct entry *entry = NULL;
	struct attrs attrs;
	enum fault fault;

	fault = attr_parse(conn->list, WIRE_FIRST, &attrs);
	if (fault == FAULT_NONE)
		fault = entry_take(&attrs, &entry);
	if (fault == FAULT_NONE)
		fault = entry_encode(entry, &bytes);
	buf_drop(&bytes);
	if (fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG) {
		why_set(why, 0,
		    "it is no whole record, or a value in it is too long or "
		    "has bytes that cannot be kept");
		fault = FAULT_BAD_REQUEST;
	}
	if (fault == FAULT_NONE && entry->signed_in_s == 0)
		entry->signed_in_s = clock_wall_s();
	if (fault == FAULT_NONE)
		fault = grant_settle(conn->engine->config, entry);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	*entry_out = entry;
	return FAULT_NONE;
}

static enum fault check_place(const struct conn *conn, const char *folded,
    struct why *why)
{
	struct account *account;

	if (accounts_app(conn->engine->config, folded) != NULL) {
		why_set(why, 0,
		    "%s needs no grant: the configuration says that its "
		    "application signs in for it",
		    folded);
		return FAULT_CONFIG_ERROR;
	}
	account = accounts_find(conn->engine->accounts, folded);
	if (account == NULL || conn->request.replace)
		return accounts_fits(folded, why);
	why_set(why, 0,
	    "%s has a grant here already: add --replace to put this one in its "
	    "place",
	    folded);
	return FAULT_BAD_REQUEST;
}

/* A file that the sandbox does not let the helper open would only show as a
 * failing renewal. */
static bool can_open(const char *path)
{
	int fd;

	if (path == NULL)
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

void verbs_import(struct conn *conn)
{
	struct why why = { .err = 0, .text = "" }, unsaved, unknown;
	const char *folded = conn->request.folded;
	struct provider *provider = NULL;
	struct entry *entry = NULL;
	struct account *account;
	struct attr_writer writer;
	enum fault fault, known = FAULT_NONE;

	fault = read_record(conn, &entry, &why);
	if (fault == FAULT_NONE)
		fault = check_place(conn, folded, &why);
	if (fault == FAULT_NONE)
		known = grant_provider(conn->engine->config, entry, &provider,
		    &unknown);
	/* Of another helper's the configuration may follow. */
	if (known != FAULT_NONE && grant_is_brought(entry)) {
		fault = known;
		why = unknown;
	}
	if (fault == FAULT_NONE)
		fault = accounts_make(conn->engine->accounts, folded, &account);
	provider_release(provider);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		conn_refuse(conn, fault, why.text);
		return;
	}
	answer_begin(&writer, &conn->out, ATTR_ACCOUNT, entry->account);
	answer_text(&writer, ATTR_PROVIDER, entry->provider);
	if (account_adopt(account, entry, &unsaved) != FAULT_NONE)
		answer_text(&writer, ATTR_WARNING, unsaved.text);
	if (known != FAULT_NONE)
		answer_text(&writer, ATTR_WARNING, unknown.text);
	if (!can_open(entry->ca_file) || !can_open(entry->ca_path))
		answer_text(&writer, ATTR_WARNING,
		    "the helper cannot open the CA file that it names: give "
		    "its provider a block with ca_file in the configuration");
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
