/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Token files of other programs, without memory; all else is seen from outside
 * (tests/flows/test_import.py).
 */
#include "operator/foreign.h"

#include <stdlib.h>

#include "failing_malloc.h"
#include "oauth/reply.h"
#include "test.h"

#define TOKEN \
	"{\"access_token\":\"at-secret\",\"expiry\":\"1700000000\"," \
	"\"refresh_token\":\"rt-secret\",\"user\":\"u@x\"}"

static int setup(void **state)
{
	(void)state;
	reply_setup();
	return 0;
}

/* jansson 2.14 itself crashes without memory for a larger object. */
static enum fault read_once(void *ctx)
{
	static const char conf[] = "{\"client_id\":\"c\","
				   "\"client_secret\":\"s-secret\"}";
	struct foreign foreign;
	struct why why;
	enum fault fault;

	(void)ctx;
	fault = foreign_sasl_xoauth2(BYTES(TOKEN), span_of(conf), &foreign,
	    &why);
	foreign_drop(&foreign);
	return fault;
}

static void each_lack_of_memory_is_told_and_secrets_are_wiped(void **state)
{
	(void)state;
	assert_true(failing_malloc_each(read_once, NULL) > 5);
	failing_malloc_watch("rt-secret");
	assert_true(failing_malloc_each(read_once, NULL) > 0);
	assert_false(failing_malloc_saw());
	failing_malloc_watch("s-secret");
	assert_true(failing_malloc_each(read_once, NULL) > 0);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_lack_of_memory_is_told_and_secrets_are_wiped),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
