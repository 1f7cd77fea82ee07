/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A run of letters and digits is a number in base 36.  The numbers of all runs
 * of the text stand in a table, a part of the text at a time; then each form
 * of the secret runs past it.  Copies are wiped.
 */
#include "wire/echo.h"

#include <stdint.h>

#include "wire/buf.h"

#define RUN_MAX	  12 /* 36 to the 12th is less than 2 to the 64th */
#define RUN_MIN	  8
#define WHOLE_MIN 4
#define SLOTS	  2048 /* 2 to the 11th; half of them are used */
#define BASE64 \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz0123456789+/"

/* The last letters that came by. */
struct run {
	size_t bytes, n; /* how many a run has, how many came */
	uint64_t first;	 /* what the first of them counts */
	uint64_t number;
};

static struct run run_of(size_t bytes)
{
	struct run run = { .bytes = bytes, .first = 1 };

	while (bytes-- > 1)
		run.first *= 36;
	return run;
}

/* Folded; -1 for all that does not count. */
static int digit_of(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
}

/* 1 more than the number of the last run; 0 where c ends none. */
static uint64_t run_add(struct run *run, unsigned char c)
{
	int digit = digit_of(c);

	if (digit < 0)
		return 0;
	run->number = run->number % run->first * 36 + (uint64_t)digit;
	return ++run->n >= run->bytes ? run->number + 1 : 0;
}

/* Where it stands in the table, or would stand. */
static uint64_t *slot_of(uint64_t *table, uint64_t number)
{
	size_t at = (size_t)(number * 0x9e3779b97f4a7c15u >> 53);

	while (table[at] != 0 && table[at] != number)
		at = (at + 1) % SLOTS;
	return &table[at];
}

/* The byte that n digits behind the first skip bytes stand for; -1: none. */
static int escaped(struct span text, size_t skip, size_t n)
{
	int value = 0, digit;
	size_t i;

	if (text.n < skip + n)
		return -1;
	for (i = skip; i < skip + n; i++) {
		digit = digit_of((unsigned char)text.p[i]);
		if (digit < 0 || digit > 15)
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

/* In digits of so many bits each, without the first skip bits, which one
 * digit has together with what stands before the secret. */
static const struct form {
	unsigned bits, skip;
	const char *digits; /* NULL: the bytes themselves */
} forms[] = {
	{ 8, 0, NULL },
	{ 6, 0, BASE64 },
	{ 6, 2, BASE64 },
	{ 6, 4, BASE64 },
	{ 4, 0, "0123456789abcdef" },
};

static bool table_holds(uint64_t *table, struct span secret, struct run run,
    const struct form *form)
{
	unsigned have = 0, value = 0, digit;
	uint64_t number;
	size_t i;

	for (i = 0; i < secret.n; i++) {
		value = (value & 0xff) << 8 | (unsigned char)secret.p[i];
		have += i == 0 ? 8 - form->skip : 8;
		for (; have >= form->bits; have -= form->bits) {
			digit = value >> (have - form->bits) &
			    ((1u << form->bits) - 1);
			if (form->digits != NULL)
				digit = (unsigned char)form->digits[digit];
			number = run_add(&run, (unsigned char)digit);
			if (number != 0 && *slot_of(table, number) == number)
				return true;
		}
	}
	return false;
}

static bool holds(struct span text, struct span secret, size_t bytes,
    bool escapes)
{
	struct run run = run_of(bytes);
	uint64_t table[SLOTS], number;
	bool found = false;
	size_t n, i;

	while (!found && text.n > 0) {
		memset(table, 0, sizeof(table));
		for (n = 0; n < SLOTS / 2 && text.n > 0;) {
			number = run_add(&run, next_byte(&text, escapes));
			if (number != 0) {
				*slot_of(table, number) = number;
				n++;
			}
		}
		for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
			found = found ||
			    (n > 0 &&
				table_holds(table, secret, run_of(bytes),
				    &forms[i]));
	}
	secret_wipe(table, sizeof(table));
	secret_wipe(&run, sizeof(run));
	return found;
}

bool echo_holds(struct span text, struct span secret)
{
	size_t letters = 0, bytes, i;

	for (i = 0; i < secret.n; i++)
		letters += digit_of((unsigned char)secret.p[i]) >= 0;
	if (letters < RUN_MIN || text.n < RUN_MIN)
		return secret.n >= WHOLE_MIN && text.n >= secret.n &&
		    memmem(text.p, text.n, secret.p, secret.n) != NULL;
	bytes = letters < RUN_MAX ? RUN_MIN : RUN_MAX;
	return holds(text, secret, bytes, false) ||
	    ((memchr(text.p, '%', text.n) != NULL ||
		 memchr(text.p, '\\', text.n) != NULL) &&
		holds(text, secret, bytes, true));
}
