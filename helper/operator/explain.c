/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of what is known, and the search in it: the first row of which a
 * pattern stands in the text.
 */
#include "operator/explain.h"

/*
 * patterns: one a line, in lower case: "*" is anything, "^" the beginning and
 * "$" the end of the text.  explain.conf has more of it.
 */
#define S(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}
static const struct explained rows[] = {
#include "operator/explain_rows.inc"
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_';
}

/* Whether part stands there as no piece of a longer word or number; "*" behind
 * it lets it go on. */
static bool is_apart(struct span text, const char *at, struct span part)
{
	const char *end = at + part.n, *last = text.p + text.n;

	if (at > text.p && is_word(at[0]) &&
	    (is_word(at[-1]) || (is_digit(at[0]) && at[-1] == '.')))
		return false;
	if (end == last || !is_word(end[-1]) || part.p[part.n] == '*')
		return true;
	return !is_word(end[0]) &&
	    !(end[0] == '.' && end + 1 < last && is_digit(end[1]));
}

/* The first place of part at or behind from; NULL: there is none. */
static const char *place_of(struct span text, const char *from,
    struct span part)
{
	size_t left = text.n - (size_t)(from - text.p);
	const char *at;

	while ((at = memmem(from, left, part.p, part.n)) != NULL &&
	    !is_apart(text, at, part)) {
		left -= (size_t)(at + 1 - from);
		from = at + 1;
	}
	return at;
}

/* A pattern ends with a newline or the string. */
static bool stands_in(struct span text, const char *pattern)
{
	bool starts = *pattern == '^';
	const char *from = text.p, *at;
	struct span part = { pattern + starts, 0 };

	for (;; part.p += part.n + 1) {
		part.n = strcspn(part.p, "*$\n");
		at = part.n > 0 ? place_of(text, from, part) : from;
		if (at == NULL || (starts && at != text.p))
			return false;
		starts = false;
		from = at + part.n;
		if (part.p[part.n] != '*')
			return part.p[part.n] != '$' || from == text.p + text.n;
	}
}

static bool is_known(const char *pattern, struct span text)
{
	while (!stands_in(text, pattern)) {
		pattern += strcspn(pattern, "\n");
		if (*pattern++ == '\0')
			return false;
	}
	return true;
}

bool explain_find(struct span text, struct explained *out)
{
	char lower[EXPLAIN_MAX_BYTES];
	struct span all = { lower, 0 };
	size_t i;

	while (text.n > 0 && (unsigned char)text.p[0] <= ' ')
		text = (struct span){ text.p + 1, text.n - 1 };
	while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ')
		text.n--;
	for (; all.n < text.n && all.n < sizeof(lower); all.n++)
		lower[all.n] = text.p[all.n] >= 'A' && text.p[all.n] <= 'Z' ?
		    (char)(text.p[all.n] - 'A' + 'a') :
		    text.p[all.n];
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_known(rows[i].patterns, all)) {
			*out = rows[i];
			return true;
		}
	return false;
}

/* What an address may be made of here; a shell takes all of it as it is. */
static bool is_of_address(char c)
{
	return is_word(c) || c == '.' || c == '+' || c == '-';
}

/* user=<...> names one; to=<...>, from=<...> and a message-id do not. */
static bool names_account(struct span before)
{
	static const char user[] = "user=<";
	size_t n = sizeof(user) - 1;

	return before.n == 0 || before.p[before.n - 1] != '<' ||
	    (before.n >= n && memcmp(before.p + before.n - n, user, n) == 0);
}

struct span explain_account(struct span text)
{
	size_t sign, first, last;

	for (sign = 0; sign < text.n; sign++) {
		if (text.p[sign] != '@')
			continue;
		for (first = sign;
		     first > 0 && is_of_address(text.p[first - 1]);)
			first--;
		for (last = sign + 1;
		     last < text.n && is_of_address(text.p[last]);)
			last++;
		while (text.p[last - 1] == '.')
			last--;
		if (first < sign && text.p[first] != '-' && last > sign + 1 &&
		    names_account((struct span){ text.p, first }))
			return (struct span){ text.p + first, last - first };
	}
	return (struct span){ NULL, 0 };
}
