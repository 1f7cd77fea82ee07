/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postconf's lines, kept as they are and looked up.
 */
#include "operator/postfix.h"

#include <string.h>

#include "operator/run.h"

#define LINES_MAX_BYTES ((size_t)1 << 20)
#define POSTCONF_MAX_MS 20000
#define CHROOT_FIELD	4 /* service type private unpriv CHROOT */

/* postconf [-c DIR] OPTION */
static enum fault ask(const struct postfix *postfix, const char *option,
    struct buf *out, struct why *why)
{
	const char *argv[5] = { "postconf", option, NULL };

	if (postfix->config_dir != NULL) {
		argv[2] = "-c";
		argv[3] = postfix->config_dir;
		argv[4] = NULL;
	}
	return run_program(argv, (struct span){ "", 0 }, POSTCONF_MAX_MS, out,
	    why);
}

enum fault postfix_read(const char *config_dir, struct postfix *postfix_out,
    struct why *why)
{
	struct postfix postfix = {
		.config_dir = config_dir,
		.parameters = BUF_INIT(LINES_MAX_BYTES),
		.services = BUF_INIT(LINES_MAX_BYTES),
	};
	enum fault fault;

	fault = ask(&postfix, "-x", &postfix.parameters, why);
	if (fault == FAULT_NONE)
		fault = ask(&postfix, "-M", &postfix.services, why);
	if (fault) {
		postfix_drop(&postfix);
		return fault;
	}
	*postfix_out = postfix;
	return FAULT_NONE;
}

void postfix_drop(struct postfix *postfix)
{
	buf_drop(&postfix->parameters);
	buf_drop(&postfix->services);
}

/* The next line at *at, which moves behind it; false at the end. */
static bool next_line(const struct buf *lines, size_t *at, struct span *line)
{
	const char *end;

	if (*at >= lines->n)
		return false;
	line->p = lines->p + *at;
	end = memchr(line->p, '\n', lines->n - *at);
	line->n = end != NULL ? (size_t)(end - line->p) : lines->n - *at;
	*at += line->n + 1;
	return true;
}

/* The word at *at of a line, which moves behind it; empty at the end. */
static struct span next_word(struct span line, size_t *at)
{
	struct span word;

	while (*at < line.n && line.p[*at] == ' ')
		(*at)++;
	word.p = line.p + *at;
	while (*at < line.n && line.p[*at] != ' ')
		(*at)++;
	word.n = (size_t)(line.p + *at - word.p);
	return word;
}

struct span postfix_value(const struct postfix *postfix, const char *name)
{
	struct span line, word;
	size_t at = 0, in;

	while (next_line(&postfix->parameters, &at, &line)) {
		in = 0;
		if (!span_is(next_word(line, &in), name))
			continue;
		(void)next_word(line, &in); /* "=" */
		while (in < line.n && line.p[in] == ' ')
			in++;
		word = (struct span){ line.p + in, line.n - in };
		return word;
	}
	return (struct span){ "", 0 };
}

bool postfix_is(const struct postfix *postfix, const char *name)
{
	return span_is(postfix_value(postfix, name), "yes");
}

struct span postfix_service(const struct postfix *postfix, const char *name)
{
	struct span line;
	size_t at = 0, in;

	while (next_line(&postfix->services, &at, &line)) {
		in = 0;
		if (span_is(next_word(line, &in), name) &&
		    span_is(next_word(line, &in), "unix"))
			return line;
	}
	return (struct span){ "", 0 };
}

/* "-" is no since Postfix 3.0, and yes at a compatibility level below 1. */
bool postfix_chrooted(const struct postfix *postfix, const char *name)
{
	struct span line = postfix_service(postfix, name), word = { "", 0 };
	size_t in = 0, i;

	for (i = 0; i <= CHROOT_FIELD; i++)
		word = next_word(line, &in);
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
