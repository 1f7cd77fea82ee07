/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken setup PROGRAM: what is to be pasted into its configuration, for
 * the version that is installed; programs.conf has the texts.
 */
#include "operator/setup_program.h"

#include <stdio.h>

#include "oauth/presets.h"
#include "operator/run.h"
#include "operator/setup_impl.h"

#define SAID_MAX_BYTES ((size_t)1 << 16)

/* A row of programs.conf; those of a program stand together. */
static const struct program {
	const char *names, *command, *test, *text;
} programs[] = {
#include "operator/programs.inc"
	{ "", "", "", "" },
};

static const struct program *find(const char *name)
{
	const struct program *row = programs;

	while (row->names[0] != '\0' && !span_listed(span_of(name), row->names))
		row++;
	return row->names[0] != '\0' ? row : NULL;
}

bool setup_is_program(const char *name)
{
	return find(name) != NULL;
}

/* The digits at *text, which moves behind them and a point. */
static int next_number(const char **text)
{
	int number = 0;

	for (; **text >= '0' && **text <= '9' && number < 100000000; (*text)++)
		number = 10 * number + (**text - '0');
	*text += **text == '.';
	return number;
}

/* By the first number of what a program says of itself. */
static bool is_older(const char *said, const char *than)
{
	int i, a, b;

	said += strcspn(said, "0123456789");
	for (i = 0; i < 3; i++) {
		a = next_number(&said);
		b = next_number(&than);
		if (a != b)
			return a < b;
	}
	return false;
}

/* The row for what is installed; where nothing is, that of a new version. */
static const struct program *choose(const struct program *row)
{
	struct buf said = BUF_INIT(SAID_MAX_BYTES);
	char command[64];
	char *blank;

	(void)snprintf(command, sizeof(command), "%s", row->command);
	blank = strchr(command, ' ');
	if (blank != NULL) {
		*blank = '\0';
		(void)run(&said, NULL, command, blank + 1, NULL);
		if (said.n == 0)
			screen_print("# %s is not installed here: this is for "
				     "a new version.\n",
			    command);
	}
	while (row->test[0] != '\0' &&
	    !(said.n > 0 &&
		(row->test[0] == '<' ? is_older(said.p, row->test + 1) :
				       strstr(said.p, row->test) != NULL)))
		row++;
	buf_drop(&said);
	return row;
}

/* The first of the servers that has such a name. */
static void take_server(const char *servers, const char *begin,
    const char *other, struct buf *out)
{
	struct span name;

	while (out->n == 0 && (name = span_next(&servers)).n > 0)
		if (strncmp(name.p, begin, strlen(begin)) == 0 ||
		    strncmp(name.p, other, strlen(other)) == 0)
			buf_add(out, name);
}

/* Those that the helper knows for the account, else the domain's. */
static void find_servers(struct setup *setup, struct buf *out)
{
	const char *at = strchr(setup->account, '@');
	const char *preset = at != NULL ?
	    preset_known_by(span_of(at + 1), span_of("")) :
	    NULL;
	const char *known = preset_value(preset_find(preset), "servers");
	struct talk talk;

	if (units_ask(setup, &talk, VERB_STATUS, setup->account))
		buf_add(out, attr_get(&talk.list, ATTR_SERVERS));
	talk_close(&talk);
	if (out->n == 0)
		buf_add_str(out, known != NULL ? known : "");
}

static void add_address(struct buf *out, const char *address, bool in_url)
{
	for (; *address != '\0'; address++)
		if (in_url && *address == '@')
			buf_add_lit(out, "%40");
		else
			buf_add(out, (struct span){ address, 1 });
}

enum outcome setup_program(struct setup *setup, const char *name)
{
	struct buf servers = BUF_INIT(SAID_MAX_BYTES);
	struct buf values[] = { BUF_INIT(3 * ACCOUNT_MAX_BYTES),
		BUF_INIT(3 * ACCOUNT_MAX_BYTES), BUF_INIT(SERVER_MAX_BYTES),
		BUF_INIT(SERVER_MAX_BYTES) };
	static const char *const names[] = { "{ADDRESS}", "{URL}", "{SMTP}",
		"{IMAP}" };
	const char *p = choose(find(name))->text;
	size_t i;

	if (setup->account == NULL)
		setup->account = "alice@example.com";
	find_servers(setup, &servers);
	add_address(&values[0], setup->account, false);
	add_address(&values[1], setup->account, true);
	take_server(servers.p, "smtp", "smtp", &values[2]);
	take_server(servers.p, "imap", "outlook.", &values[3]);
	buf_add_str(&values[2], values[2].n == 0 ? "smtp.example.com" : "");
	buf_add_str(&values[3], values[3].n == 0 ? "imap.example.com" : "");
	while (*p != '\0') {
		for (i = 0; i < 4; i++)
			if (strncmp(p, names[i], strlen(names[i])) == 0)
				break;
		if (i < 4) {
			screen_plain(&screen_out, buf_span(&values[i]));
			p += strlen(names[i]);
		} else {
			buf_add(&screen_out, (struct span){ p++, 1 });
		}
	}
	for (i = 0; i < 4; i++)
		buf_drop(&values[i]);
	buf_drop(&servers);
	return OUTCOME_DONE;
}
