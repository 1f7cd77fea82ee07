/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz - what a harness is
 *
 * Each fuzz_NAME.c gives one parser arbitrary bytes and checks what must
 * hold of its answer.  It is linked with libFuzzer (configure
 * --enable-fuzzing) or with run_seeds.c, which feeds it the files of
 * seeds/NAME and small changes of them.
 */
#ifndef MAILTOKEN_TESTS_FUZZ_H
#define MAILTOKEN_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/fault.h"

/* The name of the harness and of its folder of seeds. */
extern const char fuzz_name[];

/* Its name is libFuzzer's.  bytes: not terminated, of exactly n bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define FUZZ_CHECK(promise) \
	do { \
		if (!(promise)) { \
			(void)fprintf(stderr, "%s:%d: does not hold: %s\n", \
			    __FILE__, __LINE__, #promise); \
			abort(); \
		} \
	} while (0)

static inline struct span fuzz_span(const uint8_t *bytes, size_t n)
{
	return (struct span){ (const char *)bytes, n };
}

/* The bytes up to the first NUL, terminated; to be freed. */
static inline char *fuzz_string(struct span text)
{
	char *copy = malloc(text.n + 1);

	FUZZ_CHECK(copy != NULL);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return copy;
}

/* The bytes up to a line end, which is taken away with them. */
static inline struct span fuzz_line(struct span *rest)
{
	const char *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	struct span line = *rest;

	if (lf == NULL) {
		*rest = (struct span){ NULL, 0 };
		return line;
	}
	line.n = (size_t)(lf - line.p);
	rest->p += line.n + 1;
	rest->n -= line.n + 1;
	return line;
}

/* Whether text can be shown on any terminal. */
static inline bool fuzz_is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* Whether text has no control byte of ASCII. */
static inline bool fuzz_is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

#endif
