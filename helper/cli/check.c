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

static void note_grant(struct check *check, struct span account, int64_t left_s)
{
	if (left_s < check->warning_s)
		note(check, left_s < check->critical_s ? CRITICAL : WARNING,
		    "%.*s must sign in again within %s: run mailtoken login",
		    SPAN(account), screen_left(left_s).text);
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
	bool tries = span_is(state, "refreshing");
	bool failing = !span_is(state, "active") &&
	    (!tries || attr_has(list, ATTR_FAILING_SINCE));

	check->accounts++;
	check->failing += failing;
	check->unsaved += unsaved;
	check->grant_left_s = lesser(check->grant_left_s, grant_s);
	check->token_left_s = lesser(check->token_left_s, token_s);
	/* A failure hurts nobody while there is a token. */
	if (failing)
		note(check,
		    (tries || span_is(state, "backoff")) && token_s > 0 &&
			    token_s != NO_END ?
			WARNING :
			CRITICAL,
		    "%.*s: %.*s%s%.*s", SPAN(account), SPAN(state),
		    text.n > 0 ? ": " : "", SPAN(text));
	else if (unsaved)
		note(check, CRITICAL,
		    "%.*s: its newest grant is in memory only, because the "
		    "keyring cannot be written",
		    SPAN(account));
	else if (grant_s >= check->warning_s && text.n > 0)
		note(check, WARNING, "%.*s: %.*s", SPAN(account), SPAN(text));
	note_grant(check, account, failing || unsaved ? NO_END : grant_s);
	return FAULT_NONE;
}

/* What is wrong with configuration and fleet, to who may mend it. */
static enum fault look_at_end(struct talk *talk)
{
	const struct attrs *list = &talk->list;
	size_t i;

	if (attr_is(list, ATTR_FLEET, FLEET_WORD_AWAY))
		note(talk->ctx, WARNING, "the fleet is away: %.*s",
		    SPAN(attr_get(list, ATTR_FLEET_TEXT)));
	for (i = 0; i < list->n; i++)
		if (span_is(list->at[i].name, ATTR_WARNING))
			note(talk->ctx, WARNING, "%.*s",
			    SPAN(list->at[i].value));
	return FAULT_NONE;
}

static const struct {
	const char *name;
	enum {
		ALL,
		UNSAVED,
		NONE
	} of;
	enum status status;
	const char *what;
} counts[] = {
	{ "mailtoken_accounts{state=\"active\"}", ALL, OK, "" },
	{ "mailtoken_accounts{state=\"refreshing\"}", ALL, OK, "" },
	{ "mailtoken_accounts{state=\"backoff\"}", ALL, WARNING,
	    "accounts that fail for now" },
	{ "mailtoken_accounts{state=\"login-needed\"}", ALL, CRITICAL,
	    "accounts that must sign in again" },
	{ "mailtoken_accounts{state=\"config-error\"}", ALL, CRITICAL,
	    "accounts that cannot be used as they are configured" },
	{ "mailtoken_accounts_without_token", NONE, CRITICAL,
	    "accounts that fail and have no token any more" },
	{ "mailtoken_unsaved_accounts", UNSAVED, CRITICAL,
	    "accounts whose newest grant is in memory only" },
	{ "mailtoken_config_faults", NONE, WARNING,
	    "faults of the configuration" },
};

/* Its samples are lines "name value". */
static enum fault look_at_counts(struct talk *talk)
{
	static const char grant[] =
	    "mailtoken_grant_expiration_timestamp_seconds";
	const struct attrs *list = &talk->list;
	struct check *check = talk->ctx;
	struct span name, value;
	size_t i, j;
	int64_t n;

	for (i = 0; i < list->n; i++) {
		name = value = list->at[i].value;
		while (name.n > 0 && name.p[name.n - 1] != ' ')
			name.n--;
		value.p += name.n;
		value.n -= name.n;
		name.n -= name.n > 0;
		if (!span_is(list->at[i].name, ATTR_SAMPLE) ||
		    attr_number(value, 1, INT64_MAX, &n) != FAULT_NONE)
			continue;
		if (span_is(name, grant)) {
			check->grant_left_s = n - screen_now_s();
			note_grant(check, span_of("an account"),
			    check->grant_left_s);
		}
		for (j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
			if (!span_is(name, counts[j].name))
				continue;
			check->accounts += counts[j].of == ALL ? (size_t)n : 0;
			check->unsaved += counts[j].of == UNSAVED ? (size_t)n :
								    0;
			if (counts[j].status == OK)
				continue;
			check->failing += counts[j].of == ALL ? (size_t)n : 0;
			note(check, counts[j].status, "%s: %lld",
			    counts[j].what, (long long)n);
		}
	}
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
	/* 'label'=value[UOM];[warn];[crit];[min]; "604800:" is "alert below
	 * that". */
	if (figures)
		screen_print(
		    " | accounts=%zu;;;0 failing=%zu;;;0 unsaved=%zu;;;0",
		    check->accounts, check->failing, check->unsaved);
	if (figures && check->grant_left_s != NO_END)
		screen_print(" grant_left=%llds;%lld:;%lld:",
		    (long long)check->grant_left_s, (long long)check->warning_s,
		    (long long)check->critical_s);
	if (figures && check->token_left_s != NO_END)
		screen_print(" token_left=%llds",
		    (long long)check->token_left_s);
	screen_add("\n");
	return (enum outcome)check->worst;
}

static bool is_seconds(const char *text, int64_t *seconds)
{
	return text == NULL ||
	    attr_number(span_of(text), 0, SECONDS_MAX, seconds) == FAULT_NONE;
}

static enum outcome converse(struct check *check, struct command *command,
    const char *verb, talk_fn *each, talk_fn *last)
{
	struct talk talk;

	talk_begin(&talk, command, verb,
	    each == look ? command->words[0] : NULL);
	talk.as_it_is = true;
	talk.ctx = check;
	return talk_run(&talk, each, last);
}

/* Nobody but the helper's own learns which of the two it is. */
static bool may_be_hidden(struct span said)
{
	static const char words[] = "or not allowed";

	return said.n > 0 &&
	    memmem(said.p, said.n, words, sizeof(words) - 1) != NULL;
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

	if (!is_seconds(command->warning, &check.warning_s) ||
	    !is_seconds(command->critical, &check.critical_s))
		return command_usage(command,
		    "--warning and --critical take seconds");
	screen.said = &said;
	outcome = alive ?
	    converse(&check, command, VERB_VERSION, NULL, is_alive) :
	    converse(&check, command, VERB_STATUS, look, look_at_end);
	/* Whom no list names, as a monitor should be, sees only numbers. */
	if (!alive && outcome == OUTCOME_DONE && check.accounts == 0)
		outcome = converse(&check, command, VERB_METRICS,
		    look_at_counts, NULL);
	screen.said = NULL;
	if (outcome != OUTCOME_DONE)
		note(&check,
		    outcome == OUTCOME_DENIED ||
			    may_be_hidden(buf_span(&said)) ?
			UNKNOWN :
			CRITICAL,
		    "%.*s", SPAN(buf_span(&said)));
	else if (!alive && check.accounts == 0)
		note(&check, UNKNOWN, "no account is signed in");
	else if (!alive && check.worst == OK)
		(void)snprintf(check.text, sizeof(check.text),
		    check.accounts == 1 ? "%zu account is active" :
					  "%zu accounts are active",
		    check.accounts);
	buf_drop(&said);
	return say(&check, !alive && outcome == OUTCOME_DONE);
}
