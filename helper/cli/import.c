/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken import: records as export writes them.  The files of other
 * programs are left to mailtoken-operator.
 */
#include "cli/talk.h"

#include <errno.h>
#include <unistd.h>

#include "cli/screen.h"

bool import_may_read(void)
{
	if (screen.keyboard)
		screen_say("the data comes on standard input, and that is a "
			   "terminal: give it a file or a pipe, as "
			   "mailtoken(1) shows");
	return !screen.keyboard;
}

enum fault import_read(int fd, const char *name, struct buf *out,
    struct why *why)
{
	ssize_t n = 1;
	size_t room;
	char *p;

	while (n != 0 && out->n < out->max_bytes) {
		p = buf_space(out, 4096, &room);
		if (p == NULL)
			return buf_fault(out);
		n = read(fd, p, room);
		if (n < 0 && errno != EINTR) {
			why_set(why, errno, "cannot read %s", name);
			return FAULT_IO;
		}
		if (n > 0)
			buf_used(out, (size_t)n);
	}
	return FAULT_NONE;
}

void import_begin(struct talk *talk, struct command *command,
    const char *account)
{
	talk_begin(talk, command, VERB_IMPORT, account);
	/* Also when it is no: a record may not say it. */
	talk_put(talk, ATTR_REPLACE,
	    command->replace != NULL ? command->replace : "no");
}

static enum fault show_imported(struct talk *talk)
{
	talk_warn(talk, "");
	if (!talk_json(talk))
		screen_print("%.*s is imported (provider %.*s)\n",
		    SPAN(attr_get(&talk->list, ATTR_ACCOUNT)),
		    SPAN(attr_get(&talk->list, ATTR_PROVIDER)));
	return FAULT_NONE;
}

enum outcome import_send(struct talk *talk, const char *where)
{
	enum outcome outcome;

	talk->subject = where;
	talk->done = "imported";
	talk->at_once = true;
	outcome = talk_run(talk, show_imported, NULL);
	return outcome == OUTCOME_USAGE ? OUTCOME_NO : outcome;
}

enum outcome import_refuse(const char *where, const char *text)
{
	screen_say("%s is not imported:", where);
	screen_say("%s", text);
	return OUTCOME_NO;
}

/* One behind the other. */
static enum fault send_all(struct command *command, enum outcome *worst,
    struct why *why)
{
	static const char where[] = "a record";
	struct buf in = BUF_INIT(ENTRY_MAX_BYTES + 1);
	enum outcome outcome;
	struct attrs attrs;
	struct talk talk;
	enum fault fault;
	bool any = false;
	size_t n = 0;

	for (;;) {
		fault = import_read(STDIN_FILENO, IMPORT_STDIN, &in, why);
		if (fault == FAULT_NONE)
			fault = attr_length(buf_span(&in), &n);
		if (fault != FAULT_NONE || n == 0)
			break;
		if (attr_parse((struct span){ in.p, n }, WIRE_FIRST_ENTRY,
			&attrs) != FAULT_NONE) {
			outcome = import_refuse(where,
			    "it is not what mailtoken export writes");
		} else {
			import_begin(&talk, command, NULL);
			attr_put_rest(&talk.writer, &attrs);
			outcome = import_send(&talk, where);
		}
		*worst = outcome_worse(*worst, outcome);
		buf_consume(&in, n);
		any = true;
	}
	if (fault == FAULT_NONE && in.n > 0) {
		why_set(why, 0,
		    IMPORT_STDIN " ends inside a record, or is not what "
				 "mailtoken export writes");
		fault = FAULT_GARBLED;
	}
	if (fault == FAULT_TOO_BIG)
		why_set(why, 0,
		    IMPORT_STDIN " is not what mailtoken export writes");
	if (fault == FAULT_NONE && !any)
		screen_say(IMPORT_STDIN " has no record: nothing to import");
	buf_drop(&in);
	return fault;
}

enum outcome import_run(struct command *command)
{
	struct span format = span_of(command->words[0]);
	enum outcome worst = OUTCOME_DONE;
	struct why why = { .err = 0 };
	enum fault fault;

	if (span_is(format, "sasl-xoauth2") || span_is(format, "mutt_oauth2"))
		return start_operator(command);
	if (format.p == NULL)
		return command_usage(command,
		    "the kind of data is missing: sasl-xoauth2, mutt_oauth2 or "
		    "mailtoken");
	if (!span_is(format, "mailtoken"))
		return command_usage(command,
		    "import takes sasl-xoauth2, mutt_oauth2 or mailtoken");
	if (command->n_words > 1)
		return command_usage(command,
		    "the data comes on standard input");
	if (command->config != NULL)
		return command_usage(command,
		    "--config goes with sasl-xoauth2");
	if (command->account != NULL || command->servers[0] != NULL)
		return command_usage(command,
		    "--account and --server go with files of other programs");
	if (!import_may_read())
		return OUTCOME_USAGE;
	command_no_core();
	fault = send_all(command, &worst, &why);
	if (fault == FAULT_NONE)
		return worst;
	screen_say("%s", why_text(&why, fault));
	return fault == FAULT_NOMEM ? OUTCOME_LATER : OUTCOME_NO;
}
