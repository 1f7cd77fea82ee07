/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The directory: names, lock, and records that are old or new, never a mix.
 */
#include "store/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "scratch.h"
#include "store/seal.h"
#include "test.h"

#define KILL_ROUNDS 100
#define MARK	    "0123456789-mark"

struct bed {
	char top[SCRATCH_BYTES];
	char dir[SCRATCH_BYTES];
	struct keyring *keyring;
	struct entry *entry;
	struct why why;
	unsigned left; /* met by a sweep */
};

static struct entry *decoded(struct span list)
{
	struct entry *entry = NULL;

	assert_int_equal(entry_decode(list, &entry), FAULT_NONE);
	return entry;
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	if (bed == NULL)
		return -1;
	scratch_new(bed->top);
	scratch_path(bed->top, "keyring", bed->dir);
	bed->entry = decoded(BYTES("mailtoken-entry=1\naccount=Me@Example.com\n"
				   "provider=p\nrefresh-token=" MARK "\n\n"));
	*state = bed;
	return keyring_open(bed->dir, &bed->keyring, &bed->why) == FAULT_NONE ?
	    0 :
	    -1;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	entry_free(bed->entry);
	keyring_close(bed->keyring);
	scratch_drop(bed->top);
	free(bed);
	return 0;
}

static int in_child(uid_t uid, int (*step)(void *ctx), void *ctx)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (uid != getuid() && (setgid(uid) != 0 || setuid(uid) != 0))
			_exit(99);
		_exit(step(ctx));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void in_dir(const struct bed *bed, const char *leaf, char *out)
{
	scratch_path(bed->dir, leaf, out);
}

static void put_file(const struct bed *bed, const char *leaf, struct span bytes,
    mode_t mode)
{
	char path[SCRATCH_BYTES];

	in_dir(bed, leaf, path);
	scratch_write(path, bytes.p, bytes.n, mode);
}

static enum fault save(struct bed *bed)
{
	return keyring_save(bed->keyring, bed->entry, NULL, &bed->why);
}

static enum fault load(struct bed *bed, const char *account)
{
	struct entry *entry = NULL;
	enum fault fault;

	fault = keyring_load(bed->keyring, span_of(account), &entry, &bed->why);
	assert_true(fault == FAULT_NONE || entry == NULL);
	entry_free(entry);
	return fault;
}

static void names_are_folded(void **state)
{
	char out[ACCOUNT_MAX_BYTES + 1];

	(void)state;
	assert_int_equal(keyring_fold(BYTES("Me@EXAMPLE.com"), out),
	    FAULT_NONE);
	assert_string_equal(out, "me@example.com");
	/* ASCII only: other letters have no one lower case. */
	assert_int_equal(keyring_fold(BYTES("\303\204Z@[`{"), out), FAULT_NONE);
	assert_string_equal(out, "\303\204z@[`{");
	assert_int_equal(keyring_fold(BYTES(""), out), FAULT_GRAMMAR);
	assert_int_equal(keyring_fold(BYTES("a\n"), out), FAULT_GRAMMAR);
}

static void leaves_have_one_form(void **state)
{
	static const struct {
		const char *account, *leaf;
	} rows[] = {
		{ "me@example.com", "me@example.com" },
		{ "a.b_c+d-e9@x", "a.b_c+d-e9@x" },
		{ ".hidden", "%2Ehidden" },
		{ "..", "%2E." },
		{ ".", "%2E" },
		{ ".lock", "%2Elock" },
		{ "a/b", "a%2Fb" },
		{ "/", "%2F" },
		{ "a b", "a%20b" },
		{ "100%", "100%25" },
		{ "%41", "%2541" },
		{ "m\303\274ller@x", "m%C3%BCller@x" },
		{ "\360\237\230\200", "%F0%9F%98%80" },
		{ "*?[]'\"$`\\", "%2A%3F%5B%5D%27%22%24%60%5C" },
		{ "a=b", "a%3Db" },
		{ "~", "%7E" },
		{ "-rf", "-rf" },
	};
	char leaf[KEYRING_LEAF_MAX_BYTES + 1], account[ACCOUNT_MAX_BYTES + 1];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(keyring_leaf(span_of(rows[i].account), leaf),
		    FAULT_NONE);
		assert_string_equal(leaf, rows[i].leaf);
		assert_int_equal(keyring_unleaf(leaf, account), FAULT_NONE);
		assert_string_equal(account, rows[i].account);
	}
	assert_int_equal(keyring_leaf(BYTES("ME@X"), leaf), FAULT_NONE);
	assert_string_equal(leaf, "me@x");
}

static void other_forms_are_refused(void **state)
{
	static const char *const leaves[] = {
		"",
		".",
		"..",
		".lock",
		".hidden",
		".tmp-0",
		"A@x",
		"a%2fb",
		"%61",
		"%41",
		"%40",
		"a%2",
		"a%",
		"%",
		"%%",
		"a%2G",
		"%g0",
		"%00",
		"a%00",
		"%0A",
		"%7F",
		"%C2%80",
		"%FF",
		"%C3",
		"a b",
		"a/b",
		"m\303\274",
		"%2E%2E",
		"a%2E",
		"%-1",
		"a~",
		"a#",
		"lost+found%",
	};
	char account[ACCOUNT_MAX_BYTES + 1] = "untouched";
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(leaves); i++) {
		if (keyring_unleaf(leaves[i], account) != FAULT_GRAMMAR)
			fail_msg("leaf %s was not refused", leaves[i]);
		assert_string_equal(account, "untouched");
	}
}

static void leaves_have_at_most_240_bytes(void **state)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1], name[256];
	char account[ACCOUNT_MAX_BYTES + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(keyring_leaf((struct span){ name, 240 }, leaf),
	    FAULT_NONE);
	assert_int_equal(strlen(leaf), 240);
	assert_int_equal(keyring_leaf((struct span){ name, 241 }, leaf),
	    FAULT_TOO_BIG);
	assert_int_equal(keyring_leaf((struct span){ name, 254 }, leaf),
	    FAULT_TOO_BIG);
	assert_int_equal(keyring_leaf((struct span){ name, 255 }, leaf),
	    FAULT_GRAMMAR);
	memset(name, ' ', sizeof(name));
	assert_int_equal(keyring_leaf((struct span){ name, 80 }, leaf),
	    FAULT_NONE);
	assert_int_equal(strlen(leaf), 240);
	assert_int_equal(keyring_leaf((struct span){ name, 81 }, leaf),
	    FAULT_TOO_BIG);
	assert_int_equal(keyring_leaf((struct span){ name, 254 }, leaf),
	    FAULT_TOO_BIG);
	memset(name, 'a', 241);
	name[241] = '\0';
	assert_int_equal(keyring_unleaf(name, account), FAULT_GRAMMAR);
}

static void records_come_back(void **state)
{
	static const char file[] =
	    "mailtoken-entry=1\n"
	    "account=Me@Example.com\nprovider=p\nrefresh-token=" MARK
	    "\nstate=active\n\n";
	char path[SCRATCH_BYTES], bytes[sizeof(file)];
	struct bed *bed = *state;
	struct entry *entry = NULL;
	struct stat st;
	int fd;

	assert_int_equal(load(bed, "me@example.com"), FAULT_NOT_FOUND);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(keyring_load(bed->keyring, BYTES("ME@EXAMPLE.COM"),
			     &entry, &bed->why),
	    FAULT_NONE);
	assert_string_equal(entry->account, "Me@Example.com");
	assert_true(
	    secret_equal(entry->refresh_token, bed->entry->refresh_token));
	entry_free(entry);

	in_dir(bed, "me@example.com", path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, sizeof(file) - 1);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(file) - 1);
	assert_memory_equal(bytes, file, sizeof(file) - 1);
	(void)close(fd);
	assert_string_equal(keyring_path(bed->keyring), bed->dir);
}

static void other_alphabets_have_files(void **state)
{
	char path[SCRATCH_BYTES];
	struct bed *bed = *state;

	assert_int_equal(string_set(&bed->entry->account,
			     span_of("M\303\274ller@b\303\274cher.example")),
	    FAULT_NONE);
	assert_int_equal(save(bed), FAULT_NONE);
	in_dir(bed, "m%C3%BCller@b%C3%BCcher.example", path);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(load(bed, "m\303\274LLER@b\303\274cher.example"),
	    FAULT_NONE);
}

static void accounts_cannot_leave_the_directory(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(string_set(&bed->entry->account, span_of("../escape")),
	    FAULT_NONE);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(scratch_count(bed->top, "escape"), 0);
	assert_int_equal(scratch_count(bed->dir, "%2E.%2Fescape"), 1);
}

static void illegal_names_touch_nothing(void **state)
{
	struct keyring_stage *stage = NULL;
	struct bed *bed = *state;
	char name[256];

	memset(name, 'a', 255);
	name[255] = '\0';
	assert_int_equal(load(bed, name), FAULT_GRAMMAR);
	assert_int_equal(
	    keyring_stage_new(bed->keyring, span_of(name), &stage, &bed->why),
	    FAULT_GRAMMAR);
	name[241] = '\0';
	assert_int_equal(load(bed, name), FAULT_TOO_BIG);
	assert_int_equal(
	    keyring_stage_new(bed->keyring, span_of(name), &stage, &bed->why),
	    FAULT_TOO_BIG);
	assert_null(stage);
	assert_int_equal(keyring_erase(bed->keyring, BYTES("a\n"), &bed->why),
	    FAULT_GRAMMAR);
	assert_int_equal(string_set(&bed->entry->account, span_of(name)),
	    FAULT_NONE);
	assert_int_equal(save(bed), FAULT_TOO_BIG);
	assert_int_equal(scratch_count(bed->dir, ""), 2);
}

static void unsafe_records_are_refused_and_kept(void **state)
{
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];
	struct stat st;

	assert_int_equal(save(bed), FAULT_NONE);
	in_dir(bed, "me@example.com", path);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(load(bed, "me@example.com"), FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "chmod 600 "));
	assert_non_null(strstr(bed->why.text, path));
	/* Neither replaced nor removed. */
	assert_int_equal(save(bed), FAULT_UNSAFE);
	assert_int_equal(
	    keyring_erase(bed->keyring, BYTES("me@example.com"), &bed->why),
	    FAULT_UNSAFE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(load(bed, "me@example.com"), FAULT_UNSAFE);
	assert_int_equal(save(bed), FAULT_UNSAFE);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

static void damaged_records_are_refused(void **state)
{
	static const struct span files[] = {
#define L(s) { s, sizeof(s) - 1 }
		L(""),
		L("\0\0\0\0"),
		L("garbage"),
		L("mailtoken-entry=1\naccount=a@x\nprovider=p\n"),
		L("mailtoken-entry=1\naccount=a@x\nprovider=p\n\n\0"),
		L("mailtoken-entry=1\naccount=a@x\n\n"),
		L("mailtoken=1\naccount=a@x\nprovider=p\n\n"),
		/* another's name */
		L("mailtoken-entry=1\naccount=b@x\nprovider=p\n\n"),
		L("mailtoken-entry=1\naccount=a@x \nprovider=p\n\n"),
#undef L
	};
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(files); i++) {
		put_file(bed, "a@x", files[i], 0600);
		if (load(bed, "a@x") != FAULT_GRAMMAR)
			fail_msg("file %zu was not refused", i);
		assert_non_null(strstr(bed->why.text, "/a@x"));
	}
	assert_non_null(strstr(bed->why.text, "damaged"));
	put_file(bed, "a@x", BYTES("mailtoken-entry=2\nsomething=new\n\n"),
	    0600);
	assert_int_equal(load(bed, "a@x"), FAULT_GRAMMAR);
	assert_string_equal(strstr(bed->why.text, "upgrade"),
	    "upgrade to that one again, or run: mailtoken login a@x");
	put_file(bed, "a@x",
	    BYTES("mailtoken-entry=1\naccount=A@X\nprovider=p\n\n"), 0600);
	assert_int_equal(load(bed, "a@x"), FAULT_NONE);
}

static void too_large_records_are_refused(void **state)
{
	struct buf file = BUF_INIT(200000);
	struct bed *bed = *state;
	size_t got;
	int i;

	buf_add_lit(&file, "mailtoken-entry=1\naccount=a@x\nprovider=p\n");
	for (i = 0; i < 2; i++) {
		buf_add_str(&file, i == 0 ? "x=" : "\ny=");
		memset(buf_space(&file, 50000, &got), 'x', 50000);
		buf_used(&file, 50000);
	}
	buf_add_lit(&file, "\n\n");
	put_file(bed, "a@x", buf_span(&file), 0600);
	assert_int_equal(load(bed, "a@x"), FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "larger than 96000 bytes"));
	memset(buf_space(&file, 50000, &got), 'x', 50000);
	buf_used(&file, 50000);
	put_file(bed, "a@x", buf_span(&file), 0600);
	assert_int_equal(load(bed, "a@x"), FAULT_UNSAFE);
	buf_drop(&file);
}

static void a_damaged_record_can_be_replaced(void **state)
{
	struct bed *bed = *state;

	put_file(bed, "me@example.com", BYTES("garbage"), 0600);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
}

static void a_stage_is_used_once_or_removed(void **state)
{
	struct keyring_stage *stage = NULL;
	struct bed *bed = *state;

	assert_int_equal(keyring_stage_new(bed->keyring,
			     BYTES("me@EXAMPLE.com"), &stage, &bed->why),
	    FAULT_NONE);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 1);
	keyring_stage_free(stage);
	keyring_stage_free(NULL);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);

	assert_int_equal(keyring_stage_new(bed->keyring,
			     BYTES("me@EXAMPLE.com"), &stage, &bed->why),
	    FAULT_NONE);
	assert_int_equal(
	    keyring_save(bed->keyring, bed->entry, stage, &bed->why),
	    FAULT_NONE);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);

	assert_int_equal(keyring_stage_new(bed->keyring,
			     BYTES("me@example.com"), &stage, &bed->why),
	    FAULT_NONE);
	bed->entry->expires_s = -1;
	assert_int_equal(
	    keyring_save(bed->keyring, bed->entry, stage, &bed->why),
	    FAULT_GRAMMAR);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
}

static void erase_is_for_good(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(
	    keyring_erase(bed->keyring, BYTES("ME@example.com"), &bed->why),
	    FAULT_NONE);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NOT_FOUND);
	assert_int_equal(
	    keyring_erase(bed->keyring, BYTES("me@example.com"), &bed->why),
	    FAULT_NOT_FOUND);
	assert_int_equal(scratch_count(bed->dir, ""), 2);
}

struct seen {
	struct bed *bed;
	int accounts, foreign, saved;
	char text[WHY_MAX_BYTES];
};

static void note(void *ctx, const char *account, const struct why *why)
{
	struct seen *seen = ctx;
	struct entry *entry = NULL;

	if (account == NULL) {
		seen->foreign++;
		memcpy(seen->text, why->text, sizeof(seen->text));
		return;
	}
	seen->accounts++;
	if (seen->bed == NULL)
		return;
	assert_int_equal(keyring_load(seen->bed->keyring, span_of(account),
			     &entry, &seen->bed->why),
	    FAULT_NONE);
	assert_int_equal(
	    keyring_save(seen->bed->keyring, entry, NULL, &seen->bed->why),
	    FAULT_NONE);
	entry_free(entry);
	seen->saved++;
}

static void list_meets_each_record_once(void **state)
{
	struct bed *bed = *state;
	struct seen seen = { .bed = bed };
	char name[32];
	int i;

	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "user%d@x", i);
		assert_int_equal(
		    string_set(&bed->entry->account, span_of(name)),
		    FAULT_NONE);
		assert_int_equal(save(bed), FAULT_NONE);
	}
	put_file(bed, ".tmp-left", BYTES(""), 0600);
	put_file(bed, "Foreign\n", BYTES(""), 0600);
	assert_int_equal(keyring_list(bed->keyring, note, &seen, &bed->why),
	    FAULT_NONE);
	assert_int_equal(seen.accounts, 200);
	assert_int_equal(seen.saved, 200);
	assert_int_equal(seen.foreign, 1);
	assert_non_null(strstr(seen.text, "/Foreign\\x0a"));
}

static void left(void *ctx, const char *account)
{
	struct bed *bed = ctx;

	assert_string_equal(account, "me@example.com");
	bed->left++;
}

static void sweep_removes_what_a_killed_helper_left(void **state)
{
	static const char made[4096] =
	    "mailtoken-entry=1\naccount=Me@Example.com"
	    "\n\n";
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];

	assert_int_equal(save(bed), FAULT_NONE);
	put_file(bed, ".tmp-0123456789abcdef", BYTES("x"), 0600);
	put_file(bed, ".tmp-made", (struct span){ made, sizeof(made) }, 0600);
	put_file(bed, ".tmp-done",
	    BYTES("mailtoken-entry=1\naccount=me@example.com\nprovider=p\n\n"),
	    0600);
	put_file(bed, ".tmpx", BYTES("x"), 0600);
	in_dir(bed, ".tmp-dir", path);
	assert_int_equal(mkdir(path, 0700), 0);
	/* Not without the lock: it may be another's. */
	keyring_sweep(bed->keyring, left, bed);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 4);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	keyring_sweep(bed->keyring, left, bed);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 1);
	assert_int_equal(scratch_count(bed->dir, ".tmpx"), 1);
	assert_int_equal(bed->left, 1);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
}

static enum fault reopen(struct bed *bed, const char *path)
{
	struct keyring *keyring = NULL;
	enum fault fault = keyring_open(path, &keyring, &bed->why);

	assert_true(fault == FAULT_NONE || keyring == NULL);
	keyring_close(keyring);
	return fault;
}

static void missing_directories_are_made_private(void **state)
{
	static const mode_t masks[] = { 000, 022, 077 };
	char path[SCRATCH_BYTES], parent[SCRATCH_BYTES], name[16];
	struct bed *bed = *state;
	struct stat st;
	mode_t old;
	size_t i;

	for (i = 0; i < COUNT(masks); i++) {
		(void)snprintf(name, sizeof(name), "new%zu", i);
		scratch_path(bed->top, name, parent);
		scratch_path(parent, "a//keyring/", path);
		old = umask(masks[i]);
		assert_int_equal(reopen(bed, path), FAULT_NONE);
		(void)umask(old);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		assert_int_equal(stat(parent, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		assert_int_equal(reopen(bed, path), FAULT_NONE);
	}
	keyring_close(NULL);
}

static void unsafe_directories_are_refused(void **state)
{
	char file[SCRATCH_BYTES], link[SCRATCH_BYTES];
	struct bed *bed = *state;

	assert_int_equal(chmod(bed->dir, 0750), 0);
	assert_int_equal(reopen(bed, bed->dir), FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, ": chmod 700 "));
	assert_non_null(strstr(bed->why.text, bed->dir));
	assert_int_equal(chmod(bed->dir, 0707), 0);
	assert_int_equal(reopen(bed, bed->dir), FAULT_UNSAFE);
	assert_int_equal(chmod(bed->dir, 0700), 0);

	scratch_path(bed->top, "link", link);
	assert_int_equal(symlink("keyring", link), 0);
	assert_int_equal(reopen(bed, link), FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "symbolic link"));
	scratch_path(bed->top, "dangling", link);
	assert_int_equal(symlink("missing", link), 0);
	assert_int_equal(reopen(bed, link), FAULT_UNSAFE);

	scratch_path(bed->top, "file", file);
	scratch_write(file, "", 0, 0600);
	assert_int_equal(reopen(bed, file), FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "not a directory"));
	assert_int_equal(reopen(bed, ""), FAULT_IO);
	if (getuid() == 0) {
		assert_int_equal(chown(bed->dir, 1, 1), 0);
		assert_int_equal(reopen(bed, bed->dir), FAULT_UNSAFE);
		assert_non_null(strstr(bed->why.text, ": chown root "));
	}
}

static int open_others(void *ctx)
{
	struct bed *bed = ctx;
	char path[SCRATCH_BYTES];

	scratch_path(bed->top, "below/keyring", path);
	if (reopen(bed, path) != FAULT_UNSAFE ||
	    strstr(bed->why.text, "install -d -m 700 -o daemon ") == NULL)
		return 1;
	if (reopen(bed, bed->dir) != FAULT_UNSAFE ||
	    strstr(bed->why.text, ": chown daemon ") == NULL)
		return 2;
	return 0;
}

static void nothing_is_made_below_other_owners(void **state)
{
	struct bed *bed = *state;

	if (getuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	assert_int_equal(chmod(bed->top, 0777), 0);
	assert_int_equal(in_child(1, open_others, bed), 0);
	assert_int_equal(scratch_count(bed->top, "below"), 0);
}

static void long_paths_are_refused(void **state)
{
	struct bed *bed = *state;
	char path[5000];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(reopen(bed, path), FAULT_IO);
	path[1023] = '\0';
	assert_int_equal(reopen(bed, path), FAULT_IO);
}

static void lock_names_the_socket_of_the_holder(void **state)
{
	struct keyring *other = NULL;
	struct bed *bed = *state;
	const char *sockets[] = { "/run/a/socket", "/run/b/socket" };
	char want[512];
	int ready[2], done[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(done[1]);
		if (keyring_open(bed->dir, &other, &bed->why) != FAULT_NONE ||
		    keyring_lock(other, &bed->why) != FAULT_NONE)
			_exit(1);
		keyring_listens(other, sockets, 2);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		/* Until the parent has looked. */
		(void)!read(done[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_LOCKED);
	(void)snprintf(want, sizeof(want),
	    "the keyring %s is in use by "
	    "another mailtokend (socket /run/a/socket)",
	    bed->dir);
	assert_string_equal(bed->why.text, want);
	(void)close(done[1]);
	(void)close(done[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
	/* It ends with its holder; what is written there does not count. */
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
}

static void lock_holds_within_a_process_too(void **state)
{
	struct keyring *other = NULL;
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];
	int fd;

	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	/* Closing another descriptor of the file gives nothing up. */
	in_dir(bed, ".lock", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(keyring_open(bed->dir, &other, &bed->why), FAULT_NONE);
	assert_int_equal(keyring_lock(other, &bed->why), FAULT_LOCKED);
	keyring_close(bed->keyring);
	bed->keyring = NULL;
	assert_int_equal(keyring_lock(other, &bed->why), FAULT_NONE);
	keyring_close(other);
}

static void lock_survives_odd_content(void **state)
{
	static const struct span contents[] = {
#define L(s) { s, sizeof(s) - 1 }
		L(""),
		L("\n"),
		L(" \n"),
		L("/run/a/socket"),
		L("/ho\033st\n"),
		L("\0\0\0\n"),
#undef L
	};
	struct keyring *other = NULL;
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];
	size_t i;

	in_dir(bed, ".lock", path);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	assert_int_equal(keyring_open(bed->dir, &other, &bed->why), FAULT_NONE);
	for (i = 0; i < COUNT(contents); i++) {
		scratch_write(path, contents[i].p, contents[i].n, 0600);
		assert_int_equal(keyring_lock(other, &bed->why), FAULT_LOCKED);
		assert_null(strchr(bed->why.text, '\033'));
	}
	keyring_close(other);
}

static void lock_file_is_private_and_plain(void **state)
{
	struct bed *bed = *state;
	char path[SCRATCH_BYTES];
	struct stat st;
	mode_t old;

	in_dir(bed, ".lock", path);
	old = umask(0);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	(void)umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	keyring_close(bed->keyring);
	bed->keyring = NULL;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../elsewhere", path), 0);
	assert_int_equal(keyring_open(bed->dir, &bed->keyring, &bed->why),
	    FAULT_NONE);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_UNSAFE);
	assert_int_equal(scratch_count(bed->top, "elsewhere"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_UNSAFE);
}

static int use_read_only(void *ctx)
{
	struct keyring_stage *stage = NULL;
	struct keyring *a = NULL, *b = NULL;
	struct bed *bed = ctx;

	if (keyring_open(bed->dir, &a, &bed->why) != FAULT_NONE ||
	    keyring_open(bed->dir, &b, &bed->why) != FAULT_NONE)
		return 1;
	/* Two readers do not keep each other out. */
	if (keyring_lock(a, &bed->why) != FAULT_NONE ||
	    keyring_lock(b, &bed->why) != FAULT_NONE)
		return 2;
	keyring_close(bed->keyring);
	bed->keyring = a;
	if (load(bed, "me@example.com") != FAULT_NONE)
		return 3;
	if (save(bed) != FAULT_READ_ONLY)
		return 4;
	if (keyring_stage_new(a, BYTES("me@example.com"), &stage, &bed->why) !=
	    FAULT_READ_ONLY)
		return 5;
	if (keyring_erase(a, BYTES("me@example.com"), &bed->why) !=
	    FAULT_READ_ONLY)
		return 6;
	keyring_sweep(a, left, bed);
	keyring_close(b);
	return load(bed, "me@example.com") == FAULT_NONE ? 0 : 7;
}

/* For a child without rights of its own: all is that uid's. */
static uid_t make_read_only(struct bed *bed, bool has_lock)
{
	uid_t uid = getuid() == 0 ? 1 : getuid();
	char path[SCRATCH_BYTES];

	assert_int_equal(save(bed), FAULT_NONE);
	put_file(bed, ".tmp-left", BYTES("x"), 0600);
	if (has_lock)
		put_file(bed, ".lock", BYTES("host 1\n"), 0600);
	if (getuid() == 0) {
		in_dir(bed, "me@example.com", path);
		assert_int_equal(chown(path, 1, 1), 0);
		in_dir(bed, ".lock", path);
		assert_true(!has_lock || chown(path, 1, 1) == 0);
		assert_int_equal(chown(bed->dir, 1, 1), 0);
		assert_int_equal(chmod(bed->top, 0755), 0);
	}
	assert_int_equal(chmod(bed->dir, 0500), 0);
	return uid;
}

static void a_read_only_keyring_can_be_read(void **state)
{
	struct bed *bed = *state;
	uid_t uid = make_read_only(bed, false);

	assert_int_equal(in_child(uid, use_read_only, bed), 0);
	assert_int_equal(scratch_count(bed->dir, ".lock"), 0);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 1);
}

static void a_read_only_lock_file_is_shared(void **state)
{
	struct bed *bed = *state;
	uid_t uid = make_read_only(bed, true);
	char path[SCRATCH_BYTES];

	in_dir(bed, ".lock", path);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(in_child(uid, use_read_only, bed), 0);
}

static int lock_unwritable_file(void *ctx)
{
	struct bed *bed = ctx;
	struct keyring *keyring = NULL;
	enum fault fault;

	if (keyring_open(bed->dir, &keyring, &bed->why) != FAULT_NONE)
		return 1;
	fault = keyring_lock(keyring, &bed->why);
	keyring_close(keyring);
	return fault == FAULT_IO || fault == FAULT_UNSAFE ? 0 : 2;
}

static void a_closed_lock_file_does_not_mean_read_only(void **state)
{
	struct bed *bed = *state;
	uid_t uid = make_read_only(bed, true);
	char path[SCRATCH_BYTES];

	in_dir(bed, ".lock", path);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(bed->dir, 0700), 0);
	assert_int_equal(in_child(uid, lock_unwritable_file, bed), 0);
}

static struct seal_key *make_key(struct bed *bed, char fill)
{
	struct seal_key *key = NULL;
	char path[SCRATCH_BYTES], bytes[32];

	memset(bytes, fill, sizeof(bytes));
	scratch_path(bed->top, "key", path);
	scratch_write(path, bytes, sizeof(bytes), 0600);
	assert_int_equal(seal_key_read(path, NULL, &key, &bed->why),
	    FAULT_NONE);
	return key;
}

static void sealed_records_need_their_key(void **state)
{
	struct bed *bed = *state;
	struct seal_key *key = make_key(bed, 'k'), *other = make_key(bed, 'o');
	char path[SCRATCH_BYTES], moved[SCRATCH_BYTES], bytes[4096];
	ssize_t n;
	int fd;

	/* A plain one cannot be read any more, and is sealed when saved. */
	assert_int_equal(save(bed), FAULT_NONE);
	keyring_seal_with(bed->keyring, key);
	assert_int_equal(load(bed, "me@example.com"), FAULT_DENIED);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(load(bed, "ME@example.com"), FAULT_NONE);
	in_dir(bed, "me@example.com", path);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	(void)close(fd);
	assert_true(n > 0);
	assert_null(memmem(bytes, (size_t)n, MARK, strlen(MARK)));
	assert_null(memmem(bytes, (size_t)n, "provider", 8));

	keyring_seal_with(bed->keyring, other);
	assert_int_equal(load(bed, "me@example.com"), FAULT_CONFIG_ERROR);
	assert_non_null(strstr(bed->why.text, path));
	keyring_seal_with(bed->keyring, NULL);
	assert_int_equal(load(bed, "me@example.com"), FAULT_CONFIG_ERROR);
	keyring_seal_with(bed->keyring, key);
	in_dir(bed, "you@example.com", moved);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(load(bed, "you@example.com"), FAULT_GRAMMAR);
	seal_key_free(key);
	seal_key_free(other);
}

static enum fault unsealed(struct bed *bed, const char *account,
    const struct buf *bytes)
{
	struct entry *entry = NULL;
	enum fault fault;

	fault = keyring_unsealed(bed->keyring, span_of(account),
	    buf_span(bytes), &entry, &bed->why);
	if (fault == FAULT_NONE)
		assert_span(secret_reveal(entry->refresh_token, "test"), MARK);
	else
		assert_null(entry);
	entry_free(entry);
	return fault;
}

/* What is wrong is said of the account, not of a file. */
static void refuses(struct bed *bed, const struct buf *bytes, enum fault fault,
    const char *says)
{
	assert_int_equal(unsealed(bed, "ME@example.com", bytes), fault);
	assert_non_null(strstr(bed->why.text, says));
	assert_non_null(strstr(bed->why.text, "me@example.com"));
	assert_null(strstr(bed->why.text, bed->dir));
}

static void shared_bytes_are_judged_as_files_are(void **state)
{
	struct bed *bed = *state;
	struct seal_key *key = make_key(bed, 'k'), *other = make_key(bed, 'o');
	struct buf bytes = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf again = BUF_INIT(WIRE_LIST_MAX_BYTES);

	assert_int_equal(keyring_sealed(bed->keyring, bed->entry, &bytes),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(bytes.n, 0);
	keyring_seal_with(bed->keyring, key);
	assert_int_equal(keyring_sealed(bed->keyring, bed->entry, &bytes),
	    FAULT_NONE);
	assert_null(memmem(bytes.p, bytes.n, MARK, strlen(MARK)));
	assert_int_equal(unsealed(bed, "Me@example.com", &bytes), FAULT_NONE);
	/* They are a file's bytes, with another nonce each time. */
	put_file(bed, "me@example.com", buf_span(&bytes), 0600);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
	assert_int_equal(keyring_sealed(bed->keyring, bed->entry, &again),
	    FAULT_NONE);
	assert_int_equal(bytes.n, again.n);
	assert_memory_not_equal(bytes.p, again.p, bytes.n);

	assert_int_equal(unsealed(bed, "you@example.com", &bytes),
	    FAULT_GRAMMAR);
	assert_int_equal(unsealed(bed, "no\naccount", &bytes), FAULT_GRAMMAR);
	keyring_seal_with(bed->keyring, other);
	refuses(bed, &bytes, FAULT_CONFIG_ERROR, "let keyring_key name");
	keyring_seal_with(bed->keyring, key);
	bytes.p[bytes.n - 10] ^= 1;
	refuses(bed, &bytes, FAULT_GRAMMAR, "is damaged");
	bytes.n = 0;
	refuses(bed, &bytes, FAULT_GRAMMAR, "is damaged");
	buf_add(&bytes, BYTES("mailtoken-entry=2\naccount=me@example.com\n\n"));
	refuses(bed, &bytes, FAULT_GRAMMAR, "newer mailtoken");
	bytes.n = 0;
	assert_int_equal(entry_encode(bed->entry, &bytes), FAULT_NONE);
	refuses(bed, &bytes, FAULT_DENIED, "not sealed");
	buf_drop(&bytes);
	buf_drop(&again);
	seal_key_free(key);
	seal_key_free(other);
}

static void a_keyring_has_an_id(void **state)
{
	struct bed *bed = *state;
	uint64_t id = keyring_id(bed->keyring);
	struct stat st;

	assert_int_equal(stat(bed->dir, &st), 0);
	assert_true(id == st.st_ino);
	assert_int_equal(reopen(bed, bed->dir), FAULT_NONE);
	assert_true(keyring_id(bed->keyring) == id);
}

static int save_under_limit(void *ctx)
{
	struct rlimit limit = { 10, 10 };
	struct bed *bed = ctx;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	return save(bed) == FAULT_IO && bed->why.err == EFBIG ? 0 : 2;
}

static void a_file_size_limit_leaves_the_old_record(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(in_child(getuid(), save_under_limit, bed), 0);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

/* A record whose parts all say which one it is. */
static void number_entry(struct entry *entry, int64_t number, char *bytes,
    size_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)number);
	assert_int_equal(string_set(&entry->text, span_of(text)), FAULT_NONE);
	entry->expires_s = number;
	memset(bytes, 'a' + (int)(number % 26), n);
	secret_free(entry->access_token);
	entry->access_token = NULL;
	assert_int_equal(
	    secret_new((struct span){ bytes, n }, &entry->access_token),
	    FAULT_NONE);
}

static _Noreturn void save_for_ever(struct bed *bed, int ready)
{
	static char bytes[20000];
	int64_t number;

	for (number = 1;; number++) {
		number_entry(bed->entry, number, bytes,
		    (size_t)(number % 7 + 1) * 2500);
		if (save(bed) != FAULT_NONE ||
		    (number == 1 && write(ready, "x", 1) != 1))
			_exit(1);
	}
}

static void is_whole(struct bed *bed)
{
	struct entry *entry = NULL;
	struct span token;
	char text[32];
	size_t i;

	assert_int_equal(keyring_load(bed->keyring, BYTES("me@example.com"),
			     &entry, &bed->why),
	    FAULT_NONE);
	(void)snprintf(text, sizeof(text), "%lld", (long long)entry->expires_s);
	assert_string_equal(entry->text, text);
	token = secret_reveal(entry->access_token, "test");
	assert_int_equal(token.n, (entry->expires_s % 7 + 1) * 2500);
	for (i = 0; i < token.n; i++)
		assert_int_equal(token.p[i], 'a' + entry->expires_s % 26);
	entry_free(entry);
}

static void a_kill_leaves_the_old_or_the_new_record(void **state)
{
	struct bed *bed = *state;
	struct timespec pause = { 0, 0 };
	int round, ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	for (round = 0; round < KILL_ROUNDS; round++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			save_for_ever(bed, ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		/* Anywhere in a save, another place each round. */
		pause.tv_nsec = (long)(random() % 3000000);
		(void)ppoll(NULL, 0, &pause, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		is_whole(bed);
	}
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_int_equal(keyring_lock(bed->keyring, &bed->why), FAULT_NONE);
	keyring_sweep(bed->keyring, left, bed);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
	is_whole(bed);
}

static enum fault save_step(void *ctx)
{
	struct bed *bed = ctx;
	enum fault fault;

	fault = save(bed);
	assert_true(scratch_count(bed->dir, ".tmp-") == 0);
	return fault;
}

static enum fault load_step(void *ctx)
{
	return load(ctx, "me@example.com");
}

static enum fault open_step(void *ctx)
{
	struct bed *bed = ctx;

	return reopen(bed, bed->dir);
}

static enum fault list_step(void *ctx)
{
	struct seen seen = { .bed = NULL };
	struct bed *bed = ctx;

	return keyring_list(bed->keyring, note, &seen, &bed->why);
}

static void no_memory_loses_nothing(void **state)
{
	struct bed *bed = *state;
	struct seal_key *key = make_key(bed, 'k');

	assert_int_equal(save(bed), FAULT_NONE);
	bed->entry->expires_s = 42;
	failing_malloc_at(1);
	assert_int_equal(save(bed), FAULT_NOMEM);
	assert_true(failing_malloc_off());
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
	assert_true(failing_malloc_each(save_step, bed) >= 2);
	assert_true(failing_malloc_each(load_step, bed) >= 5);
	assert_int_equal(failing_malloc_each(open_step, bed), 2);
	assert_int_equal(failing_malloc_each(list_step, bed), 1);
	keyring_seal_with(bed->keyring, key);
	assert_true(failing_malloc_each(save_step, bed) >= 5);
	assert_true(failing_malloc_each(load_step, bed) >= 8);
	seal_key_free(key);
}

static void freed_memory_holds_no_token(void **state)
{
	struct bed *bed = *state;
	struct seal_key *key = make_key(bed, 'k');

	failing_malloc_watch(MARK);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
	keyring_seal_with(bed->keyring, key);
	assert_int_equal(save(bed), FAULT_NONE);
	assert_int_equal(load(bed, "me@example.com"), FAULT_NONE);
	assert_false(failing_malloc_saw());
	seal_key_free(key);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_folded),
		cmocka_unit_test(leaves_have_one_form),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(leaves_have_at_most_240_bytes),
		BED_TEST(records_come_back),
		BED_TEST(other_alphabets_have_files),
		BED_TEST(accounts_cannot_leave_the_directory),
		BED_TEST(illegal_names_touch_nothing),
		BED_TEST(unsafe_records_are_refused_and_kept),
		BED_TEST(damaged_records_are_refused),
		BED_TEST(too_large_records_are_refused),
		BED_TEST(a_damaged_record_can_be_replaced),
		BED_TEST(a_stage_is_used_once_or_removed),
		BED_TEST(erase_is_for_good),
		BED_TEST(list_meets_each_record_once),
		BED_TEST(sweep_removes_what_a_killed_helper_left),
		BED_TEST(missing_directories_are_made_private),
		BED_TEST(unsafe_directories_are_refused),
		BED_TEST(nothing_is_made_below_other_owners),
		BED_TEST(long_paths_are_refused),
		BED_TEST(lock_names_the_socket_of_the_holder),
		BED_TEST(lock_holds_within_a_process_too),
		BED_TEST(lock_survives_odd_content),
		BED_TEST(lock_file_is_private_and_plain),
		BED_TEST(a_read_only_keyring_can_be_read),
		BED_TEST(a_read_only_lock_file_is_shared),
		BED_TEST(a_closed_lock_file_does_not_mean_read_only),
		BED_TEST(sealed_records_need_their_key),
		BED_TEST(shared_bytes_are_judged_as_files_are),
		BED_TEST(a_keyring_has_an_id),
		BED_TEST(a_file_size_limit_leaves_the_old_record),
		BED_TEST(a_kill_leaves_the_old_or_the_new_record),
		BED_TEST(no_memory_loses_nothing),
		BED_TEST(freed_memory_holds_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
