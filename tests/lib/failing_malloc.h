/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * failing_malloc - allocations that fail when a test says so
 *
 * Linked with -Wl,--wrap= for malloc, calloc, realloc, strdup and free, so
 * it stands between our objects and libc; libraries are not touched.  Also
 * looks into every block that is freed for bytes that should be wiped.
 */
#ifndef MAILTOKEN_TESTS_FAILING_MALLOC_H
#define MAILTOKEN_TESTS_FAILING_MALLOC_H

#include "wire/fault.h"

/* failing_malloc_at - the nth allocation from now on fails; 0: none. */
void failing_malloc_at(unsigned long nth);

/* failing_malloc_off - no more failures; whether there was one. */
bool failing_malloc_off(void);

/*
 * failing_malloc_each - call step with the first, second, ... allocation
 * failing, until it needs no more of them
 *
 * Returns how many there were; -1 when a failure did not give FAULT_NOMEM,
 * or when the step failed with none.
 */
int failing_malloc_each(enum fault (*step)(void *ctx), void *ctx);

/*
 * failing_malloc_watch - look for mark (at least 8 bytes) in what is freed;
 * failing_malloc_saw() ends that and says whether it was there.
 */
void failing_malloc_watch(const char *mark);
bool failing_malloc_saw(void);

#endif
