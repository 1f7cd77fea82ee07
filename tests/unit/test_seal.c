/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sealed records open with their key, under their name, unchanged, only.
 */
#include "store/seal.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "scratch.h"
#include "test.h"

#define MARK "0123456789-mark"

static const unsigned char nonce[SEAL_NONCE_BYTES] = "eleven char";

/* 00 01 02 .. 1f; the last byte of the other is a line end. */
static const char raw_key[] =
    "\000\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017"
    "\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037";
static const char hex_key[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
static const char other_key[] = "0123456789abcdef0123456789abcde\n";

/* First 16 hex digits of SHA-256 over raw_key. */
#define KEY_ID "630dcd2966c43366"

struct bed {
	char dir[SCRATCH_BYTES];
	char path[SCRATCH_BYTES];
	struct seal_key *key;
	struct buf out;
	struct why why;
};

static struct seal_key *key_of(struct bed *bed, struct span bytes)
{
	struct seal_key *key = NULL;

	scratch_write(bed->path, bytes.p, bytes.n, 0600);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_NONE);
	return key;
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	if (bed == NULL)
		return -1;
	scratch_new(bed->dir);
	scratch_path(bed->dir, "key", bed->path);
	buf_init(&bed->out, WIRE_LIST_MAX_BYTES);
	bed->key = key_of(bed, BYTES(raw_key));
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	seal_key_free(bed->key);
	buf_drop(&bed->out);
	scratch_drop(bed->dir);
	free(bed);
	return 0;
}

/* Opens what is in list; the plain bytes are in bed->out. */
static enum fault open_list(struct bed *bed, struct span list,
    const struct seal_key *key, const char *account)
{
	struct attrs attrs;

	assert_int_equal(attr_parse(list, WIRE_FIRST_ENTRY, &attrs),
	    FAULT_NONE);
	buf_drop(&bed->out);
	return unseal_entry(key, span_of(account), &attrs, &bed->out);
}

static void keys_are_raw_or_hex(void **state)
{
	static const struct span files[] = {
		{ raw_key, 32 },
		{ hex_key, 64 },
		{ "000102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f\n",
		    65 },
		{ "000102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f\r\n",
		    66 },
	};
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	struct seal_key *key;
	size_t i;

	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	for (i = 0; i < COUNT(files); i++) {
		key = key_of(bed, files[i]);
		assert_int_equal(open_list(bed, buf_span(&list), key, "me@x"),
		    FAULT_NONE);
		seal_key_free(key);
	}
	key = key_of(bed, BYTES(other_key));
	assert_int_equal(open_list(bed, buf_span(&list), key, "me@x"),
	    FAULT_CONFIG_ERROR);
	seal_key_free(key);
	seal_key_free(NULL);
	buf_drop(&list);
}

static void other_files_are_no_keys(void **state)
{
	static const struct span files[] = {
		{ "", 0 },
		{ "x", 1 },
		{ raw_key, 31 },
		{ hex_key, 63 },
		{ "g00102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f",
		    64 },
		{ "000102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f0",
		    65 },
		{ "000102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f\n\n",
		    66 },
		{ "000102030405060708090a0b0c0d0e0f"
		  "101112131415161718191a1b1c1d1e1f\n\n\n",
		    67 },
	};
	struct seal_key *key = NULL;
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(files); i++) {
		scratch_write(bed->path, files[i].p, files[i].n, 0600);
		assert_int_equal(
		    seal_key_read(bed->path, NULL, &key, &bed->why),
		    FAULT_GRAMMAR);
		assert_non_null(strstr(bed->why.text, "64 hex digits"));
		assert_non_null(strstr(bed->why.text, bed->path));
		assert_null(key);
	}
	assert_int_equal(seal_key_read(bed->dir, NULL, &key, &bed->why),
	    FAULT_UNSAFE);
	assert_int_equal(unlink(bed->path), 0);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_IO);
}

static void keys_that_others_can_read_are_refused(void **state)
{
	struct seal_key *key = NULL;
	struct bed *bed = *state;

	assert_int_equal(chmod(bed->path, 0604), 0);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "chmod g-w,o= "));
	assert_non_null(strstr(bed->why.text, bed->path));
	assert_int_equal(chmod(bed->path, 0620), 0);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_UNSAFE);
	assert_int_equal(chmod(bed->path, 0440), 0);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_NONE);
	seal_key_free(key);
	key = NULL;
	if (getuid() != 0)
		return;
	assert_int_equal(chown(bed->path, 1, 0), 0);
	assert_int_equal(seal_key_read(bed->path, NULL, &key, &bed->why),
	    FAULT_UNSAFE);
	assert_non_null(strstr(bed->why.text, "chown root "));
}

static void sealed_records_open_again(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf plain = BUF_INIT(ENTRY_MAX_BYTES);
	struct bed *bed = *state;
	size_t n;

	/* 0..3: every padding. */
	for (n = 0; n < 4; n++) {
		assert_int_equal(seal_entry(bed->key, nonce, span_of("me@x"),
				     buf_span(&plain), &list),
		    FAULT_NONE);
		assert_int_equal(
		    open_list(bed, buf_span(&list), bed->key, "me@x"),
		    FAULT_NONE);
		assert_int_equal(bed->out.n, n);
		buf_add_lit(&plain, "p");
		buf_drop(&list);
	}
	buf_drop(&plain);
}

static void the_list_has_its_names_and_no_plain_bytes(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	struct attrs attrs;

	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	assert_int_equal(attr_parse(buf_span(&list), WIRE_FIRST_ENTRY, &attrs),
	    FAULT_NONE);
	assert_int_equal(attrs.n, 5);
	assert_span(attr_get(&attrs, "account"), "me@x");
	assert_span(attr_get(&attrs, "key-id"), KEY_ID);
	assert_int_equal(attr_get(&attrs, "nonce").n, 16);
	/* 15 bytes and a tag of 16, in base64. */
	assert_int_equal(attr_get(&attrs, "sealed").n, 44);
	assert_null(memmem(list.p, list.n, MARK, sizeof(MARK) - 1));
	buf_drop(&list);
}

/* Sealed by AESGCM of Python's cryptography with a nonce of zeros. */
static void a_known_list_opens(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(
	    open_list(bed,
		BYTES(
		    "mailtoken-entry=1\n"
		    "account=me@x\nkey-id=" KEY_ID "\nnonce=AAAAAAAAAAAAAAAA\n"
		    "sealed=ftDUt9sM99hw3LnsneTb+euFckuknFvu5Po=\n\n"),
		bed->key, "me@x"),
	    FAULT_NONE);
	assert_span(buf_span(&bed->out), "plain text");
}

static void the_largest_record_can_be_sealed(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	char account[ACCOUNT_MAX_BYTES + 1];
	char *plain = malloc(ENTRY_MAX_BYTES + 1);

	assert_non_null(plain);
	memset(plain, 'p', ENTRY_MAX_BYTES + 1);
	memset(account, 'a', ACCOUNT_MAX_BYTES);
	account[ACCOUNT_MAX_BYTES] = '\0';
	assert_int_equal(seal_entry(bed->key, nonce, span_of(account),
			     (struct span){ plain, ENTRY_MAX_BYTES }, &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, account),
	    FAULT_NONE);
	assert_int_equal(bed->out.n, ENTRY_MAX_BYTES);
	assert_memory_equal(bed->out.p, plain, ENTRY_MAX_BYTES);
	buf_drop(&list);
	assert_int_equal(seal_entry(bed->key, nonce, span_of(account),
			     (struct span){ plain, ENTRY_MAX_BYTES + 1 },
			     &list),
	    FAULT_TOO_BIG);
	assert_int_equal(list.n, 0);
	free(plain);
}

static void another_key_is_a_config_error(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	struct seal_key *other = key_of(bed, BYTES(other_key));

	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), other, "me@x"),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(open_list(bed, buf_span(&list), NULL, "me@x"),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(bed->out.n, 0);
	seal_key_free(other);
	buf_drop(&list);
}

static void of_two_keys_the_first_seals_and_both_open(void **state)
{
	static const char marked[] = MARK "-in-each-key.....";
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct seal_key *both = NULL, *other;
	char path[SCRATCH_BYTES];
	struct bed *bed = *state;

	scratch_path(bed->dir, "new", path);
	scratch_write(path, raw_key, 32, 0600);
	other = key_of(bed, BYTES(marked));
	assert_int_equal(seal_key_read(path, bed->path, &both, &bed->why),
	    FAULT_NONE);
	assert_int_equal(
	    seal_entry(other, nonce, span_of("me@x"), BYTES("old"), &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), both, "me@x"),
	    FAULT_NONE);
	assert_span(buf_span(&bed->out), "old");
	list.n = 0;
	assert_int_equal(
	    seal_entry(both, nonce, span_of("me@x"), BYTES("new"), &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), other, "me@x"),
	    FAULT_CONFIG_ERROR);
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, "me@x"),
	    FAULT_NONE);
	buf_drop(&list);
	/* Nothing is left of either, whether both could be read or one. */
	failing_malloc_watch(MARK);
	seal_key_free(both);
	both = NULL;
	scratch_path(bed->dir, "none", path);
	assert_int_equal(seal_key_read(bed->path, path, &both, &bed->why),
	    FAULT_IO);
	assert_null(both);
	assert_non_null(strstr(bed->why.text, path));
	seal_key_free(other);
	assert_false(failing_malloc_saw());
}

static void another_name_does_not_open_it(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	char *name;

	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, "me@y"),
	    FAULT_GRAMMAR);
	/* Nor with the name written over. */
	name = memmem(list.p, list.n, "me@x", 4);
	assert_non_null(name);
	name[3] = 'y';
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, "me@y"),
	    FAULT_GRAMMAR);
	assert_int_equal(bed->out.n, 0);
	buf_drop(&list);
}

/* What stands for the same bytes opens; nothing opens to other ones. */
static void changed_character(struct bed *bed, struct span list)
{
	enum fault fault = open_list(bed, list, bed->key, "me@x");

	if (fault == FAULT_NONE)
		assert_true(span_is(buf_span(&bed->out), MARK));
	else
		assert_int_equal(fault, FAULT_GRAMMAR);
}

static void every_changed_character_is_noticed(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;
	size_t i, from;
	char old;

	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	from = (size_t)((char *)memmem(list.p, list.n, "nonce=", 6) - list.p) +
	    6;
	for (i = from; i < list.n - 2; i++) {
		if (i >= from + 16 && i < from + 16 + sizeof("\nsealed=") - 1)
			continue;
		old = list.p[i];
		list.p[i] = old == 'A' ? 'B' : 'A';
		changed_character(bed, buf_span(&list));
		list.p[i] = ' ';
		changed_character(bed, buf_span(&list));
		list.p[i] = old;
	}
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, "me@x"),
	    FAULT_NONE);
	buf_drop(&list);
}

static void damaged_lists_are_refused(void **state)
{
#define H "mailtoken-entry=1\naccount=me@x\nkey-id=" KEY_ID "\n"
	static const struct span lists[] = {
#define L(s) { s, sizeof(s) - 1 }
		L("mailtoken-entry=1\nkey-id=" KEY_ID "\nsealed=AAAA\n\n"),
		L("mailtoken-entry=1\naccount=\nsealed=AAAA\n\n"),
		L(H "sealed=AAAA\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\n\n"),
		L(H "nonce=\nsealed=AAAA\n\n"),
		L(H "nonce=AAAA\nsealed=AAAA\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAAAAAA\nsealed=AAAA\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed=\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed=A\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed====\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed=====\n\n"),
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed=AAAA\n\n"),
		/* One byte less than a tag. */
		L(H "nonce=AAAAAAAAAAAAAAAA\nsealed=AAAAAAAAAAAAAAAAAAAA"
		    "\n\n"),
#undef L
#undef H
	};
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(lists); i++)
		if (open_list(bed, lists[i], bed->key, "me@x") != FAULT_GRAMMAR)
			fail_msg("list %zu was not refused", i);
}

static void freed_memory_holds_no_plain_bytes(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = *state;

	failing_malloc_watch(MARK);
	assert_int_equal(
	    seal_entry(bed->key, nonce, span_of("me@x"), BYTES(MARK), &list),
	    FAULT_NONE);
	assert_int_equal(open_list(bed, buf_span(&list), bed->key, "me@x"),
	    FAULT_NONE);
	assert_span(buf_span(&bed->out), MARK);
	buf_drop(&bed->out);
	buf_drop(&list);
	assert_false(failing_malloc_saw());
}

static enum fault seal_step(void *ctx)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct bed *bed = ctx;
	enum fault fault = seal_entry(bed->key, nonce, span_of("me@x"),
	    BYTES(MARK), &list);

	if (fault == FAULT_NONE)
		fault = open_list(bed, buf_span(&list), bed->key, "me@x");
	assert_true(fault == FAULT_NONE || bed->out.n == 0);
	buf_drop(&bed->out);
	buf_drop(&list);
	return fault;
}

static enum fault key_step(void *ctx)
{
	struct bed *bed = ctx;
	struct seal_key *key = NULL;
	enum fault fault = seal_key_read(bed->path, bed->path, &key, &bed->why);

	assert_true(fault == FAULT_NONE || key == NULL);
	seal_key_free(key);
	return fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	assert_true(failing_malloc_each(seal_step, *state) > 3);
	assert_int_equal(failing_malloc_each(key_step, *state), 4);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(keys_are_raw_or_hex),
		BED_TEST(other_files_are_no_keys),
		BED_TEST(keys_that_others_can_read_are_refused),
		BED_TEST(sealed_records_open_again),
		BED_TEST(the_list_has_its_names_and_no_plain_bytes),
		BED_TEST(a_known_list_opens),
		BED_TEST(the_largest_record_can_be_sealed),
		BED_TEST(another_key_is_a_config_error),
		BED_TEST(of_two_keys_the_first_seals_and_both_open),
		BED_TEST(another_name_does_not_open_it),
		BED_TEST(every_changed_character_is_noticed),
		BED_TEST(damaged_lists_are_refused),
		BED_TEST(freed_memory_holds_no_plain_bytes),
		BED_TEST(no_memory_is_a_fault_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
