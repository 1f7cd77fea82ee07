/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records by account name.  Names and bytes are judged here; descriptors and
 * renames are safefile's.
 */
#include "store/keyring_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/safefile.h"
#include "store/seal.h"

#define TMP_PREFIX	 ".tmp-"
#define NAMES_MAX_BYTES	 33554432	     /* of all files together */
#define RECORD_MAX_BYTES WIRE_LIST_MAX_BYTES /* sealed ones too */
#define STAGE_MORE_BYTES 32768 /* by which a record may grow at once */

struct keyring_stage {
	const struct keyring *keyring;
	struct safefile_tmp tmp;
	unsigned char nonce[SEAL_NONCE_BYTES];
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];
};

static enum fault no_memory(struct why *why)
{
	why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
	return FAULT_NOMEM;
}

enum fault keyring_open(const char *path, struct keyring **keyring_out,
    struct why *why)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	enum fault fault;

	if (keyring == NULL)
		return no_memory(why);
	keyring->dirfd = -1;
	keyring->lock = -1;
	keyring->path = strdup(path);
	fault = keyring->path != NULL ?
	    keydir_open(path, &keyring->dirfd, why) :
	    no_memory(why);
	if (fault != FAULT_NONE) {
		keyring_close(keyring);
		return fault;
	}
	*keyring_out = keyring;
	return FAULT_NONE;
}

void keyring_close(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	if (keyring->lock >= 0)
		(void)close(keyring->lock);
	if (keyring->dirfd >= 0)
		(void)close(keyring->dirfd);
	free(keyring->path);
	free(keyring);
}

const char *keyring_path(const struct keyring *keyring)
{
	return keyring->path;
}

uint64_t keyring_id(const struct keyring *keyring)
{
	struct stat st;

	return fstat(keyring->dirfd, &st) == 0 ? st.st_ino : 0;
}

void keyring_seal_with(struct keyring *keyring, const struct seal_key *key)
{
	keyring->key = key;
}

static enum fault name_file(struct span account, char *leaf, struct why *why)
{
	enum fault fault = keyring_leaf(account, leaf);

	if (fault == FAULT_GRAMMAR)
		why_set(why, 0, "not an account name");
	else if (fault == FAULT_TOO_BIG)
		why_set(why, 0, "the account name is too long for a file");
	return fault;
}

/* "mailtoken-entry=2" and on: what a downgrade finds. */
static bool is_newer(struct span bytes)
{
	static const char first[] = WIRE_FIRST_ENTRY "=";
	size_t n = sizeof(first) - 1;

	return bytes.n > n && memcmp(bytes.p, first, n) == 0 &&
	    bytes.p[n] > WIRE_VERSION[0] && bytes.p[n] <= '9';
}

/* Reasons that come from the bytes alone, told of the file they are in. */
static void explain(const struct keyring *keyring, const char *leaf,
    struct span bytes, enum fault fault, struct why *why)
{
	char path[SAFEFILE_SHOWN_BYTES], account[ACCOUNT_MAX_BYTES + 1] = "";

	safefile_shown(keyring->path, leaf, path);
	(void)!keyring_unleaf(leaf, account);
	switch (fault) {
	case FAULT_GRAMMAR:
		why_set(why, 0, "%s: %s: %s, or run: mailtoken login %s",
		    is_newer(bytes) ? "written by a newer mailtoken" :
				      "damaged, or another account's",
		    path,
		    is_newer(bytes) ? "upgrade to that one again" :
				      "put it back from a backup",
		    account);
		break;
	case FAULT_CONFIG_ERROR:
		why_set(why, 0,
		    "sealed with a key that is not here: %s: let keyring_key "
		    "name it as the second file, or run: mailtoken login %s",
		    path, account);
		break;
	case FAULT_DENIED:
		why_set(why, 0,
		    "not sealed, though this keyring is: %s: if you put it "
		    "there, run: mailtoken rekey %s; if not: rm %s",
		    path, account, path);
		break;
	case FAULT_UNSAFE:
		why_set(why, 0, "larger than %d bytes, so not ours: rm %s",
		    ENTRY_MAX_BYTES, path);
		break;
	case FAULT_IO:
		why_set(why, why->err, "the record %s cannot be read", path);
		break;
	default: why_set(why, 0, "%s: %s", fault_text(fault), path); break;
	}
}

/* What bytes hold, whoever they come from; faults as those of a load. */
static enum fault open_record(const struct keyring *keyring, const char *folded,
    struct span bytes, struct record *record)
{
	struct buf plain = BUF_INIT(ENTRY_MAX_BYTES);
	char inside[ACCOUNT_MAX_BYTES + 1];
	struct attrs attrs;
	enum fault fault;

	fault = attr_parse(bytes, WIRE_FIRST_ENTRY, &attrs);
	if (fault != FAULT_NONE)
		return FAULT_GRAMMAR;
	record->is_sealed = attr_has(&attrs, "sealed");
	if (record->is_sealed) {
		fault = unseal_entry(keyring->key, span_of(folded), &attrs,
		    &plain);
		if (fault != FAULT_NONE)
			goto out;
		bytes = buf_span(&plain);
	} else if (bytes.n > ENTRY_MAX_BYTES) {
		return FAULT_UNSAFE;
	}
	fault = entry_decode(bytes, &record->entry);
	if (fault == FAULT_NONE)
		fault = keyring_fold(span_of(record->entry->account), inside);
	if (fault == FAULT_TOO_BIG ||
	    (fault == FAULT_NONE && strcmp(inside, folded) != 0))
		fault = FAULT_GRAMMAR;
out:
	buf_drop(&plain);
	return fault;
}

enum fault record_read(const struct keyring *keyring, struct span account,
    struct record *record, struct why *why)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1], folded[ACCOUNT_MAX_BYTES + 1];
	enum fault fault;

	buf_init(&record->bytes, RECORD_MAX_BYTES);
	record->entry = NULL;
	fault = name_file(account, leaf, why);
	if (fault == FAULT_NONE)
		fault = keyring_fold(account, folded);
	if (fault == FAULT_NONE)
		fault = safefile_read(keyring->dirfd, keyring->path, leaf,
		    &record->bytes, why);
	if (fault == FAULT_IO)
		explain(keyring, leaf, buf_span(&record->bytes), fault, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = open_record(keyring, folded, buf_span(&record->bytes), record);
	if (fault == FAULT_NONE && !record->is_sealed && keyring->key != NULL &&
	    !keyring->takes_plain)
		fault = FAULT_DENIED;
	if (fault != FAULT_NONE)
		explain(keyring, leaf, buf_span(&record->bytes), fault, why);
	return fault;
}

void record_drop(struct record *record)
{
	entry_free(record->entry);
	buf_drop(&record->bytes);
}

/* As explain(), of what stands in no file. */
static void explain_shared(const char *account, struct span bytes,
    enum fault fault, struct why *why)
{
	if (fault == FAULT_CONFIG_ERROR)
		why_set(why, 0,
		    "the shared record of %s is sealed with a key that is not "
		    "here: let keyring_key name that one as well",
		    account);
	else if (fault == FAULT_DENIED)
		why_set(why, 0,
		    "the shared record of %s is not sealed, so no helper put "
		    "it there: run: mailtoken login %s",
		    account, account);
	else if (fault == FAULT_GRAMMAR && is_newer(bytes))
		why_set(why, 0,
		    "the shared record of %s was written by a newer mailtoken: "
		    "upgrade to that one",
		    account);
	else if (fault == FAULT_GRAMMAR)
		why_set(why, 0,
		    "the shared record of %s is damaged, or another "
		    "account's: run: mailtoken login %s",
		    account, account);
	else
		why_set(why, 0, "%s", fault_text(fault));
}

enum fault keyring_unsealed(const struct keyring *keyring, struct span account,
    struct span bytes, struct entry **entry_out, struct why *why)
{
	struct record record = { .is_sealed = false };
	char folded[ACCOUNT_MAX_BYTES + 1] = "";
	enum fault fault;

	fault = keyring_fold(account, folded);
	if (fault == FAULT_NONE) {
		fault = open_record(keyring, folded, bytes, &record);
		if (fault != FAULT_GRAMMAR && !record.is_sealed)
			fault = FAULT_DENIED;
	}
	if (fault == FAULT_NONE) {
		*entry_out = record.entry;
		record.entry = NULL;
	} else {
		explain_shared(folded, bytes, fault, why);
	}
	entry_free(record.entry);
	return fault;
}

enum fault keyring_load(struct keyring *keyring, struct span account,
    struct entry **entry_out, struct why *why)
{
	struct record record;
	enum fault fault = record_read(keyring, account, &record, why);

	if (fault == FAULT_NONE) {
		*entry_out = record.entry;
		record.entry = NULL;
	}
	record_drop(&record);
	return fault;
}

/* A rename would do away with what stands there; only a record may go. */
static enum fault check_old(const struct keyring *keyring, const char *leaf,
    off_t *size_out, struct why *why)
{
	struct stat st;

	*size_out = 0;
	if (fstatat(keyring->dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*size_out = st.st_size;
		return safefile_check(&st, keyring->path, leaf, why);
	}
	if (errno == ENOENT)
		return FAULT_NONE;
	why_set(why, errno, "fstatat");
	return FAULT_IO;
}

/* So that who finds the file knows whose answer was waited for. */
static enum fault sign(const struct keyring_stage *stage, struct span account,
    struct why *why)
{
	struct buf bytes = BUF_INIT(WIRE_LINE_MAX_BYTES);
	struct attr_writer writer;
	enum fault fault;

	attr_begin(&writer, &bytes, WIRE_FIRST_ENTRY);
	attr_put(&writer, ATTR_ACCOUNT, account);
	fault = attr_end(&writer) == FAULT_NONE ?
	    safefile_begin(&stage->tmp, buf_span(&bytes), why) :
	    no_memory(why);
	buf_drop(&bytes);
	return fault;
}

static enum fault make_stage(struct keyring *keyring, struct span account,
    bool reserves, struct keyring_stage **stage_out, struct why *why)
{
	struct keyring_stage *stage;
	enum fault fault;
	off_t size;

	stage = calloc(1, sizeof(*stage));
	if (stage == NULL)
		return no_memory(why);
	stage->keyring = keyring;
	stage->tmp.fd = -1;
	fault = name_file(account, stage->leaf, why);
	if (fault == FAULT_NONE)
		fault = check_old(keyring, stage->leaf, &size, why);
	if (fault == FAULT_NONE)
		fault = safefile_make(keyring->dirfd,
		    reserves ? size + STAGE_MORE_BYTES : 0, &stage->tmp, why);
	if (fault == FAULT_NONE)
		fault = safefile_random(stage->nonce, sizeof(stage->nonce),
		    why);
	if (fault == FAULT_NONE && reserves)
		fault = sign(stage, account, why);
	if (fault == FAULT_NONE)
		*stage_out = stage;
	else
		keyring_stage_free(stage);
	return fault;
}

enum fault keyring_stage_new(struct keyring *keyring, struct span account,
    struct keyring_stage **stage_out, struct why *why)
{
	return make_stage(keyring, account, true, stage_out, why);
}

void keyring_stage_free(struct keyring_stage *stage)
{
	if (stage == NULL)
		return;
	safefile_abandon(stage->keyring->dirfd, &stage->tmp);
	free(stage);
}

/* The bytes of the file: the record, sealed where there is a key. */
static enum fault make_record(const struct seal_key *key,
    const unsigned char nonce[SEAL_NONCE_BYTES], const struct entry *entry,
    struct buf *out)
{
	struct buf plain = BUF_INIT(ENTRY_MAX_BYTES);
	char folded[ACCOUNT_MAX_BYTES + 1];
	enum fault fault;

	if (key == NULL)
		return entry_encode(entry, out);
	fault = entry_encode(entry, &plain);
	if (fault == FAULT_NONE)
		fault = keyring_fold(span_of(entry->account), folded);
	if (fault == FAULT_NONE)
		fault = seal_entry(key, nonce, span_of(folded),
		    buf_span(&plain), out);
	buf_drop(&plain);
	return fault;
}

enum fault keyring_sealed(const struct keyring *keyring,
    const struct entry *entry, struct buf *out)
{
	unsigned char nonce[SEAL_NONCE_BYTES];
	struct why unsaid;
	enum fault fault;

	if (keyring->key == NULL)
		return FAULT_CONFIG_ERROR;
	fault = safefile_random(nonce, sizeof(nonce), &unsaid);
	return fault == FAULT_NONE ?
	    make_record(keyring->key, nonce, entry, out) :
	    fault;
}

enum fault keyring_save(struct keyring *keyring, const struct entry *entry,
    struct keyring_stage *stage, struct why *why)
{
	struct buf bytes = BUF_INIT(RECORD_MAX_BYTES);
	enum fault fault = FAULT_NONE;
	off_t unused;

	if (stage == NULL)
		fault = make_stage(keyring, span_of(entry->account), false,
		    &stage, why);
	else if (check_old(keyring, stage->leaf, &unused, why) == FAULT_UNSAFE)
		fault = FAULT_UNSAFE;
	if (fault == FAULT_NONE) {
		fault = make_record(keyring->key, stage->nonce, entry, &bytes);
		if (fault != FAULT_NONE)
			why_set(why, 0, "the record cannot be written: %s",
			    fault_text(fault));
	}
	if (fault == FAULT_NONE)
		fault = safefile_put(keyring->dirfd, &stage->tmp, stage->leaf,
		    buf_span(&bytes), why);
	keyring_stage_free(stage);
	buf_drop(&bytes);
	return fault;
}

enum fault keyring_erase(struct keyring *keyring, struct span account,
    struct why *why)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];
	enum fault fault;
	off_t unused;

	fault = name_file(account, leaf, why);
	if (fault == FAULT_NONE)
		fault = check_old(keyring, leaf, &unused, why);
	if (fault == FAULT_NONE)
		fault = safefile_remove(keyring->dirfd, leaf, why);
	return fault;
}

static bool is_tmp(const char *name)
{
	return strncmp(name, TMP_PREFIX, sizeof(TMP_PREFIX) - 1) == 0;
}

/* Every name with its NUL: what visit saves must not be met again. */
static enum fault read_names(const struct keyring *keyring, struct buf *names,
    struct why *why)
{
	const struct dirent *item;
	DIR *dir = NULL;
	int fd, err;

	fd = openat(keyring->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (dir == NULL) {
		err = errno;
		if (fd >= 0)
			(void)close(fd);
		why_set(why, err, "cannot list the keyring");
		return err == ENOMEM ? FAULT_NOMEM : FAULT_IO;
	}
	errno = 0;
	while ((item = readdir(dir)) != NULL) {
		struct span name = { item->d_name, strlen(item->d_name) + 1 };

		buf_add(names, name);
		errno = 0;
	}
	err = errno;
	(void)closedir(dir);
	if (err != 0 || buf_fault(names) == FAULT_TOO_BIG) {
		why_set(why, err != 0 ? err : EFBIG, "cannot list the keyring");
		return FAULT_IO;
	}
	return buf_fault(names) == FAULT_NONE ? FAULT_NONE : no_memory(why);
}

enum fault keyring_list(struct keyring *keyring, keyring_visit_fn *visit,
    void *ctx, struct why *why)
{
	char account[ACCOUNT_MAX_BYTES + 1], path[SAFEFILE_SHOWN_BYTES];
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	struct why wrong = { 0, "" };
	enum fault fault;
	const char *name;
	size_t at;

	fault = read_names(keyring, &names, why);
	for (at = 0; fault == FAULT_NONE && at < names.n;
	     at += strlen(name) + 1) {
		name = names.p + at;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    strcmp(name, LOCK_LEAF) == 0 ||
		    strcmp(name, MARK_LEAF) == 0 || is_tmp(name))
			continue;
		if (keyring_unleaf(name, account) == FAULT_NONE) {
			visit(ctx, account, &wrong);
			continue;
		}
		safefile_shown(keyring->path, name, path);
		why_set(&wrong, 0, "not the file name of an account: %s", path);
		visit(ctx, NULL, &wrong);
	}
	buf_drop(&names);
	return fault;
}

/* Whose answer was waited for; a record that stands there has had its. */
static bool is_signed(const struct keyring *keyring, const char *name,
    char account[ACCOUNT_MAX_BYTES + 1])
{
	struct buf bytes = BUF_INIT(2 * RECORD_MAX_BYTES);
	struct why unsaid;
	struct attrs attrs;
	struct span list;
	bool found;

	found = safefile_read(keyring->dirfd, keyring->path, name, &bytes,
		    &unsaid) == FAULT_NONE;
	list = buf_span(&bytes);
	found = found && attr_length(list, &list.n) == FAULT_NONE &&
	    attr_parse(list, WIRE_FIRST_ENTRY, &attrs) == FAULT_NONE &&
	    attrs.n == 2 &&
	    keyring_fold(attr_get(&attrs, ATTR_ACCOUNT), account) == FAULT_NONE;
	buf_drop(&bytes);
	return found;
}

/* What cannot be removed does no harm but its size; no reason to stop. */
void keyring_sweep(struct keyring *keyring, keyring_left_fn *left, void *ctx)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	char account[ACCOUNT_MAX_BYTES + 1];
	struct stat st;
	size_t at;

	if (keyring->lock < 0 || keyring->shares_lock ||
	    read_names(keyring, &names, NULL) != FAULT_NONE)
		goto out;
	for (at = 0; at < names.n; at += strlen(names.p + at) + 1) {
		const char *name = names.p + at;

		if (!is_tmp(name) ||
		    fstatat(keyring->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) !=
			0 ||
		    !S_ISREG(st.st_mode) || st.st_uid != geteuid())
			continue;
		if (is_signed(keyring, name, account))
			left(ctx, account);
		(void)unlinkat(keyring->dirfd, name, 0);
	}
out:
	buf_drop(&names);
}
