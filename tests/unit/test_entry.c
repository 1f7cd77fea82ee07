/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records and their lists; the names are those of mailtokend(8), KEYRING.
 */
#include "store/entry.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "test.h"

#define MIN  "mailtoken-entry=1\naccount=me@x\nprovider=p\n"
#define MARK "0123456789-mark"

static const char full[] =
    "mailtoken-entry=1\n"
    "account=Me@Example.com\n"
    "login=other@example.com\n"
    "provider=microsoft\n"
    "flow=device\n"
    "issuer=https://login.example/v2.0\n"
    "token-host=login.example\n"
    "tenant=common\n"
    "client-id=c1\n"
    "servers=smtp.example *.example\n"
    "token-endpoint=https://login.example/token\n"
    "device-authorization-endpoint=https://login.example/devicecode\n"
    "scope=offline_access smtp\n"
    "granted-scope=smtp\n"
    "identity=me@example.com\n"
    "serial=00ff\n"
    "rejected-serial=ab\n"
    "text=all is well\n"
    "proxy=http://127.0.0.1:3128\n"
    "ca-file=/etc/ca.pem\n"
    "fleet-cluster=cdf818194e3a8c32\n"
    "refresh-token=0.refresh~\n"
    "access-token=eyJ.access\n"
    "client-secret=a secret!\n"
    "expires=1700003600\n"
    "granted=3600\n"
    "refresh-in=1800\n"
    "refreshed=1700000000\n"
    "grant-expires=1707776000\n"
    "signed-in=1690000000\n"
    "margin=300\n"
    "fleet-revision=4711\n"
    "fleet-unput=1\n"
    "fleet-put=1700000060\n"
    "state=login-needed\n"
    "\n";

static struct entry *decoded(struct span list)
{
	struct entry *entry = NULL;

	assert_int_equal(entry_decode(list, &entry), FAULT_NONE);
	return entry;
}

static void encodes_to(const struct entry *entry, struct span want)
{
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);

	assert_int_equal(entry_encode(entry, &buf), FAULT_NONE);
	assert_int_equal(buf.n, want.n);
	assert_memory_equal(buf.p, want.p, want.n);
	buf_drop(&buf);
}

static void every_field_is_read(void **state)
{
	struct entry *entry = decoded(BYTES(full));

	(void)state;
	assert_string_equal(entry->account, "Me@Example.com");
	assert_string_equal(entry->login, "other@example.com");
	assert_string_equal(entry->provider, "microsoft");
	assert_string_equal(entry->flow, "device");
	assert_string_equal(entry->issuer, "https://login.example/v2.0");
	assert_string_equal(entry->token_host, "login.example");
	assert_string_equal(entry->tenant, "common");
	assert_string_equal(entry->client_id, "c1");
	assert_string_equal(entry->servers, "smtp.example *.example");
	assert_string_equal(entry->token_endpoint,
	    "https://login.example/token");
	assert_string_equal(entry->device_authorization_endpoint,
	    "https://login.example/devicecode");
	assert_string_equal(entry->scope, "offline_access smtp");
	assert_string_equal(entry->granted_scope, "smtp");
	assert_string_equal(entry->identity, "me@example.com");
	assert_string_equal(entry->serial, "00ff");
	assert_string_equal(entry->rejected_serial, "ab");
	assert_string_equal(entry->text, "all is well");
	assert_string_equal(entry->proxy, "http://127.0.0.1:3128");
	assert_string_equal(entry->ca_file, "/etc/ca.pem");
	assert_string_equal(entry->fleet_cluster, "cdf818194e3a8c32");
	assert_span(secret_reveal(entry->refresh_token, "test"), "0.refresh~");
	assert_span(secret_reveal(entry->access_token, "test"), "eyJ.access");
	assert_span(secret_reveal(entry->client_secret, "test"), "a secret!");
	assert_true(entry->expires_s == 1700003600);
	assert_true(entry->granted_s == 3600);
	assert_true(entry->refresh_in_s == 1800);
	assert_true(entry->refreshed_s == 1700000000);
	assert_true(entry->grant_expires_s == 1707776000);
	assert_true(entry->signed_in_s == 1690000000);
	assert_true(entry->margin_s == 300);
	assert_true(entry->fleet_revision == 4711);
	assert_true(entry->fleet_unput == 1);
	assert_true(entry->fleet_put_s == 1700000060);
	assert_int_equal(entry->state, ENTRY_LOGIN_NEEDED);
	entry_free(entry);
	entry_free(NULL);
}

static void what_is_read_is_written_again(void **state)
{
	struct entry *entry = decoded(BYTES(full));

	(void)state;
	encodes_to(entry, BYTES(full));
	entry_free(entry);
}

static void a_small_record_has_defaults(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "\n"));

	(void)state;
	assert_null(entry->login);
	assert_null(entry->refresh_token);
	assert_true(entry->expires_s == 0);
	assert_int_equal(entry->state, ENTRY_ACTIVE);
	encodes_to(entry, BYTES(MIN "state=active\n\n"));
	entry_free(entry);
}

static void unknown_names_are_ignored(void **state)
{
	struct entry *entry = decoded(
	    BYTES(MIN "colour=blue\n"
		      "warning=a\nwarning=b\nscope=s\n\n"));

	(void)state;
	encodes_to(entry, BYTES(MIN "scope=s\nstate=active\n\n"));
	entry_free(entry);
}

static void an_empty_value_is_not_an_absent_one(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "tenant=\n\n"));

	(void)state;
	assert_string_equal(entry->tenant, "");
	encodes_to(entry, BYTES(MIN "tenant=\nstate=active\n\n"));
	entry_free(entry);
}

static void illegal_lists_are_refused(void **state)
{
	static const struct span lists[] = {
#define L(s) { s, sizeof(s) - 1 }
		L(""),
		L("\n"),
		L("mailtoken-entry=1\n\n"),
		L(MIN),
		L(MIN "\n\n"),
		L("mailtoken=1\naccount=a\n\n"),
		L("mailtoken-entry=2\naccount=a\nprovider=p\n\n"),
		L("mailtoken-entry=1\nprovider=p\n\n"),
		L("mailtoken-entry=1\naccount=a\n\n"),
		L("mailtoken-entry=1\naccount=\nprovider=p\n\n"),
		L("mailtoken-entry=1\naccount=a\nprovider=\n\n"),
		L("mailtoken-entry=1\naccount=\302\200\nprovider=p\n\n"),
		L("mailtoken-entry=1\naccount=\377\nprovider=p\n\n"),
		L("mailtoken-entry=1\naccount=a\tb\nprovider=p\n\n"),
		L(MIN "account=me@x\n\n"),
		L(MIN "scope=a\nscope=a\n\n"),
		L(MIN "login=\n\n"),
		L(MIN "login=a\001b\n\n"),
		L(MIN "login=a\177\n\n"),
		L(MIN "scope=a\0b\n\n"),
		L(MIN "scope=a\rb\n\n"),
		L(MIN "serial=\n\n"),
		L(MIN "serial=AB\n\n"),
		L(MIN "serial=0g\n\n"),
		L(MIN "rejected-serial=0 \n\n"),
		L(MIN "serial=0123456789abcdef0123456789abcdef0\n\n"),
		L(MIN "refresh-token=\n\n"),
		L(MIN "refresh-token=a b\n\n"),
		L(MIN "access-token=\n\n"),
		L(MIN "access-token=a\177\n\n"),
		L(MIN "access-token=\303\244\n\n"),
		L(MIN "client-secret=\n\n"),
		L(MIN "client-secret=a\t\n\n"),
		L(MIN "expires=\n\n"),
		L(MIN "expires=-1\n\n"),
		L(MIN "expires=1x\n\n"),
		L(MIN "margin= 1\n\n"),
		L(MIN "granted=253402300800\n\n"),
		L(MIN "granted=9223372036854775808\n\n"),
		L(MIN "state=\n\n"),
		L(MIN "state=Active\n\n"),
		L(MIN "state=backoff\n\n"),
#undef L
	};
	struct entry *entry = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lists); i++) {
		if (entry_decode(lists[i], &entry) != FAULT_GRAMMAR)
			fail_msg("list %zu was not refused", i);
		assert_null(entry);
	}
}

static void numbers_go_to_the_year_9999(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "expires=253402300799\n\n"));
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);

	(void)state;
	assert_true(entry->expires_s == INT64_C(253402300799));
	encodes_to(entry, BYTES(MIN "expires=253402300799\nstate=active\n\n"));
	entry->expires_s++;
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	buf_drop(&buf);
	entry->expires_s = -1;
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	assert_int_equal(buf.n, 0);
	buf_drop(&buf);
	entry_free(entry);
}

static void every_illegal_byte_is_refused_when_written(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "\n"));
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);
	char token[] = "aXb", text[] = "aXb";
	int i;

	(void)state;
	for (i = 0; i < 256; i++) {
		bool is_token = i > 0x20 && i < 0x7f;

		token[1] = (char)i;
		assert_int_equal(
		    secret_new((struct span){ token, 3 }, &entry->access_token),
		    FAULT_NONE);
		assert_int_equal(entry_encode(entry, &buf),
		    is_token ? FAULT_NONE : FAULT_GRAMMAR);
		secret_free(entry->access_token);
		entry->access_token = NULL;
		assert_true(is_token || buf.n == 0);
		buf_drop(&buf);
	}
	for (i = 1; i < 256; i++) {
		bool is_legal = i != '\n' && i != '\r';

		text[1] = (char)i;
		assert_int_equal(string_set(&entry->text, span_of(text)),
		    FAULT_NONE);
		assert_int_equal(entry_encode(entry, &buf),
		    is_legal ? FAULT_NONE : FAULT_GRAMMAR);
		buf_drop(&buf);
	}
	entry_free(entry);
}

static void a_line_break_cannot_add_an_attribute(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "\n"));
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);

	(void)state;
	assert_int_equal(
	    string_set(&entry->scope, span_of("a\ntoken-host=evil")),
	    FAULT_NONE);
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	assert_int_equal(buf.n, 0);
	buf_drop(&buf);
	entry_free(entry);
}

static void a_record_without_its_name_is_not_written(void **state)
{
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);
	struct entry *entry;

	(void)state;
	assert_int_equal(entry_new(&entry), FAULT_NONE);
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	assert_int_equal(string_set(&entry->account, span_of("a")), FAULT_NONE);
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	entry_free(entry);
	buf_drop(&buf);
}

static void set_token(struct secret **slot, size_t n)
{
	char *bytes = malloc(n);

	assert_non_null(bytes);
	memset(bytes, 'x', n);
	secret_free(*slot);
	assert_int_equal(secret_new((struct span){ bytes, n }, slot),
	    FAULT_NONE);
	free(bytes);
}

static void tokens_have_their_limits(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "\n")), *again;
	struct buf buf = BUF_INIT(WIRE_LIST_MAX_BYTES);

	(void)state;
	set_token(&entry->access_token, 65000);
	set_token(&entry->refresh_token, 16000);
	set_token(&entry->client_secret, 4096);
	assert_int_equal(entry_encode(entry, &buf), FAULT_NONE);
	again = decoded(buf_span(&buf));
	assert_int_equal(secret_bytes(again->access_token), 65000);
	assert_int_equal(secret_bytes(again->refresh_token), 16000);
	entry_free(again);
	buf_drop(&buf);

	set_token(&entry->access_token, 65001);
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	buf_drop(&buf);
	set_token(&entry->access_token, 1);
	set_token(&entry->refresh_token, 16001);
	assert_int_equal(entry_encode(entry, &buf), FAULT_GRAMMAR);
	buf_drop(&buf);
	entry_free(entry);
}

/* The bytes of MIN with a text that makes the list n bytes long. */
static void sized(struct entry *entry, size_t n)
{
	static const char around[] = MIN "text=\nstate=active\n\n";
	size_t left = n - (sizeof(around) - 1) -
	    (sizeof("access-token=\n") - 1) - 60000;
	char *text = malloc(left);

	assert_non_null(text);
	memset(text, 'x', left);
	assert_int_equal(string_set(&entry->text, (struct span){ text, left }),
	    FAULT_NONE);
	free(text);
}

static void a_record_may_have_96000_bytes(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "\n")), *again = NULL;
	struct buf buf = BUF_INIT(WIRE_LIST_MAX_BYTES);

	(void)state;
	set_token(&entry->access_token, 60000);
	sized(entry, ENTRY_MAX_BYTES);
	assert_int_equal(entry_encode(entry, &buf), FAULT_NONE);
	assert_int_equal(buf.n, ENTRY_MAX_BYTES);
	again = decoded(buf_span(&buf));
	entry_free(again);
	again = NULL;

	/* One more byte by hand: the value of state is the last. */
	buf.n -= sizeof("state=active\n\n") - 1;
	buf_add_lit(&buf, "statex=active\n\n");
	assert_int_equal(entry_decode(buf_span(&buf), &again), FAULT_TOO_BIG);
	assert_null(again);
	buf_drop(&buf);

	sized(entry, ENTRY_MAX_BYTES + 1);
	buf_add_lit(&buf, "before");
	assert_int_equal(entry_encode(entry, &buf), FAULT_TOO_BIG);
	assert_int_equal(buf.n, 6);
	buf_drop(&buf);
	entry_free(entry);
}

static void a_copy_is_deep_and_whole(void **state)
{
	struct entry *entry = decoded(BYTES(full)), *copy = NULL;

	(void)state;
	assert_int_equal(entry_copy(entry, &copy), FAULT_NONE);
	entry_free(entry);
	encodes_to(copy, BYTES(full));
	entry_free(copy);
}

static void set_replaces_and_clears(void **state)
{
	struct entry *entry = decoded(BYTES(MIN "tenant=old\n\n"));

	(void)state;
	assert_int_equal(
	    string_set(&entry->tenant, (struct span){ "newer", 3 }),
	    FAULT_NONE);
	assert_string_equal(entry->tenant, "new");
	failing_malloc_at(1);
	assert_int_equal(string_set(&entry->tenant, span_of("x")), FAULT_NOMEM);
	assert_true(failing_malloc_off());
	assert_string_equal(entry->tenant, "new");
	assert_int_equal(string_set(&entry->tenant, span_of(NULL)), FAULT_NONE);
	assert_null(entry->tenant);
	entry_free(entry);
}

static void freed_memory_holds_no_token(void **state)
{
	static const char list[] = MIN
	    "refresh-token=" MARK "\naccess-token=" MARK "\nclient-secret=" MARK
	    "\n\n";
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);
	struct entry *entry, *copy = NULL;

	(void)state;
	failing_malloc_watch(MARK);
	entry = decoded(BYTES(list));
	assert_int_equal(entry_copy(entry, &copy), FAULT_NONE);
	assert_int_equal(entry_encode(copy, &buf), FAULT_NONE);
	buf_drop(&buf);
	entry_free(copy);
	entry_free(entry);
	assert_false(failing_malloc_saw());
}

static enum fault decode_step(void *ctx)
{
	struct entry *entry = NULL;
	enum fault fault = entry_decode(BYTES(full), &entry);

	(void)ctx;
	assert_true(fault == FAULT_NONE || entry == NULL);
	entry_free(entry);
	return fault;
}

static enum fault copy_step(void *ctx)
{
	struct entry *copy = NULL;
	enum fault fault = entry_copy(ctx, &copy);

	assert_true(fault == FAULT_NONE || copy == NULL);
	entry_free(copy);
	return fault;
}

static enum fault encode_step(void *ctx)
{
	struct buf buf = BUF_INIT(ENTRY_MAX_BYTES);
	enum fault fault = entry_encode(ctx, &buf);

	assert_true(fault == FAULT_NONE || buf.n == 0);
	buf_drop(&buf);
	return fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	struct entry *entry = decoded(BYTES(full));

	(void)state;
	assert_int_equal(failing_malloc_each(decode_step, NULL), 24);
	assert_int_equal(failing_malloc_each(copy_step, entry), 24);
	assert_true(failing_malloc_each(encode_step, entry) > 0);
	entry_free(entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(what_is_read_is_written_again),
		cmocka_unit_test(a_small_record_has_defaults),
		cmocka_unit_test(unknown_names_are_ignored),
		cmocka_unit_test(an_empty_value_is_not_an_absent_one),
		cmocka_unit_test(illegal_lists_are_refused),
		cmocka_unit_test(numbers_go_to_the_year_9999),
		cmocka_unit_test(every_illegal_byte_is_refused_when_written),
		cmocka_unit_test(a_line_break_cannot_add_an_attribute),
		cmocka_unit_test(a_record_without_its_name_is_not_written),
		cmocka_unit_test(tokens_have_their_limits),
		cmocka_unit_test(a_record_may_have_96000_bytes),
		cmocka_unit_test(a_copy_is_deep_and_whole),
		cmocka_unit_test(set_replaces_and_clears),
		cmocka_unit_test(freed_memory_holds_no_token),
		cmocka_unit_test(no_memory_is_a_fault_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
