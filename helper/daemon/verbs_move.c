/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants in and out of the keyring, in base64 because the lists of a record
 * do not fit into those of an answer.  Both hold secrets: buffers are wiped,
 * and nothing of them is logged.
 */
#include <fcntl.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/import.h"
#include "daemon/outcome.h"
#include "daemon/verbs.h"
#include "wire/base64.h"

/* The request's list once more: its spans do not hold repeated names. */
static enum fault read_record(const struct conn *conn, struct entry **entry_out,
    struct why *why)
{
	struct buf data = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf defaults = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct import_source source = {
		.config = conn->engine->config,
		.format = conn->request.format,
		.account = conn->request.account,
		.servers = conn->request.servers,
		.now_s = clock_wall_s(),
	};
	struct attrs attrs;
	enum fault fault;

	why_set(why, 0, "data is missing, or not in base64");
	fault = attr_parse(conn->list, WIRE_FIRST, &attrs);
	if (fault == FAULT_NONE)
		fault = base64_get(&attrs, ATTR_DATA, &data);
	if (fault == FAULT_NONE && attr_has(&attrs, ATTR_DEFAULTS))
		fault = base64_get(&attrs, ATTR_DEFAULTS, &defaults);
	source.data = buf_span(&data);
	source.defaults = buf_span(&defaults);
	if (fault == FAULT_NONE) {
		why->text[0] = '\0';
		fault = import_read(&source, entry_out, why);
	}
	buf_drop(&defaults);
	buf_drop(&data);
	return fault == FAULT_NONE || fault == FAULT_NOMEM ||
		fault == FAULT_CONFIG_ERROR ?
	    fault :
	    FAULT_BAD_REQUEST;
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
	char folded[ACCOUNT_MAX_BYTES + 1];
	struct provider *provider = NULL;
	struct entry *entry = NULL;
	struct account *account;
	struct why assumed = { .err = 0, .text = "" }, unsaved, unknown;
	struct attr_writer writer;
	enum fault fault;

	fault = read_record(conn, &entry, &assumed);
	if (fault == FAULT_NONE &&
	    keyring_fold(span_of(entry->account), folded) != FAULT_NONE)
		fault = FAULT_BAD_REQUEST;
	if (fault == FAULT_NONE)
		fault = check_place(conn, folded, &assumed);
	if (fault == FAULT_NONE)
		fault = accounts_make(conn->engine->accounts, folded, &account);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		conn_refuse(conn, fault, assumed.text);
		return;
	}
	answer_begin(&writer, &conn->out, ATTR_ACCOUNT, entry->account);
	answer_text(&writer, ATTR_PROVIDER, entry->provider);
	if (assumed.text[0] != '\0')
		answer_text(&writer, ATTR_WARNING, assumed.text);
	if (account_adopt(account, entry, &unsaved) != FAULT_NONE)
		answer_text(&writer, ATTR_WARNING, unsaved.text);
	if (grant_provider(conn->engine->config, entry, &provider, &unknown) !=
	    FAULT_NONE)
		answer_text(&writer, ATTR_WARNING, unknown.text);
	provider_release(provider);
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
	struct buf record = BUF_INIT(ENTRY_MAX_BYTES);
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
	if (fault == FAULT_NONE)
		fault = entry_encode(account_entry(account), &record);
	if (fault == FAULT_NONE) {
		answer_begin(&writer, &conn->out, ATTR_ACCOUNT, account->name);
		base64_put(&writer, ATTR_DATA, buf_span(&record));
		answer_end(&writer);
	}
	buf_drop(&record);
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
