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
#include <strings.h>

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

/* The next of words with blanks between them, and *list behind it; an empty
 * one after the last; NULL has none. */
static inline struct span span_next(const char **list)
{
	struct span word = { *list, 0 };

	if (*list != NULL) {
		word.p += strspn(*list, " ");
		word.n = strcspn(word.p, " ");
		*list = word.p + word.n;
	}
	return word;
}

/* Whether word is one of such words, whatever its letters' case. */
static inline bool span_listed(struct span word, const char *list)
{
	struct span one;

	while ((one = span_next(&list)).n > 0)
		if (one.n == word.n && strncasecmp(one.p, word.p, one.n) == 0)
			return true;
	return false;
}

#endif
