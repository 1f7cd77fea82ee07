/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base64 against the vectors of RFC 4648 section 10, and in pieces.
 */
#include "wire/base64.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "test.h"

static const struct {
	const char *plain;
	const char *text;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void the_vectors_of_the_rfc_hold(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf text = BUF_INIT(100);
		struct buf plain = BUF_INIT(100);

		base64_add(&text, span_of(vectors[i].plain));
		assert_true(span_is(buf_span(&text), vectors[i].text));
		assert_int_equal(
		    base64_decode(span_of(vectors[i].text), &plain),
		    FAULT_NONE);
		assert_true(span_is(buf_span(&plain), vectors[i].plain));
		buf_drop(&text);
		buf_drop(&plain);
	}
}

static void what_the_encoder_does_not_write_is_refused(void **state)
{
	static const char *const bad[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zg===",
		"=",
		"====",
		"Zh==",
		"Zm9=",
		"Zg==Zg==",
		"Zm9v\n",
		" Zm9v",
		"Zm-v",
		"Zm_v",
		"Z=g=",
		"Zm9v=",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf plain = BUF_INIT(100);

		assert_int_equal(base64_decode(span_of(bad[i]), &plain),
		    FAULT_GRAMMAR);
		assert_int_equal(plain.n, 0);
		buf_drop(&plain);
	}
}

static void more_than_the_limit_is_too_big(void **state)
{
	struct buf plain = BUF_INIT(2);

	(void)state;
	assert_int_equal(base64_decode(span_of("Zm9v"), &plain), FAULT_TOO_BIG);
	buf_drop(&plain);
}

/* 96,000 bytes, the largest record, become two pieces. */
static void pieces_come_back_whole(void **state)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf back = BUF_INIT(ENTRY_MAX_BYTES);
	char *bytes = malloc(ENTRY_MAX_BYTES);
	struct attr_writer writer;
	struct attrs attrs;
	size_t i;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < ENTRY_MAX_BYTES; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	attr_begin(&writer, &list, WIRE_FIRST);
	base64_put(&writer, "data", (struct span){ bytes, ENTRY_MAX_BYTES });
	assert_int_equal(attr_end(&writer), FAULT_NONE);
	assert_int_equal(attr_parse(buf_span(&list), WIRE_FIRST, &attrs),
	    FAULT_NONE);
	assert_int_equal(attrs.n, 3);
	assert_int_equal(attrs.at[1].value.n, 64000);
	assert_int_equal(base64_get(&attrs, "data", &back), FAULT_NONE);
	assert_int_equal(back.n, ENTRY_MAX_BYTES);
	assert_memory_equal(back.p, bytes, ENTRY_MAX_BYTES);
	assert_int_equal(base64_get(&attrs, "defaults", &back),
	    FAULT_NOT_FOUND);
	buf_drop(&back);
	buf_drop(&list);
	free(bytes);
}

static enum fault decode_once(void *ctx)
{
	struct buf plain = BUF_INIT(100);
	enum fault fault;

	(void)ctx;
	fault = base64_decode(span_of("Zm9v"), &plain);
	buf_drop(&plain);
	return fault;
}

static void each_lack_of_memory_is_told(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(decode_once, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc_hold),
		cmocka_unit_test(what_the_encoder_does_not_write_is_refused),
		cmocka_unit_test(more_than_the_limit_is_too_big),
		cmocka_unit_test(pieces_come_back_whole),
		cmocka_unit_test(each_lack_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
