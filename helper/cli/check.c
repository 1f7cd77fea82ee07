/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken check: one line and an exit status for a monitor, as the
 * guidelines of monitoring-plugins.org want them.
 */
#include <stdarg.h>
#include <stdio.h>

#include "cli/screen.h"
#include "cli/talk.h"

#define TEXT_BYTES  1024
#define WARNING_S   (7 * 86400)
#define CRITICAL_S  86400
#define NO_END	    INT64_MAX
#define SECONDS_MAX (100 * INT64_C(31622400))

enum status {
	OK,
	WARNING,
	CRITICAL,
	UNKNOWN
}; /* exit statuses */

struct check {
	enum status worst;
	char text[TEXT_BYTES]; /* of the first that is so bad */
	size_t more;	       /* ... and how many others are */
	size_t accounts, failing, unsaved;
	int64_t warning_s, critical_s;	    /* before a grant ends */
	int64_t grant_left_s, token_left_s; /* the least */
};

PRINTF_LIKE(3, 4)
static void note(struct check *check, enum status status, const char *format,
    ...)
{
	va_list args;

	check->more += status == check->worst;
	if (status <= check->worst)
		return;
	check->worst = status;
	check->more = 0;
	va_start(args, format);
	(void)vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
}

/* Seconds until a time of the list; NO_END: it says none. */
static int64_t left_s(const struct attrs *list, const char *name)
{
	int64_t when_s;

	return attr_number(attr_get(list, name), 1, INT64_MAX / 2, &when_s) ==
		FAULT_NONE ?
	    when_s - screen_now_s() :
	    NO_END;
}

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static enum fault look(struct talk *talk)
{
	const struct attrs *list = &talk->list;
	struct span account = attr_get(list, ATTR_ACCOUNT);
	struct span state = attr_get(list, ATTR_STATE);
	struct span text = attr_get(list, ATTR_TEXT);
	bool unsaved = attr_is(list, ATTR_UNSAVED, "yes");
	int64_t grant_s = left_s(list, ATTR_GRANT_EXPIRES);
	int64_t token_s = left_s(list, ATTR_EXPIRES);
	struct check *check = talk->ctx;
	bool failing = !span_is(state, "active") &&
	    !span_is(state, "refreshing");

	check->accounts++;
	check->failing += failing;
	check->unsaved += unsaved;
	check->grant_left_s = lesser(check->grant_left_s, grant_s);
	check->token_left_s = lesser(check->token_left_s, token_s);
	/* A failure hurts nobody while there is a token. */
	if (failing)
		note(check,
		    span_is(state, "backoff") && token_s > 0 ? WARNING :
							       CRITICAL,
		    "%.*s: %.*s%s%.*s", SPAN(account), SPAN(state),
		    text.n > 0 ? ": " : "", SPAN(text));
	else if (unsaved)
		note(check, CRITICAL,
		    "%.*s: its newest grant is in memory only, because the "
		    "keyring cannot be written",
		    SPAN(account));
	else if (grant_s < check->warning_s)
		note(check, grant_s < check->critical_s ? CRITICAL : WARNING,
		    "%.*s: its grant ends in %s: run mailtoken login %.*s",
		    SPAN(account), screen_left(grant_s).text, SPAN(account));
	else if (text.n > 0)
		note(check, WARNING, "%.*s: %.*s", SPAN(account), SPAN(text));
	return FAULT_NONE;
}

static enum fault conclude(struct talk *talk)
{
	struct check *check = talk->ctx;
	const struct attrs *list = &talk->list;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (span_is(list->at[i].name, ATTR_WARNING))
			note(check, WARNING, "%.*s", SPAN(list->at[i].value));
	if (check->accounts == 0)
		note(check, UNKNOWN,
		    "no account is signed in, or none that this user may see");
	else if (check->worst == OK)
		(void)snprintf(check->text, sizeof(check->text),
		    check->accounts == 1 ? "%zu account is active" :
					   "%zu accounts are active",
		    check->accounts);
	return FAULT_NONE;
}

static enum fault is_alive(struct talk *talk)
{
	struct check *check = talk->ctx;

	(void)snprintf(check->text, sizeof(check->text),
	    "the helper answers (version %.*s)",
	    SPAN(attr_get(&talk->list, ATTR_VERSION)));
	return FAULT_NONE;
}

/* 'label'=value[UOM];[warn];[crit];[min]; "604800:" is "alert below that". */
static void add_figures(const struct check *check)
{
	screen_print(" | accounts=%zu;;;0 failing=%zu;;;0 unsaved=%zu;;;0",
	    check->accounts, check->failing, check->unsaved);
	if (check->grant_left_s != NO_END)
		screen_print(" grant_left=%llds;%lld:;%lld:",
		    (long long)check->grant_left_s, (long long)check->warning_s,
		    (long long)check->critical_s);
	if (check->token_left_s != NO_END)
		screen_print(" token_left=%llds",
		    (long long)check->token_left_s);
}

static enum outcome say(struct check *check, bool figures)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL",
		"UNKNOWN" };
	char *bar;

	/* Behind one come figures. */
	while ((bar = strchr(check->text, '|')) != NULL)
		*bar = '/';
	screen_print("MAILTOKEN %s - %s", words[check->worst], check->text);
	if (check->more > 0 && check->worst != OK)
		screen_print(" (and %zu more)", check->more);
	if (figures)
		add_figures(check);
	screen_add("\n");
	return (enum outcome)check->worst;
}

static bool is_seconds(const char *text, int64_t *seconds)
{
	return text == NULL ||
	    attr_number(span_of(text), 0, SECONDS_MAX, seconds) == FAULT_NONE;
}

enum outcome check_run(struct command *command)
{
	struct check check = { .warning_s = WARNING_S,
		.critical_s = CRITICAL_S,
		.grant_left_s = NO_END,
		.token_left_s = NO_END };
	bool alive = command->alive != NULL;
	struct buf said = BUF_INIT(TEXT_BYTES);
	enum outcome outcome;
	struct talk talk;

	if (!is_seconds(command->warning, &check.warning_s) ||
	    !is_seconds(command->critical, &check.critical_s))
		return command_usage(command,
		    "--warning and --critical take seconds");
	talk_begin(&talk, command, alive ? VERB_VERSION : VERB_STATUS,
	    alive ? NULL : command->words[0]);
	talk.as_it_is = true;
	talk.ctx = &check;
	screen.said = &said;
	outcome = talk_run(&talk, alive ? NULL : look,
	    alive ? is_alive : conclude);
	screen.said = NULL;
	if (outcome != OUTCOME_DONE)
		note(&check, outcome == OUTCOME_DENIED ? UNKNOWN : CRITICAL,
		    "%.*s", SPAN(buf_span(&said)));
	buf_drop(&said);
	return say(&check, !alive && outcome == OUTCOME_DONE);
}
