/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * advice_data - the sentences, as data
 *
 * Owns the two tables; knows no rule.  A sentence has no capital at its
 * beginning and no full stop, since it follows "...: ".  Each fits into 200
 * bytes with its terminator.
 */
#ifndef MAILTOKEN_OAUTH_ADVICE_DATA_H
#define MAILTOKEN_OAUTH_ADVICE_DATA_H

#include "oauth/advice.h"

#define ADVICE_SENTENCE_MAX_BYTES 200

struct advice_code {
	int64_t code; /* the number behind AADSTS */
	const char *text;
};

/* Of an error word; one that is not here is ADVICE_TRANSIENT. */
struct advice_word {
	const char *word;
	enum advice_class class;
	const char *text;
};

/* Why Google's grants end; its word tells no more than that. */
extern const char advice_google_grant[];

extern const struct advice_code advice_codes[];
extern const size_t advice_n_codes;
extern const struct advice_word advice_words[];
extern const size_t advice_n_words;

#endif
