/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * span - some bytes that somebody else owns
 *
 * A span is passed by value and owns nothing.  p may be NULL only when n is
 * 0.  The bytes are not terminated unless a function says so.
 */
#ifndef MAILTOKEN_WIRE_SPAN_H
#define MAILTOKEN_WIRE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* The bytes of a terminated string; NULL gives the empty span. */
static inline struct span span_of(const char *s)
{
	struct span span = { s, s != NULL ? strlen(s) : 0 };

	return span;
}

/* Not for secrets: the time it takes tells where the difference is. */
static inline bool span_is(struct span span, const char *s)
{
	size_t n = strlen(s);

	return span.n == n && (n == 0 || memcmp(span.p, s, n) == 0);
}

#endif
