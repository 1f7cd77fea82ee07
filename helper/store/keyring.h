/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * keyring - a directory with one file an account
 *
 * Owns the directory descriptor (checked once: owner is the effective uid,
 * mode 0700, not a link), file names, the lock, and the rule that a file is
 * either the old record or the new one: made under a temporary name with its
 * room reserved, written, fsynced, renamed, directory fsynced.
 * Foreign or unsafe files are refused, never mended or removed.
 */
#ifndef MAILTOKEN_STORE_KEYRING_H
#define MAILTOKEN_STORE_KEYRING_H

#include "store/entry.h"

struct keyring;
struct keyring_stage;
struct seal_key;

/* Of a file name: "%XX" may triple an account; longer ones are refused. */
#define KEYRING_LEAF_MAX_BYTES 240

/*
 * keyring_fold - the lookup form of an account: ASCII letters in lower case
 *
 * account  in: attr_is_account()
 * out      out: ACCOUNT_MAX_BYTES + 1 bytes, terminated
 *
 * FAULT_GRAMMAR when it is no account name.
 */
enum fault keyring_fold(struct span account, char *out) MUST_CHECK;

/*
 * keyring_leaf - the file name of an account (folded inside)
 *
 * out  out: KEYRING_LEAF_MAX_BYTES + 1 bytes, terminated: every byte outside
 *      [a-z0-9@._+-], and a leading dot, as %XX (upper case hex)
 *
 * FAULT_GRAMMAR; FAULT_TOO_BIG over 240 bytes.
 */
enum fault keyring_leaf(struct span account, char *out) MUST_CHECK;

/*
 * keyring_unleaf - the account of a file name; only the form keyring_leaf()
 * makes is accepted (FAULT_GRAMMAR).  out as keyring_fold().
 */
enum fault keyring_unleaf(const char *leaf, char *out) MUST_CHECK;

/*
 * keyring_open - open the directory, making it (0700) and missing parents
 * (0700) when it is not there
 *
 * FAULT_NONE, on a read-only file system or directory too; FAULT_UNSAFE for
 * wrong owner, mode or type, with the command that mends it in why;
 * FAULT_IO; FAULT_NOMEM.
 */
enum fault keyring_open(const char *path, struct keyring **keyring_out,
    struct why *why) MUST_CHECK;

/*
 * keyring_exposed - whether somebody else than root and the effective uid may
 * put another folder in the place of one on the way to path
 *
 * why  out: which folder, and the command that mends it
 */
bool keyring_exposed(const char *path, struct why *why) MUST_CHECK;

/* keyring_close - release the lock, close, free; NULL is allowed. */
void keyring_close(struct keyring *keyring);

/*
 * keyring_lock - keep a second helper out; one try, never waits
 *
 * An OFD write lock on ".lock".  Where the directory cannot be written a
 * shared lock on an existing ".lock", or none.
 *
 * FAULT_NONE; FAULT_LOCKED, why naming the holder's socket; FAULT_UNSAFE when
 * ".lock" is not ours; FAULT_IO, why saying so when the file system has no
 * locks.
 */
enum fault keyring_lock(struct keyring *keyring, struct why *why) MUST_CHECK;

/* keyring_listens - for the lock file: where its holder answers. */
void keyring_listens(const struct keyring *keyring, const char *const *sockets,
    size_t n);

/* keyring_path - as opened; stays the keyring's. */
const char *keyring_path(const struct keyring *keyring);

/* keyring_id - the directory's inode: the same after a restart, another for
 * each keyring of a file system. */
uint64_t keyring_id(const struct keyring *keyring);

/*
 * keyring_seal_with - from now on entries are sealed with key when saved;
 * sealed ones can be loaded, and plain ones no more.  The key stays the
 * caller's and must outlive the keyring; NULL for plain entries.
 */
void keyring_seal_with(struct keyring *keyring, const struct seal_key *key);

/*
 * keyring_take_over - seal the plain records of a keyring that has a key, if
 * that was never done to the end
 *
 * n_out  out: how many
 *
 * FAULT_NONE; FAULT_IO, FAULT_READ_ONLY and others of keyring_save(): then
 * plain records can be loaded until it is closed.
 */
enum fault keyring_take_over(struct keyring *keyring, size_t *n_out,
    struct why *why) MUST_CHECK;

/*
 * keyring_rekey - save one record anew with the key, though it be plain
 *
 * Faults of keyring_load() and keyring_save().
 */
enum fault keyring_rekey(struct keyring *keyring, struct span account,
    struct why *why) MUST_CHECK;

/*
 * keyring_load - one account's record
 *
 * FAULT_NONE; FAULT_NOT_FOUND; FAULT_UNSAFE (owner, mode, type, links, size;
 * why has the command that mends it); FAULT_GRAMMAR when the content is
 * damaged or the name inside is another's; FAULT_CONFIG_ERROR when it is
 * sealed with a key that is not here; FAULT_DENIED when it is plain and the
 * keyring has a key; FAULT_IO; FAULT_NOMEM.
 */
enum fault keyring_load(struct keyring *keyring, struct span account,
    struct entry **entry_out, struct why *why) MUST_CHECK;

/*
 * keyring_sealed - append to out the bytes of a file of that record, sealed
 * with the keyring's key and a new nonce; out's limit is at least
 * WIRE_LIST_MAX_BYTES
 *
 * FAULT_CONFIG_ERROR without a key; FAULT_IO (no random bytes); FAULT_GRAMMAR,
 * FAULT_TOO_BIG, FAULT_INTERNAL (OpenSSL), FAULT_NOMEM.
 *
 * keyring_unsealed - the record in such bytes, which come from elsewhere
 *
 * Faults as those of keyring_load(): FAULT_GRAMMAR, FAULT_CONFIG_ERROR,
 * FAULT_DENIED for every plain one, FAULT_NOMEM; why is one sentence that
 * names the account, and no path.
 */
enum fault keyring_sealed(const struct keyring *keyring,
    const struct entry *entry, struct buf *out) MUST_CHECK;
enum fault keyring_unsealed(const struct keyring *keyring, struct span account,
    struct span bytes, struct entry **entry_out, struct why *why) MUST_CHECK;

/*
 * keyring_stage_new - make the new file and reserve the size of the old
 * record and 32 KiB, write there whose it is, and draw what sealing needs,
 * before a refresh token is spent
 *
 * FAULT_NONE; FAULT_READ_ONLY (EROFS, EACCES, EPERM); FAULT_IO with
 * why.err ENOSPC, EDQUOT, EFBIG and others (the process must ignore
 * SIGXFSZ); FAULT_GRAMMAR, FAULT_TOO_BIG for the name; FAULT_UNSAFE when
 * what has the name now is not a private file of ours; FAULT_NOMEM.
 */
enum fault keyring_stage_new(struct keyring *keyring, struct span account,
    struct keyring_stage **stage_out, struct why *why) MUST_CHECK;

/* keyring_stage_free - remove the unused file; NULL is allowed. */
void keyring_stage_free(struct keyring_stage *stage);

/*
 * keyring_save - write entry and put it in place of the old record
 *
 * stage  in: of this account, or NULL to make one; used up (freed) in any
 *        case, success or not
 *
 * When it returns FAULT_NONE the record has reached the disk.  Otherwise the
 * old record is untouched: FAULT_READ_ONLY, FAULT_IO, FAULT_UNSAFE,
 * FAULT_GRAMMAR, FAULT_TOO_BIG, FAULT_INTERNAL (OpenSSL), FAULT_NOMEM.  One
 * exception: FAULT_IO from the fsync of the directory comes when the new
 * record is in place and might not outlast a crash; saving again is right.
 */
enum fault keyring_save(struct keyring *keyring, const struct entry *entry,
    struct keyring_stage *stage, struct why *why) MUST_CHECK;

/* keyring_erase - delete a record for good.  FAULT_NOT_FOUND, FAULT_UNSAFE,
 * FAULT_IO, FAULT_READ_ONLY. */
enum fault keyring_erase(struct keyring *keyring, struct span account,
    struct why *why) MUST_CHECK;

/*
 * keyring_list - call visit for each file that could be a record
 *
 * visit  account is the decoded name; for a file that is none of ours
 *        account is NULL and why says what is wrong with which file.  It may
 *        load and save but not erase.
 *
 * ".lock", ".sealed" and ".tmp-*" are passed over.  FAULT_IO, FAULT_NOMEM.
 */
typedef void keyring_visit_fn(void *ctx, const char *account,
    const struct why *why);
enum fault keyring_list(struct keyring *keyring, keyring_visit_fn *visit,
    void *ctx, struct why *why) MUST_CHECK;

/*
 * keyring_sweep - remove ".tmp-*" files that a killed helper left; only
 * while the lock is held
 *
 * left  called for each account with a stage that was never saved: what was
 *       asked of the provider may have had an answer.  It may load and save.
 */
typedef void keyring_left_fn(void *ctx, const char *account);
void keyring_sweep(struct keyring *keyring, keyring_left_fn *left, void *ctx);

#endif
