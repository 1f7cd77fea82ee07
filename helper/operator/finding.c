/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The words of a check, and whom it is about.
 */
#include <stdarg.h>
#include <stdio.h>

#include "operator/doctor.h"
#include "operator/explain.h"

#define NAME "._+@-" ATTR_ALNUM

static __attribute__((format(printf, 3, 0))) void fill(char *to, size_t bytes,
    const char *format, va_list args)
{
	size_t n = strlen(to);

	(void)vsnprintf(to + n, bytes - n, format, args);
}

const char *finding_name(const char *account)
{
	return account[0] == '-' || account[strspn(account, NAME)] != '\0' ?
	    EXPLAIN_ACCOUNT :
	    account;
}

#define WORD  "._%+@-" ATTR_ALNUM
#define ZEROS "00000000-0000-0000-0000-000000000000"

/* What stands for a word; NULL: itself. */
static const char *mask_of(struct span word)
{
	static const char tenant[] = ".onmicrosoft.com";
	size_t n = sizeof(tenant) - 1;

	if (memchr(word.p, '@', word.n) != NULL)
		return "user@example.com";
	if (word.n > n && memcmp(word.p + word.n - n, tenant, n) == 0)
		return "tenant.onmicrosoft.com";
	return word.n == sizeof(ZEROS) - 1 && word.p[8] == '-' &&
		word.p[13] == '-' ?
	    ZEROS :
	    NULL;
}

void finding_mask(char *text, size_t bytes)
{
	struct buf out = BUF_INIT(bytes - 1);
	const char *mask;
	struct span word = { text, 0 };

	for (; *word.p != '\0'; word.p += word.n > 0 ? word.n : 1) {
		word.n = strspn(word.p, WORD);
		while (word.n > 0 && word.p[word.n - 1] == '.')
			word.n--; /* of the sentence */
		mask = word.n > 0 ? mask_of(word) : NULL;
		buf_add(&out,
		    mask != NULL ?
			span_of(mask) :
			(struct span){ word.p, word.n > 0 ? word.n : 1 });
	}
	(void)snprintf(text, bytes, "%s", out.p != NULL ? out.p : "");
	buf_drop(&out);
}

void finding_say(struct finding *finding, enum verdict verdict,
    const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	va_start(args, format);
	fill(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

void finding_type(struct finding *finding, const char *format, ...)
{
	size_t n = strlen(finding->type);
	va_list args;

	if (n > 0)
		(void)snprintf(finding->type + n, sizeof(finding->type) - n,
		    "\n");
	va_start(args, format);
	fill(finding->type, sizeof(finding->type), format, args);
	va_end(args);
}

struct span finding_line(const char **text)
{
	struct span line = { *text, 0 };

	line.p += strspn(line.p, "\n");
	line.n = strcspn(line.p, "\n");
	*text = line.p + line.n;
	return line;
}

struct doctor_account *doctor_account_of(struct doctor *doctor,
    const char *name)
{
	size_t i;

	for (i = 0; i < doctor->n_accounts; i++)
		if (strcasecmp(doctor->accounts[i].name, name) == 0)
			return &doctor->accounts[i];
	return NULL;
}
