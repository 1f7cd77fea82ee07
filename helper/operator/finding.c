/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The words of a check.
 */
#include <stdarg.h>
#include <stdio.h>

#include "operator/doctor.h"

static void fill(char *to, size_t bytes, const char *format, va_list args)
{
	size_t n = strlen(to);

	(void)vsnprintf(to + n, bytes - n, format, args);
}

#define FILL(member) \
	do { \
		va_list args; \
		va_start(args, format); \
		fill(finding->member, sizeof(finding->member), format, args); \
		va_end(args); \
	} while (0)

void finding_good(struct finding *finding, const char *format, ...)
{
	finding->verdict = VERDICT_GOOD;
	FILL(text);
}

void finding_none(struct finding *finding, const char *format, ...)
{
	finding->verdict = VERDICT_NONE;
	FILL(text);
}

void finding_wrong(struct finding *finding, const char *format, ...)
{
	finding->verdict = VERDICT_WRONG;
	FILL(text);
}

void finding_type(struct finding *finding, const char *format, ...)
{
	if (finding->type[0] != '\0') {
		size_t n = strlen(finding->type);

		(void)snprintf(finding->type + n, sizeof(finding->type) - n,
		    "\n");
	}
	FILL(type);
}
