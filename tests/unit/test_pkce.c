/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Verifiers, challenges, states.
 */
#include "test.h"

#include "failing_malloc.h"
#include "oauth/pkce.h"

/* RFC 7636 appendix B. */
static void the_challenge_is_that_of_the_rfc(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(
	    pkce_challenge(BYTES("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
		&out),
	    FAULT_NONE);
	assert_span(buf_span(&out),
	    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	buf_drop(&out);
}

static void a_verifier_is_43_letters_of_its_alphabet(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789-_";
	struct secret *text = NULL;
	struct span bytes;

	(void)state;
	assert_int_equal(pkce_random(&text), FAULT_NONE);
	bytes = secret_reveal(text, "the test looks at it");
	assert_int_equal(bytes.n, 43);
	assert_int_equal(strspn(bytes.p, alphabet), 43);
	secret_free(text);
}

static void no_two_are_the_same(void **state)
{
	struct secret *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(pkce_random(&a), FAULT_NONE);
	assert_int_equal(pkce_random(&b), FAULT_NONE);
	assert_false(secret_equal(a, b));
	secret_free(a);
	secret_free(b);
}

static void a_challenge_that_does_not_fit_is_a_fault(void **state)
{
	struct buf out = BUF_INIT(42);

	(void)state;
	assert_int_equal(pkce_challenge(BYTES("abc"), &out), FAULT_TOO_BIG);
	buf_drop(&out);
}

static enum fault make(void *ctx)
{
	struct buf out = BUF_INIT(PKCE_TEXT_BYTES);
	struct secret *text = NULL;
	enum fault fault;

	(void)ctx;
	fault = pkce_random(&text);
	if (fault == FAULT_NONE)
		fault = pkce_challenge(
		    secret_reveal(text, "the test looks at it"), &out);
	secret_free(text);
	buf_drop(&out);
	return fault;
}

static void no_memory_is_a_fault(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(make, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_challenge_is_that_of_the_rfc),
		cmocka_unit_test(a_verifier_is_43_letters_of_its_alphabet),
		cmocka_unit_test(no_two_are_the_same),
		cmocka_unit_test(a_challenge_that_does_not_fit_is_a_fault),
		cmocka_unit_test(no_memory_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
