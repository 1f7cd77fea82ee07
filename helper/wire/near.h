/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * near - the word that was probably meant
 */
#ifndef MAILTOKEN_WIRE_NEAR_H
#define MAILTOKEN_WIRE_NEAR_H

#include "wire/span.h"

/*
 * near_word - the nearest to word in words, which have blanks between them;
 * empty when none is near.  One that continues it comes first.
 */
struct span near_word(struct span word, const char *words);

#endif
