/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Secrets keep every byte, and leave none behind.
 */
#include "wire/buf.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "test.h"

#define MARK "0123456789-mark"

static void any_bytes_come_back_and_a_nul_follows(void **state)
{
	struct secret *secret = NULL;
	struct span span;

	(void)state;
	assert_int_equal(secret_new(BYTES("a\0b\377\n"), &secret), FAULT_NONE);
	span = secret_reveal(secret, "test");
	assert_span(span, "a\0b\377\n");
	assert_int_equal(span.p[span.n], '\0');
	assert_int_equal(secret_bytes(secret), 5);
	secret_free(secret);
	assert_int_equal(secret_bytes(NULL), 0);
	secret_free(NULL);
}

static void empty_secrets_are_secrets(void **state)
{
	struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(span_of(NULL), &secret), FAULT_NONE);
	assert_int_equal(secret_bytes(secret), 0);
	assert_true(secret_equal(secret, secret));
	secret_free(secret);
}

static void limit_is_a_mebibyte(void **state)
{
	struct span span = { NULL, 1048576 };
	struct secret *secret = NULL;
	char *bytes = calloc(1, 1048577);

	(void)state;
	assert_non_null(bytes);
	span.p = bytes;
	assert_int_equal(secret_new(span, &secret), FAULT_NONE);
	secret_free(secret);
	secret = NULL;
	span.n++;
	assert_int_equal(secret_new(span, &secret), FAULT_TOO_BIG);
	assert_null(secret);
	free(bytes);
}

static void equal_means_the_same_bytes(void **state)
{
	struct secret *a, *b, *c, *d;

	(void)state;
	assert_int_equal(secret_new(BYTES("abc"), &a), FAULT_NONE);
	assert_int_equal(secret_copy(a, &b), FAULT_NONE);
	assert_int_equal(secret_new(BYTES("abd"), &c), FAULT_NONE);
	assert_int_equal(secret_new(BYTES("ab"), &d), FAULT_NONE);
	assert_true(secret_equal(a, b));
	assert_false(secret_equal(a, c));
	assert_false(secret_equal(a, d));
	assert_false(secret_equal(a, NULL));
	assert_false(secret_equal(NULL, a));
	assert_false(secret_equal(NULL, NULL));
	secret_free(a);
	secret_free(b);
	secret_free(c);
	secret_free(d);
}

static void freed_memory_holds_no_secret(void **state)
{
	struct secret *secret;

	(void)state;
	failing_malloc_watch(MARK);
	assert_int_equal(secret_new(BYTES(MARK), &secret), FAULT_NONE);
	secret_free(secret);
	assert_false(failing_malloc_saw());
}

static enum fault make(void *ctx)
{
	struct secret *secret = NULL;
	enum fault fault = secret_new(BYTES("x"), &secret);

	(void)ctx;
	if (fault != FAULT_NONE)
		assert_null(secret);
	secret_free(secret);
	return fault;
}

static void no_memory_is_a_fault(void **state)
{
	(void)state;
	assert_int_equal(failing_malloc_each(make, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_come_back_and_a_nul_follows),
		cmocka_unit_test(empty_secrets_are_secrets),
		cmocka_unit_test(limit_is_a_mebibyte),
		cmocka_unit_test(equal_means_the_same_bytes),
		cmocka_unit_test(freed_memory_holds_no_secret),
		cmocka_unit_test(no_memory_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
