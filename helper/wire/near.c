/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Edit distance, two neighbours changed over counting as one edit.
 */
#include "wire/near.h"

#define LONG_BYTES 40

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(struct span a, struct span b)
{
	size_t rows[LONG_BYTES + 1][LONG_BYTES + 1], i, j, change;

	for (i = 0; i <= a.n; i++)
		rows[i][0] = i;
	for (j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (i = 1; i <= a.n; i++) {
		for (j = 1; j <= b.n; j++) {
			change = a.p[i - 1] != b.p[j - 1];
			rows[i][j] = least(rows[i - 1][j - 1] + change,
			    1 + least(rows[i - 1][j], rows[i][j - 1]));
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				rows[i][j] = least(rows[i][j],
				    rows[i - 2][j - 2] + 1);
		}
	}
	return rows[a.n][b.n];
}

struct span near_word(struct span word, const char *words)
{
	struct span found = { words, 0 }, one;
	size_t best = word.n / 3 + 1, n;

	while ((one = span_next(&words)).n > 0) {
		if (one.n > LONG_BYTES || word.n > LONG_BYTES)
			continue;
		if (word.n >= 3 && one.n > word.n &&
		    memcmp(one.p, word.p, word.n) == 0)
			return one;
		n = distance(word, one);
		if (n < best || (n == best && found.n == 0 && word.n > 2)) {
			best = n;
			found = one;
		}
	}
	return found;
}
