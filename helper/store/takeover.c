/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Plain records of a keyring that gets a key: sealed once, refused later.
 *
 * That it was done says a file ".sealed" beside them, whose content is sealed
 * with the key: who can put files there and has no key cannot make one that
 * lets plain records in.  It has the form of a sealed record of the account
 * ".sealed", whose own file would be "%2Esealed"; what it seals is one word.
 */
#include "store/keyring_impl.h"
#include "store/safefile.h"
#include "store/seal.h"

#define MARK_MAX_BYTES 1024

enum mark {
	MARK_NONE,
	MARK_BEGUN, /* plain records are being taken over */
	MARK_SEALED /* none is taken any more */
};

static const char *const words[] = {
	[MARK_BEGUN] = "begun",
	[MARK_SEALED] = "sealed",
};

/* Whatever cannot be opened is MARK_SEALED. */
static enum fault mark_read(int dirfd, const char *dir,
    const struct seal_key *key, enum mark *mark_out, struct why *why)
{
	struct buf bytes = BUF_INIT(MARK_MAX_BYTES);
	struct buf word = BUF_INIT(MARK_MAX_BYTES);
	struct attrs attrs;
	enum fault fault;

	fault = safefile_read(dirfd, dir, MARK_LEAF, &bytes, why);
	if (fault == FAULT_NOT_FOUND) {
		*mark_out = MARK_NONE;
		return FAULT_NONE;
	}
	if (fault == FAULT_IO || fault == FAULT_NOMEM)
		return fault;
	*mark_out = MARK_SEALED;
	if (fault == FAULT_NONE &&
	    attr_parse(buf_span(&bytes), WIRE_FIRST_ENTRY, &attrs) ==
		FAULT_NONE &&
	    unseal_entry(key, span_of(MARK_LEAF), &attrs, &word) ==
		FAULT_NONE &&
	    span_is(buf_span(&word), words[MARK_BEGUN]))
		*mark_out = MARK_BEGUN;
	buf_drop(&word);
	buf_drop(&bytes);
	return FAULT_NONE;
}

static enum fault mark_write(int dirfd, const struct seal_key *key,
    enum mark mark, struct why *why)
{
	struct buf bytes = BUF_INIT(MARK_MAX_BYTES);
	unsigned char nonce[SEAL_NONCE_BYTES];
	struct safefile_tmp tmp;
	enum fault fault;

	fault = safefile_random(nonce, sizeof(nonce), why);
	if (fault != FAULT_NONE)
		return fault;
	fault = seal_entry(key, nonce, span_of(MARK_LEAF), span_of(words[mark]),
	    &bytes);
	if (fault != FAULT_NONE)
		why_set(why, 0, "%s", fault_text(fault));
	else
		fault = safefile_make(dirfd, (off_t)bytes.n, &tmp, why);
	if (fault == FAULT_NONE)
		fault = safefile_put(dirfd, &tmp, MARK_LEAF, buf_span(&bytes),
		    why);
	buf_drop(&bytes);
	return fault;
}

/* Records that a pass over the keyring meets. */
struct pass {
	struct keyring *keyring;
	bool seals; /* the plain ones; else it counts */
	size_t n_plain, n_sealed;
	enum fault fault; /* of the first that could not be read or saved */
	struct why *why;
};

static void take_record(void *ctx, const char *account,
    const struct why *unused)
{
	struct record record = { .is_sealed = false };
	struct why why = { .err = 0, .text = "" };
	struct pass *pass = ctx;
	enum fault fault;

	(void)unused;
	if (account == NULL)
		return;
	fault = record_read(pass->keyring, span_of(account), &record, &why);
	pass->n_sealed += record.is_sealed;
	if (fault == FAULT_NONE && !record.is_sealed) {
		pass->n_plain++;
		if (pass->seals)
			fault = keyring_save(pass->keyring, record.entry, NULL,
			    &why);
	} else if (fault != FAULT_IO && fault != FAULT_NOMEM) {
		fault = FAULT_NONE; /* it will be refused by its name */
	}
	if (fault != FAULT_NONE && pass->seals && pass->fault == FAULT_NONE) {
		pass->fault = fault;
		*pass->why = why;
	}
	record_drop(&record);
}

/*
 * Without a mark a sealed record tells that there was one.  The mark that the
 * work has begun comes first: what is cut off in the middle goes on.
 */
enum fault keyring_take_over(struct keyring *keyring, size_t *n_out,
    struct why *why)
{
	struct pass pass = { .keyring = keyring, .why = why };
	enum mark mark = MARK_NONE;
	enum fault fault;

	*n_out = 0;
	fault = mark_read(keyring->dirfd, keyring->path, keyring->key, &mark,
	    why);
	if (fault != FAULT_NONE || mark == MARK_SEALED)
		return fault;
	keyring->takes_plain = true;
	if (mark == MARK_NONE)
		fault = keyring_list(keyring, take_record, &pass, why);
	pass.seals = pass.n_sealed == 0;
	if (fault == FAULT_NONE && pass.seals && pass.n_plain > 0)
		fault = mark_write(keyring->dirfd, keyring->key, MARK_BEGUN,
		    why);
	pass.n_plain = 0;
	if (fault == FAULT_NONE && pass.seals)
		fault = keyring_list(keyring, take_record, &pass, why);
	if (fault == FAULT_NONE)
		fault = pass.fault;
	keyring->takes_plain = fault != FAULT_NONE && pass.seals;
	if (fault == FAULT_NONE)
		fault = mark_write(keyring->dirfd, keyring->key, MARK_SEALED,
		    why);
	*n_out = pass.n_plain;
	return fault;
}

enum fault keyring_rekey(struct keyring *keyring, struct span account,
    struct why *why)
{
	struct record record = { .is_sealed = false };
	bool took_plain = keyring->takes_plain;
	enum fault fault;

	keyring->takes_plain = true;
	fault = record_read(keyring, account, &record, why);
	keyring->takes_plain = took_plain;
	if (fault == FAULT_NONE)
		fault = keyring_save(keyring, record.entry, NULL, why);
	record_drop(&record);
	return fault;
}
