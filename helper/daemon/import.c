/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A record must work, and fit on disk, before whoever brings it hears that it
 * is here.  It holds secrets: nothing of it is logged but the account.
 */
#include "daemon/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/outcome.h"
#include "store/safefile.h"

#define SEED_MAX_BYTES	    (1 << 20) /* as a secret of Kubernetes */
#define SEED_PATH_MAX_BYTES 1024

static enum fault read_record(const struct engine *engine,
    const struct import *import, struct entry **entry_out, struct why *why)
{
	struct buf bytes = BUF_INIT(ENTRY_MAX_BYTES);
	struct entry *entry = NULL;
	struct attrs attrs;
	enum fault fault;

	fault = attr_parse(import->list, import->first, &attrs);
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
		fault = grant_settle(engine->config, entry);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	*entry_out = entry;
	return FAULT_NONE;
}

static enum fault check_place(const struct engine *engine, const char *folded,
    bool replace, struct why *why)
{
	if (accounts_app(engine->config, folded) != NULL) {
		why_set(why, 0,
		    "%s needs no grant: the configuration says that its "
		    "application signs in for it",
		    folded);
		return FAULT_CONFIG_ERROR;
	}
	if (replace || accounts_find(engine->accounts, folded) == NULL)
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

static void add_note(struct imported *imported, bool is_so, const char *text)
{
	if (is_so)
		imported->notes[imported->n_notes++] = text;
}

enum fault import_record(struct engine *engine, const struct import *import,
    struct imported *imported_out, struct why *why)
{
	struct imported *imported = imported_out;
	struct provider *provider = NULL;
	char folded[ACCOUNT_MAX_BYTES + 1];
	enum fault fault, known = FAULT_NONE;
	struct entry *entry = NULL;
	struct account *account;

	imported->n_notes = 0;
	fault = read_record(engine, import, &entry, why);
	if (fault == FAULT_NONE)
		fault = keyring_fold(span_of(entry->account), folded);
	if (fault == FAULT_NONE)
		fault = check_place(engine, folded, import->replace, why);
	if (fault == FAULT_NONE)
		known = grant_provider(engine->config, entry, &provider,
		    &imported->unknown);
	/* Of another helper's the configuration may follow. */
	if (known != FAULT_NONE && grant_is_brought(entry)) {
		fault = known;
		*why = imported->unknown;
	}
	if (fault == FAULT_NONE)
		fault = accounts_make(engine->accounts, folded, &account);
	provider_release(provider);
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	imported->entry = entry;
	add_note(imported,
	    account_adopt(account, entry, &imported->unsaved) != FAULT_NONE,
	    imported->unsaved.text);
	add_note(imported, known != FAULT_NONE, imported->unknown.text);
	add_note(imported,
	    !can_open(entry->ca_file) || !can_open(entry->ca_path),
	    "the helper cannot open the CA file that it names: give its "
	    "provider a block with ca_file in the configuration");
	return FAULT_NONE;
}

/* Whose list this is, and whether that account has a grant: then the seed is
 * older. */
static bool is_there(const struct engine *engine, struct span list)
{
	char folded[ACCOUNT_MAX_BYTES + 1];
	struct attrs attrs;

	if (attr_parse(list, WIRE_FIRST_ENTRY, &attrs) != FAULT_NONE ||
	    keyring_fold(attr_get(&attrs, ATTR_ACCOUNT), folded) !=
		FAULT_NONE ||
	    accounts_find(engine->accounts, folded) == NULL)
		return false;
	log_event(LOG_LEVEL_INFO, "seed",
	    "%s has a grant here: its seed is not used", folded);
	return true;
}

static void seed_one(struct engine *engine, const char *path, struct span list)
{
	struct import import = { .list = list, .first = WIRE_FIRST_ENTRY };
	struct why why = { .err = 0, .text = "" };
	struct imported imported;
	enum fault fault;
	size_t i;

	if (is_there(engine, list))
		return;
	fault = import_record(engine, &import, &imported, &why);
	if (fault != FAULT_NONE) {
		log_event(LOG_LEVEL_ERROR, "seed",
		    "a record of %s is not imported, because %s", path,
		    why_text(&why, fault));
		return;
	}
	log_event(LOG_LEVEL_NOTICE, "seed", "%s is imported from %s",
	    imported.entry->account, path);
	for (i = 0; i < imported.n_notes; i++)
		log_event(LOG_LEVEL_WARNING, "seed", "%s: %s",
		    imported.entry->account, imported.notes[i]);
}

static void seed_file(struct engine *engine, const char *path)
{
	struct buf bytes = BUF_INIT(SEED_MAX_BYTES);
	struct why why = { .err = 0, .text = "" };
	enum fault fault;
	struct span left;
	size_t n = 0;

	fault = safefile_read_outside(path, SEED_MAX_BYTES, &bytes, &why);
	left = buf_span(&bytes);
	while (fault == FAULT_NONE && left.n > 0) {
		fault = attr_length(left, &n);
		if (fault == FAULT_TOO_BIG || n == 0) {
			why_set(&why, 0,
			    "it is not what 'mailtoken export' writes: write "
			    "it anew with that");
			fault = FAULT_GARBLED;
			break;
		}
		seed_one(engine, path, (struct span){ left.p, n });
		left.p += n;
		left.n -= n;
	}
	if (fault != FAULT_NONE)
		log_event(LOG_LEVEL_ERROR, "seed", "%s cannot be used: %s",
		    path, why_text(&why, fault));
	buf_drop(&bytes);
}

/* Kubernetes mounts a secret as links beside folders whose names begin with a
 * dot. */
static bool is_seed(const char *path, const char *name)
{
	struct stat st;

	return name[0] != '.' && stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

void import_seed(struct engine *engine, const char *path)
{
	char file[SEED_PATH_MAX_BYTES];
	const struct dirent *found;
	DIR *folder = opendir(path);

	if (folder == NULL) {
		seed_file(engine, path);
		return;
	}
	while ((found = readdir(folder)) != NULL) {
		(void)snprintf(file, sizeof(file), "%s/%s", path,
		    found->d_name);
		if (is_seed(file, found->d_name))
			seed_file(engine, file);
	}
	(void)closedir(folder);
}
