/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The text is indexed by what every run of letters ends in, a part of it at a
 * time; then each form of the secret runs past the index.  Copies are wiped.
 */
#include "wire/echo.h"

#include <stdint.h>

#include "wire/secret.h"

#define RUN_MAX	   12
#define RUN_MIN	   8
#define WHOLE_MIN  4
#define PART_BYTES 2048
#define SLOTS	   4096 /* 2 to the 12th */

/* The last letters that came by. */
struct run {
	size_t bytes;
	size_t n;		/* how many came */
	char last[2 * RUN_MAX]; /* each twice, so that they stand in a row */
	uint64_t ending;
};

/* A part of the text, letters only, with the places where runs begin. */
struct part {
	bool escapes;
	size_t n;
	char p[PART_BYTES];
	uint16_t begin[SLOTS]; /* 1 more than it is; 0: none */
};

/* Folded; 0 for all that does not count. */
static char letter_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? (char)c : 0;
}

static int digit_of(char c)
{
	c = letter_of((unsigned char)c);
	if (c >= 'a')
		return c <= 'f' ? c - 'a' + 10 : -1;
	return c != 0 ? c - '0' : -1;
}

/* The byte that n digits behind the first skip bytes stand for; -1: none. */
static int escaped(struct span text, size_t skip, size_t n)
{
	int value = 0, digit;
	size_t i;

	if (text.n < skip + n)
		return -1;
	for (i = skip; i < skip + n; i++) {
		digit = digit_of(text.p[i]);
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value <= 0xff ? value : -1;
}

/*
 * The next byte of text.  With escapes: of JSON's, of a form's and of our own
 * the one that it stands for.
 */
static unsigned char next_byte(struct span *text, bool escapes)
{
	size_t used = 1;
	int value = -1;

	if (escapes && text->p[0] == '%') {
		used = 3;
		value = escaped(*text, 1, 2);
	} else if (escapes && text->p[0] == '\\' && text->n > 1) {
		used = text->p[1] == 'u' ? 6 : text->p[1] == 'x' ? 4 : 2;
		value = used > 2 ? escaped(*text, 2, used - 2) :
		    strchr("bfnrt", text->p[1]) != NULL ? ' ' :
							  -1;
	}
	if (value < 0) {
		used = 1;
		value = (unsigned char)text->p[0];
	}
	text->p += used;
	text->n -= used;
	return (unsigned char)value;
}

static void run_begin(struct run *run, size_t bytes)
{
	run->bytes = bytes;
	run->n = 0;
	run->ending = 0;
}

/* NULL while fewer came than a run has. */
static const char *run_add(struct run *run, char letter)
{
	size_t at = run->n++ % run->bytes;

	run->last[at] = letter;
	run->last[at + run->bytes] = letter;
	run->ending = run->ending << 8 | (unsigned char)letter;
	return run->n >= run->bytes ? run->last + at + 1 : NULL;
}

/* Where in the index it stands, or would stand. */
static uint16_t *find(struct part *part, const struct run *run,
    const char *letters)
{
	size_t at = (size_t)(run->ending * 0x9e3779b97f4a7c15u >> 52);

	while (part->begin[at] != 0 &&
	    memcmp(part->p + part->begin[at] - 1, letters, run->bytes) != 0)
		at = (at + 1) % SLOTS;
	return &part->begin[at];
}

/* The next part of text; the end of the last one may begin a run. */
static void part_fill(struct part *part, struct span *text, size_t bytes)
{
	const char *letters;
	struct run run;
	size_t i;

	if (part->n >= bytes) {
		memmove(part->p, part->p + part->n - (bytes - 1), bytes - 1);
		part->n = bytes - 1;
	}
	while (text->n > 0 && part->n < PART_BYTES) {
		char letter = letter_of(next_byte(text, part->escapes));

		if (letter != 0)
			part->p[part->n++] = letter;
	}
	memset(part->begin, 0, sizeof(part->begin));
	run_begin(&run, bytes);
	for (i = 0; i < part->n; i++) {
		letters = run_add(&run, part->p[i]);
		if (letters != NULL)
			*find(part, &run, letters) = (uint16_t)(i + 2 - bytes);
	}
}

static bool came_by(struct part *part, struct run *run, char c)
{
	char letter = letter_of((unsigned char)c);
	const char *letters = letter != 0 ? run_add(run, letter) : NULL;

	return letters != NULL && *find(part, run, letters) != 0;
}

static bool holds_plain(struct part *part, struct span secret, size_t bytes)
{
	struct run run;
	size_t i;

	run_begin(&run, bytes);
	for (i = 0; i < secret.n; i++)
		if (came_by(part, &run, secret.p[i]))
			return true;
	return false;
}

/*
 * In digits of so many bits each, without the first skip bits, which one
 * digit has together with what stands before the secret.
 */
static bool holds_digits(struct part *part, struct span secret, size_t bytes,
    unsigned bits, unsigned skip)
{
	static const char base16[] = "0123456789abcdef";
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *digits = bits == 4 ? base16 : base64;
	unsigned have = 0, value = 0;
	struct run run;
	size_t i;

	run_begin(&run, bytes);
	for (i = 0; i < secret.n; i++) {
		value = (value & 0xff) << 8 | (unsigned char)secret.p[i];
		have += i == 0 ? 8 - skip : 8;
		for (; have >= bits; have -= bits)
			if (came_by(part, &run,
				digits[value >> (have - bits) &
				    ((1u << bits) - 1)]))
				return true;
	}
	return false;
}

static bool part_holds(struct part *part, struct span secret, size_t bytes)
{
	return holds_plain(part, secret, bytes) ||
	    holds_digits(part, secret, bytes, 6, 0) ||
	    holds_digits(part, secret, bytes, 6, 2) ||
	    holds_digits(part, secret, bytes, 6, 4) ||
	    holds_digits(part, secret, bytes, 4, 0);
}

static bool holds(struct span text, struct span secret, size_t bytes,
    bool escapes)
{
	struct part part;
	bool found = false;

	part.escapes = escapes;
	part.n = 0;
	while (!found && text.n > 0) {
		part_fill(&part, &text, bytes);
		found = part.n >= bytes && part_holds(&part, secret, bytes);
	}
	secret_wipe(&part, sizeof(part));
	return found;
}

bool echo_holds(struct span text, struct span secret)
{
	size_t letters = 0, bytes, i;

	for (i = 0; i < secret.n; i++)
		letters += letter_of((unsigned char)secret.p[i]) != 0;
	if (letters < RUN_MIN || text.n < RUN_MIN)
		return secret.n >= WHOLE_MIN && text.n >= secret.n &&
		    memmem(text.p, text.n, secret.p, secret.n) != NULL;
	bytes = letters < RUN_MAX ? RUN_MIN : RUN_MAX;
	return holds(text, secret, bytes, false) ||
	    ((memchr(text.p, '%', text.n) != NULL ||
		 memchr(text.p, '\\', text.n) != NULL) &&
		holds(text, secret, bytes, true));
}
