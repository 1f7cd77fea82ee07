/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken metrics: the families that the helper tells, in one of two
 * formats, to standard output or into a file.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/talk.h"

#define PAGE_MAX_BYTES ((size_t)16 << 20)
#define PATH_MAX_BYTES 4096
#define SCRAPE_MAX_MS  8000 /* Prometheus waits for 10 s */

struct page {
	enum metrics_format format;
	struct buf *out;
};

static void add_line(const struct page *page, const char *what,
    struct span name, struct span text)
{
	buf_add_str(page->out, what);
	buf_add(page->out, name);
	buf_add_lit(page->out, " ");
	buf_add(page->out, text);
	buf_add_lit(page->out, "\n");
}

/* OpenMetrics names the family, the older format its samples: _total and
 * _info are of the one's suffixes and the other's names. */
static void begin_family(const struct page *page, const struct attrs *list)
{
	struct span type = attr_get(list, ATTR_TYPE);
	struct buf name = BUF_INIT(WIRE_LINE_MAX_BYTES);

	buf_add(&name, attr_get(list, ATTR_METRIC));
	if (page->format == METRICS_TEXT && span_is(type, "counter"))
		buf_add_lit(&name, "_total");
	if (page->format == METRICS_TEXT && span_is(type, "info")) {
		buf_add_lit(&name, "_info");
		type = span_of("gauge");
	}
	add_line(page, "# TYPE ", buf_span(&name), type);
	if (page->format == METRICS_OPEN && attr_has(list, ATTR_UNIT))
		add_line(page, "# UNIT ", buf_span(&name),
		    attr_get(list, ATTR_UNIT));
	add_line(page, "# HELP ", buf_span(&name), attr_get(list, ATTR_HELP));
	buf_drop(&name);
}

static enum fault add_family(struct talk *talk)
{
	const struct page *page = talk->ctx;
	const struct attrs *list = &talk->list;
	size_t i;

	if (attr_has(list, ATTR_TYPE))
		begin_family(page, list);
	for (i = 0; i < list->n; i++) {
		if (!span_is(list->at[i].name, ATTR_SAMPLE))
			continue;
		buf_add(page->out, list->at[i].value);
		buf_add_lit(page->out, "\n");
	}
	return buf_fault(page->out);
}

static void add_up(const struct page *page, const char *value)
{
	buf_add_lit(page->out,
	    "# TYPE mailtoken_up gauge\n"
	    "# HELP mailtoken_up Whether the helper answers and can work.\n"
	    "mailtoken_up ");
	buf_add_str(page->out, value);
}

static void begin_talk(struct talk *talk, struct command *command)
{
	talk_begin(talk, command, VERB_METRICS, NULL);
	talk_put(talk, ATTR_ACCOUNTS, command->accounts);
	talk->as_it_is = true;
	if (command->listen != NULL)
		talk->wait_ms = SCRAPE_MAX_MS;
}

enum outcome metrics_page(struct command *command, enum metrics_format format,
    struct buf *out)
{
	struct page page = { format, out };
	enum outcome outcome;
	struct talk talk;

	begin_talk(&talk, command);
	talk.ctx = &page;
	add_up(&page, "1\n");
	outcome = talk_run(&talk, add_family, NULL);
	if (outcome != OUTCOME_DONE) {
		buf_drop(out);
		if (outcome != OUTCOME_DENIED)
			add_up(&page, "0\n");
	}
	if (format == METRICS_OPEN && out->n > 0)
		buf_add_lit(out, "# EOF\n");
	return outcome;
}

/* The folder's reader sees the old file or the whole new one. */
static enum fault write_file(const char *path, struct span bytes,
    struct why *why)
{
	char temporary[PATH_MAX_BYTES];
	ssize_t n = 0;
	int fd, err;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >=
	    (int)sizeof(temporary)) {
		why_set(why, ENAMETOOLONG, "cannot write %s", path);
		return FAULT_IO;
	}
	fd = mkstemp(temporary);
	if (fd < 0) {
		why_set(why, errno, "cannot write %s", path);
		return FAULT_IO;
	}
	for (; bytes.n > 0 && n >= 0; bytes.p += n, bytes.n -= (size_t)n)
		n = write(fd, bytes.p, bytes.n);
	err = n < 0 || fchmod(fd, 0644) != 0 ? errno : 0;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && rename(temporary, path) != 0)
		err = errno;
	if (err == 0)
		return FAULT_NONE;
	(void)unlink(temporary);
	why_set(why, err, "cannot write %s", path);
	return FAULT_IO;
}

static enum fault add_object(struct talk *talk)
{
	bool *any = talk->ctx;

	screen_add(*any ? ",\n " : "[");
	*any = true;
	screen_json(&talk->list);
	return FAULT_NONE;
}

static enum fault end_array(struct talk *talk)
{
	(void)talk;
	screen_add("]\n");
	return FAULT_NONE;
}

enum outcome metrics_run(struct command *command)
{
	struct buf page = BUF_INIT(PAGE_MAX_BYTES);
	enum outcome outcome;
	struct talk talk;
	bool any = false;
	struct why why;

	if ((command->json != NULL) + (command->textfile != NULL) +
		(command->listen != NULL) >
	    1)
		return command_usage(command,
		    "only one of --json, --textfile and --listen can be meant");
	if (command->listen != NULL)
		return start_operator(command);
	if (command->json != NULL) {
		begin_talk(&talk, command);
		talk.ctx = &any;
		return talk_run(&talk, add_object, end_array);
	}
	outcome = metrics_page(command,
	    command->textfile != NULL ? METRICS_TEXT : METRICS_OPEN, &page);
	if (command->textfile == NULL) {
		buf_add(&screen_out, buf_span(&page));
	} else if (page.n > 0 &&
	    write_file(command->textfile, buf_span(&page), &why) !=
		FAULT_NONE) {
		screen_say("%s", why.text);
		outcome = OUTCOME_NO;
	}
	buf_drop(&page);
	return outcome;
}
