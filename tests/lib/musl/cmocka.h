/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the unit tests of wire and plugin use of cmocka, for a libc that no
 * cmocka is there for: tests/rules/musl.  The first wrong thing ends the
 * program with status 1.
 */
#ifndef MAILTOKEN_TESTS_MUSL_CMOCKA_H
#define MAILTOKEN_TESTS_MUSL_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	CMFixtureFunction setup, teardown;
};

static jmp_buf cmocka_skipped;

#define fail_msg(...) \
	do { \
		(void)printf("%s:%d: ", __FILE__, __LINE__); \
		(void)printf(__VA_ARGS__); \
		(void)putchar('\n'); \
		exit(1); \
	} while (0)
#define assert_true(x) \
	do { \
		if (!(x)) \
			fail_msg("not true: %s", #x); \
	} while (0)
#define assert_false(x)		      assert_true(!(x))
#define assert_null(x)		      assert_true((x) == NULL)
#define assert_non_null(x)	      assert_true((x) != NULL)
#define assert_int_equal(a, b)	      assert_true((long)(a) == (long)(b))
#define assert_ptr_equal(a, b)	      assert_true((a) == (b))
#define assert_ptr_not_equal(a, b)    assert_true((a) != (b))
#define assert_return_code(r, e)      assert_true((r) >= 0 || (e) < 0)
#define assert_string_equal(a, b)     assert_true(strcmp(a, b) == 0)
#define assert_string_not_equal(a, b) assert_true(strcmp(a, b) != 0)
#define assert_memory_equal(a, b, n)  assert_true(memcmp(a, b, n) == 0)
#define print_message(...)	      (void)printf(__VA_ARGS__)
#define skip()			      longjmp(cmocka_skipped, 1)

#define cmocka_unit_test(f) \
	{ \
#f, f, NULL, NULL \
	}
#define cmocka_unit_test_setup(f, s) \
	{ \
#f, f, s, NULL \
	}
#define cmocka_unit_test_setup_teardown(f, s, t) \
	{ \
#f, f, s, t \
	}
#define cmocka_run_group_tests(tests, setup, teardown) \
	cmocka_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

static inline int cmocka_run(const struct CMUnitTest *tests, size_t n,
    CMFixtureFunction setup, CMFixtureFunction teardown)
{
	void *group = NULL;
	size_t i;

	assert_true(setup == NULL || setup(&group) == 0);
	for (i = 0; i < n; i++) {
		void *state = group;

		(void)printf("%s\n", tests[i].name);
		if (tests[i].setup != NULL)
			assert_int_equal(tests[i].setup(&state), 0);
		if (setjmp(cmocka_skipped) == 0)
			tests[i].test(&state);
		if (tests[i].teardown != NULL)
			assert_int_equal(tests[i].teardown(&state), 0);
	}
	assert_true(teardown == NULL || teardown(&group) == 0);
	return 0;
}

#endif
