/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken setup PROGRAM: what is to be pasted into its configuration, for
 * the version that is installed; programs.conf has the texts.
 */
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

/* By the first number of what a program says of itself. */
static bool is_older(const char *said, const char *than)
{
	return strverscmp(said + strcspn(said, "0123456789"), than) < 0;
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
static void add_server(struct buf *out, const char *servers, const char *begin,
    const char *other)
{
	struct span name;

	while (out->n == 0 && (name = span_next(&servers)).n > 0)
		if (strncmp(name.p, begin, strlen(begin)) == 0 ||
		    strncmp(name.p, other, strlen(other)) == 0)
			buf_add(out, name);
	if (out->n == 0) {
		buf_add_str(out, begin);
		buf_add_lit(out, ".example.com");
	}
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

enum outcome setup_program(struct setup *setup, const char *name)
{
	struct buf servers = BUF_INIT(SAID_MAX_BYTES);
	struct buf values[] = { BUF_INIT(ACCOUNT_MAX_BYTES),
		BUF_INIT(3 * ACCOUNT_MAX_BYTES), BUF_INIT(SERVER_MAX_BYTES),
		BUF_INIT(SERVER_MAX_BYTES) };
	static const char *const names[] = { "{ADDRESS}", "{URL}", "{SMTP}",
		"{IMAP}" };
	const char *p = choose(find(name))->text, *at;
	size_t i;

	if (setup->account == NULL)
		setup->account = "alice@example.com";
	find_servers(setup, &servers);
	buf_add_str(&values[0], setup->account);
	for (at = setup->account; *at != '\0'; at++)
		buf_add(&values[1],
		    *at == '@' ? span_of("%40") : (struct span){ at, 1 });
	add_server(&values[2], servers.p, "smtp", "smtp");
	add_server(&values[3], servers.p, "imap", "outlook.");
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
