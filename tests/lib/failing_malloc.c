/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The wrappers, and the loop over "the nth allocation fails".
 */
#include "failing_malloc.h"

#include <malloc.h>
#include <stdlib.h>

/* A freed block is searched whole, with what nobody has written. */
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define ALL_IS_READ(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED(p, n))
#else
#define ALL_IS_READ(p, n) ((void)0)
#endif

#define EACH_MAX 10000

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static unsigned long left;
static bool has_failed;
static const char *mark;
static bool has_mark;

static bool must_fail(void)
{
	if (left == 0 || --left > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return must_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
	return must_fail() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return must_fail() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	return must_fail() ? NULL : __real_strdup(s);
}

void __wrap_free(void *p)
{
	size_t n = malloc_usable_size(p);

	if (p != NULL && mark != NULL) {
		ALL_IS_READ(p, n);
		if (memmem(p, n, mark, strlen(mark)) != NULL)
			has_mark = true;
	}
	__real_free(p);
}

void failing_malloc_at(unsigned long nth)
{
	left = nth;
	has_failed = false;
}

bool failing_malloc_off(void)
{
	left = 0;
	return has_failed;
}

int failing_malloc_each(enum fault (*step)(void *ctx), void *ctx)
{
	enum fault fault;
	int n;

	for (n = 1; n < EACH_MAX; n++) {
		failing_malloc_at((unsigned long)n);
		fault = step(ctx);
		if (!failing_malloc_off())
			return fault == FAULT_NONE ? n - 1 : -1;
		if (fault != FAULT_NOMEM)
			return -1;
	}
	return -1;
}

void failing_malloc_watch(const char *what)
{
	mark = what;
	has_mark = false;
}

bool failing_malloc_saw(void)
{
	mark = NULL;
	return has_mark;
}
