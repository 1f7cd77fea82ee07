/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What cmocka wants included before itself, and spans of typed bytes.
 */
#ifndef MAILTOKEN_TESTS_TEST_H
#define MAILTOKEN_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/span.h"

/* The bytes of a literal, NULs inside it too. */
#define BYTES(literal) ((struct span){ (literal), sizeof(literal) - 1 })

#define assert_span(bytes, literal) \
	do { \
		struct span got_ = (bytes); \
		assert_int_equal(got_.n, sizeof(literal) - 1); \
		assert_memory_equal(got_.p, literal, sizeof(literal) - 1); \
	} while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
