/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The bytes of both initial responses, typed from the pages that define them.
 */
#include "response.h"

#include "failing_malloc.h"
#include "test.h"

typedef enum fault encoder(struct span user, struct span token,
    struct buf *out);

static const struct span alice = { "me@x", 4 };
static const struct span tok = { "tok", 3 };

static struct span text_of(char *room, size_t n, char byte)
{
	struct span text = { room, n };

	memset(room, byte, n);
	return text;
}

static void check(encoder *encode, struct span user, struct span token,
    const unsigned char *want, size_t want_bytes)
{
	struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);

	assert_int_equal(encode(user, token, &out), FAULT_NONE);
	assert_int_equal(out.n, want_bytes);
	assert_memory_equal(out.p, want, want_bytes);
	buf_drop(&out);
}

static void xoauth2_is_what_the_page_says(void **state)
{
	static const unsigned char want[] = { 'u', 's', 'e', 'r', '=', 'm', 'e',
		'@', 'x', 0x01, 'a', 'u', 't', 'h', '=', 'B', 'e', 'a', 'r',
		'e', 'r', ' ', 't', 'o', 'k', 0x01, 0x01 };

	(void)state;
	check(response_xoauth2, alice, tok, want, sizeof(want));
}

/* dXNlcj1yZWxheUBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB0b2sxMjMBAQ== */
static void xoauth2_of_a_relay(void **state)
{
	static const unsigned char want[] = { 'u', 's', 'e', 'r', '=', 'r', 'e',
		'l', 'a', 'y', '@', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c',
		'o', 'm', 0x01, 'a', 'u', 't', 'h', '=', 'B', 'e', 'a', 'r',
		'e', 'r', ' ', 't', 'o', 'k', '1', '2', '3', 0x01, 0x01 };

	(void)state;
	check(response_xoauth2, span_of("relay@example.com"), span_of("tok123"),
	    want, sizeof(want));
}

static void oauthbearer_is_what_rfc_7628_says(void **state)
{
	static const unsigned char want[] = { 'n', ',', 'a', '=', 'm', 'e', '@',
		'x', ',', 0x01, 'a', 'u', 't', 'h', '=', 'B', 'e', 'a', 'r',
		'e', 'r', ' ', 't', 'o', 'k', 0x01, 0x01 };

	(void)state;
	check(response_oauthbearer, alice, tok, want, sizeof(want));
}

/* bixhPW89MkN4PTNEeUBleGFtcGxlLmNvbSwBYXV0aD1CZWFyZXIgdG9rMTIzAQE= */
static void gs2_names_are_quoted(void **state)
{
	static const unsigned char want[] = { 'n', ',', 'a', '=', 'o', '=', '2',
		'C', 'x', '=', '3', 'D', 'y', '@', 'e', 'x', 'a', 'm', 'p', 'l',
		'e', '.', 'c', 'o', 'm', ',', 0x01, 'a', 'u', 't', 'h', '=',
		'B', 'e', 'a', 'r', 'e', 'r', ' ', 't', 'o', 'k', '1', '2', '3',
		0x01, 0x01 };

	(void)state;
	check(response_oauthbearer, span_of("o,x=y@example.com"),
	    span_of("tok123"), want, sizeof(want));
}

static void xoauth2_quotes_nothing(void **state)
{
	static const unsigned char want[] = { 'u', 's', 'e', 'r', '=', 'o', ',',
		'x', '=', 'y', 0x01, 'a', 'u', 't', 'h', '=', 'B', 'e', 'a',
		'r', 'e', 'r', ' ', 't', 'o', 'k', 0x01, 0x01 };

	(void)state;
	check(response_xoauth2, span_of("o,x=y"), tok, want, sizeof(want));
}

static void utf8_goes_out_as_it_is(void **state)
{
	static const unsigned char want[] = { 'u', 's', 'e', 'r', '=', 'z', 'o',
		0xc3, 0xab, 0x01, 'a', 'u', 't', 'h', '=', 'B', 'e', 'a', 'r',
		'e', 'r', ' ', 't', 'o', 'k', 0x01, 0x01 };

	(void)state;
	check(response_xoauth2, span_of("zo\303\253"), tok, want, sizeof(want));
}

static void refuse(struct span user)
{
	struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);

	assert_int_equal(response_xoauth2(user, tok, &out), FAULT_GRAMMAR);
	assert_int_equal(out.n, 0);
	assert_int_equal(response_oauthbearer(user, tok, &out), FAULT_GRAMMAR);
	assert_int_equal(out.n, 0);
	assert_null(out.p);
}

static void no_control_byte_of_a_name_passes(void **state)
{
	char name[] = { 'a', 0, 'b' };
	struct span user = { name, sizeof(name) };
	int byte;

	(void)state;
	for (byte = 0; byte < 0x20; byte++) {
		name[1] = (char)byte;
		refuse(user);
	}
	name[1] = 0x7f;
	refuse(user);
}

/* RFC 5801 section 4: a saslname is UTF-8. */
static void no_other_character_set_passes(void **state)
{
	(void)state;
	refuse(span_of("caf\351@x"));
	refuse(span_of("me@x\303"));
	refuse(span_of("me\302\233@x")); /* a control character: CSI */
}

static void lengths_end_where_the_limits_are(void **state)
{
	static char name[LOGIN_MAX_BYTES + 1];
	static char token[ACCESS_TOKEN_MAX_BYTES + 1];
	struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct span empty = { NULL, 0 };

	(void)state;
	refuse(empty);
	refuse(text_of(name, LOGIN_MAX_BYTES + 1, 'a'));

	/* The longest of all: every byte of the name takes three. */
	assert_int_equal(
	    response_oauthbearer(text_of(name, LOGIN_MAX_BYTES, ','),
		text_of(token, ACCESS_TOKEN_MAX_BYTES, 'a'), &out),
	    FAULT_NONE);
	assert_int_equal(out.n, 4 + 3072 + 1 + 13 + 65000 + 2);
	buf_drop(&out);
}

static void a_full_buf_holds_no_token_afterwards(void **state)
{
	struct buf out = BUF_INIT(20);

	(void)state;
	assert_int_equal(response_xoauth2(alice, tok, &out), FAULT_TOO_BIG);
	assert_null(out.p);
}

static enum fault encode_both(void *ctx)
{
	struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	enum fault fault;

	fault = response_xoauth2(alice, *(const struct span *)ctx, &out);
	buf_drop(&out);
	if (fault != FAULT_NONE)
		return fault;
	fault = response_oauthbearer(alice, *(const struct span *)ctx, &out);
	buf_drop(&out);
	return fault;
}

static void memory_may_run_out_and_tokens_are_wiped(void **state)
{
	static char text[2000];
	struct span token = text_of(text, sizeof(text), 't');

	(void)state;
	failing_malloc_watch("tttttttt");
	assert_true(failing_malloc_each(encode_both, &token) >= 4);
	assert_false(failing_malloc_saw());
}

static void only_a_token_looks_like_one(void **state)
{
	static char text[ACCESS_TOKEN_MAX_BYTES + 1];
	static const char *const legal = "ABCXYZabcxyz0189-._~+/";
	size_t i;
	int byte;

	(void)state;
	assert_false(response_is_bearer(span_of("hunter2")));
	assert_false(response_is_bearer(span_of("abcd efgh ijkl mnop")));
	assert_false(response_is_bearer(text_of(text, 63, 'a')));
	assert_true(response_is_bearer(text_of(text, 64, 'a')));
	assert_true(response_is_bearer(text_of(text, 65000, 'a')));
	assert_false(response_is_bearer(text_of(text, 65001, 'a')));
	assert_false(response_is_bearer(text_of(text, 64, '=')));
	for (i = 0; legal[i] != '\0'; i++)
		assert_true(response_is_bearer(text_of(text, 64, legal[i])));

	for (byte = 0; byte < 256; byte++) {
		bool good = byte != 0 &&
		    strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/",
			byte);

		(void)text_of(text, 70, 'a');
		text[30] = (char)byte;
		assert_int_equal(response_is_bearer((struct span){ text, 70 }),
		    good);
	}
	(void)text_of(text, 70, 'a');
	text[68] = text[69] = '=';
	assert_true(response_is_bearer((struct span){ text, 70 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xoauth2_is_what_the_page_says),
		cmocka_unit_test(xoauth2_of_a_relay),
		cmocka_unit_test(oauthbearer_is_what_rfc_7628_says),
		cmocka_unit_test(gs2_names_are_quoted),
		cmocka_unit_test(xoauth2_quotes_nothing),
		cmocka_unit_test(utf8_goes_out_as_it_is),
		cmocka_unit_test(no_control_byte_of_a_name_passes),
		cmocka_unit_test(no_other_character_set_passes),
		cmocka_unit_test(lengths_end_where_the_limits_are),
		cmocka_unit_test(a_full_buf_holds_no_token_afterwards),
		cmocka_unit_test(memory_may_run_out_and_tokens_are_wiped),
		cmocka_unit_test(only_a_token_looks_like_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
