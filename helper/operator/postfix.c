/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postconf's lines, kept as they are and looked up.
 */
#include "operator/postfix.h"

#include <stdio.h>
#include <string.h>

#include "operator/run.h"

#define LINES_MAX_BYTES ((size_t)1 << 20)
#define KEY_BYTES	400
#define CHROOT_FIELD	4 /* service type private unpriv CHROOT */

enum fault postfix_read(const char *config_dir, struct postfix *postfix_out,
    struct why *why)
{
	struct postfix postfix = {
		.parameters = BUF_INIT(LINES_MAX_BYTES),
		.services = BUF_INIT(LINES_MAX_BYTES),
	};
	const char *option = config_dir != NULL ? "-c" : NULL;

	if (run(&postfix.parameters, why, "postconf", "-x", option, config_dir,
		NULL) &&
	    run(&postfix.parameters, why, "postconf", "-Px", option, config_dir,
		NULL) &&
	    run(&postfix.services, why, "postconf", "-M", option, config_dir,
		NULL)) {
		*postfix_out = postfix;
		return FAULT_NONE;
	}
	postfix_drop(&postfix);
	return FAULT_IO;
}

void postfix_drop(struct postfix *postfix)
{
	buf_drop(&postfix->parameters);
	buf_drop(&postfix->services);
}

/* The next line at *at, which moves behind it; false at the end. */
static bool next_line(const struct buf *lines, size_t *at, struct span *line)
{
	if (*at >= lines->n)
		return false;
	*line = (struct span){ lines->p + *at, strcspn(lines->p + *at, "\n") };
	lines->p[*at + line->n] = '\0';
	*at += line->n + 1;
	return true;
}

/* p is NULL without such a line. */
static struct span find_value(const struct postfix *postfix, const char *name)
{
	size_t at = 0, n = strlen(name);
	struct span line;

	while (next_line(&postfix->parameters, &at, &line)) {
		if (line.n < n + 2 || memcmp(line.p, name, n) != 0 ||
		    memcmp(line.p + n, " =", 2) != 0)
			continue;
		line = (struct span){ line.p + n + 2, line.n - n - 2 };
		while (line.n > 0 && line.p[0] == ' ')
			line = (struct span){ line.p + 1, line.n - 1 };
		return line;
	}
	return (struct span){ NULL, 0 };
}

struct span postfix_value(const struct postfix *postfix, const char *name)
{
	struct span value = find_value(postfix, name);

	return value.p != NULL ? value : span_of("");
}

struct span postfix_override(const struct postfix *postfix, const char *service,
    const char *name)
{
	char key[KEY_BYTES];

	(void)snprintf(key, sizeof(key), "%s/unix/%s", service, name);
	return find_value(postfix, key);
}

bool postfix_is(const struct postfix *postfix, const char *name)
{
	return span_is(postfix_value(postfix, name), "yes");
}

struct span postfix_service(const struct postfix *postfix, const char *name)
{
	struct span line, rest;
	size_t at = 0;

	while (next_line(&postfix->services, &at, &line)) {
		rest = line;
		if (span_is(postfix_next(&rest), name) &&
		    span_is(postfix_next(&rest), "unix"))
			return line;
	}
	return span_of("");
}

/* "-" is no since Postfix 3.0, and yes at a compatibility level below 1. */
bool postfix_chrooted(const struct postfix *postfix, const char *name)
{
	struct span line = postfix_service(postfix, name), word;
	int i;

	for (i = 0; i <= CHROOT_FIELD; i++)
		word = postfix_next(&line);
	return span_is(word, "y") ||
	    (span_is(word, "-") &&
		span_is(postfix_value(postfix, "compatibility_level"), "0"));
}

struct span postfix_next(struct span *list)
{
	static const char ends[] = ", \t\r\n";
	struct span word;
	int depth = 0;
	size_t n = 0;

	while (list->n > 0 && strchr(ends, list->p[0]) != NULL)
		*list = (struct span){ list->p + 1, list->n - 1 };
	for (; n < list->n && (depth > 0 || !strchr(ends, list->p[n])); n++)
		depth += (list->p[n] == '{') - (list->p[n] == '}');
	word = (struct span){ list->p, n };
	*list = (struct span){ list->p + n, list->n - n };
	return word;
}
