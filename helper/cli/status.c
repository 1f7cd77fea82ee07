/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken status: a table of accounts, in the order of their names; or all
 * that is known of one.
 */
#include <stdlib.h>
#include <time.h>

#include "cli/screen.h"
#include "cli/talk.h"

#define CELLS_MAX_BYTES	  ((size_t)1 << 30)
#define NOTE_COLUMNS	  4
#define FIRST_MIN_COLUMNS 20 /* of the account before it is cut */
#define NEXT_MIN_COLUMNS  6  /* ... and of the provider */
#define LABEL_COLUMNS	  16

enum cell {
	ACCOUNT,
	PROVIDER,
	STATE,
	LEFT,
	RENEWED,
	NOTE,
	CELLS
};

struct status {
	struct buf cells; /* each with a NUL */
	size_t n;
};

struct row {
	const char *cells[CELLS];
};

static int64_t time_of(const struct attrs *list, const char *name)
{
	int64_t when_s = 0;

	(void)!attr_number(attr_get(list, name), 1, INT64_MAX / 2, &when_s);
	return when_s;
}

/* How long until, or since, a time; "-" without one. */
static void add_span(struct buf *out, int64_t when_s, bool since)
{
	int64_t left_s = when_s - screen_now_s();

	if (when_s == 0)
		buf_add_lit(out, "-");
	else if (!since && left_s <= 0)
		buf_add_lit(out, "expired");
	else
		buf_add_str(out, screen_left(since ? -left_s : left_s).text);
}

static void add_state(struct buf *out, const struct attrs *list)
{
	buf_add(out, attr_get(list, ATTR_STATE));
	if (attr_is(list, ATTR_UNSAVED, "yes"))
		buf_add_lit(out, ", unsaved");
}

static enum fault add_account(struct talk *talk)
{
	static const struct span end = { "", 1 };
	const struct attrs *list = &talk->list;
	struct status *status = talk->ctx;
	struct buf *cells = &status->cells;
	struct span text = attr_get(list, ATTR_TEXT);
	int64_t next_s = time_of(list, ATTR_NEXT_TRY);
	struct span holder = attr_get(list, ATTR_FLEET_LOCK);
	bool has_note = !attr_is(list, ATTR_STATE, "empty");

	status->n++;
	if (talk->command->json != NULL) {
		screen_add(status->n == 1 ? "[" : ",\n ");
		screen_json(list);
		return FAULT_NONE;
	}
	buf_add(cells, attr_get(list, ATTR_ACCOUNT));
	buf_add(cells, end);
	buf_add(cells, attr_get(list, ATTR_PROVIDER));
	buf_add(cells, end);
	add_state(cells, list);
	buf_add(cells, end);
	add_span(cells, time_of(list, ATTR_EXPIRES), false);
	buf_add(cells, end);
	add_span(cells, time_of(list, ATTR_REFRESHED), true);
	buf_add(cells, end);
	/* Why the account is not well, and when that may change. */
	if (has_note)
		buf_add(cells, text);
	if (has_note && next_s != 0) {
		buf_add_str(cells,
		    text.n > 0 ? " (next try in " : "(next try in ");
		buf_add_str(cells, screen_left(next_s - screen_now_s()).text);
		buf_add_lit(cells, ")");
	}
	if (holder.n > 0) {
		buf_add_str(cells, has_note && text.n > 0 ? " " : "");
		buf_add_lit(cells, "(renewed now by ");
		buf_add(cells, holder);
		buf_add_lit(cells, ")");
	}
	buf_add(cells, end);
	return FAULT_NONE;
}

static int by_first_cell(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return strcmp(left->cells[ACCOUNT], right->cells[ACCOUNT]);
}

/* Green, yellow for what may pass by itself, red for what does not. */
static void show_state(const char *state, size_t columns)
{
	const char *colour = "\033[31m";

	if (strcmp(state, "active") == 0)
		colour = "\033[32m";
	else if (strcmp(state, "backoff") == 0 ||
	    strcmp(state, "refreshing") == 0)
		colour = "\033[33m";
	if (!screen.colours || strcmp(state, "STATE") == 0)
		colour = "";
	screen_add(colour);
	screen_cut(span_of(state), columns);
	screen_add(colour[0] != '\0' ? "\033[0m" : "");
}

/* As wide as the widest cell; the account, then the provider give way to the
 * terminal. */
static void fit(const struct row *rows, size_t n, size_t wide[NOTE])
{
	static const size_t least[] = { FIRST_MIN_COLUMNS, NEXT_MIN_COLUMNS };
	size_t r, i, sum = 2 * (NOTE - 1), over;

	for (i = 0; i < NOTE; i++) {
		wide[i] = 0;
		for (r = 0; r < n; r++) {
			size_t columns = screen_width(
			    span_of(rows[r].cells[i]));

			wide[i] = columns > wide[i] ? columns : wide[i];
		}
		sum += wide[i];
	}
	for (i = 0; i < 2 && sum > screen.columns; i++) {
		over = wide[i] > least[i] ? wide[i] - least[i] : 0;
		over = over < sum - screen.columns ? over :
						     sum - screen.columns;
		wide[i] -= over;
		sum -= over;
	}
}

static enum fault show_table(struct status *status)
{
	const char *at = status->cells.p;
	size_t wide[NOTE], r, i;
	const char **cells;
	struct row *rows;

	rows = calloc(status->n + 1, sizeof(*rows));
	if (rows == NULL || buf_fault(&status->cells) != FAULT_NONE) {
		free(rows);
		return FAULT_NOMEM;
	}
	rows[0] = (struct row){ { "ACCOUNT", "PROVIDER", "STATE", "TOKEN LEFT",
	    "RENEWED", "" } };
	for (r = 1; r <= status->n; r++)
		for (i = 0; i < CELLS; i++) {
			rows[r].cells[i] = at;
			at += strlen(at) + 1;
		}
	qsort(rows + 1, status->n, sizeof(*rows), by_first_cell);
	fit(rows, status->n + 1, wide);
	for (r = 0; r <= status->n; r++) {
		cells = rows[r].cells;
		screen_cut(span_of(cells[ACCOUNT]), wide[ACCOUNT]);
		screen_add("  ");
		screen_cut(span_of(cells[PROVIDER]), wide[PROVIDER]);
		screen_add("  ");
		show_state(cells[STATE], wide[STATE]);
		screen_add("  ");
		screen_cut(span_of(cells[LEFT]), wide[LEFT]);
		screen_print("  %s\n", cells[RENEWED]);
		if (cells[NOTE][0] == '\0')
			continue;
		screen_print("%*s", NOTE_COLUMNS, "");
		screen_wrap(span_of(cells[NOTE]), NOTE_COLUMNS);
	}
	free(rows);
	return FAULT_NONE;
}

static enum fault show_all(struct talk *talk)
{
	struct status *status = talk->ctx;
	enum fault fault = FAULT_NONE;

	talk_warn(talk, "warning: ");
	if (talk->command->json != NULL) {
		if (talk->account == NULL &&
		    attr_has(&talk->list, ATTR_FLEET)) {
			screen_add(status->n++ == 0 ? "[" : ",\n ");
			screen_json(&talk->list);
		}
		screen_add(status->n == 0 ? "[]\n" : "]\n");
		return FAULT_NONE;
	}
	if (talk->account == NULL && status->n == 0)
		screen_say("no account is signed in, or none that this user "
			   "may see: run \"mailtoken login ACCOUNT\"");
	else if (talk->account == NULL)
		fault = show_table(status);
	if (talk->account == NULL)
		talk_fleet(talk);
	talk_whose(talk);
	return fault;
}

/* "2026-11-30 18:20 UTC, 42 min ago" */
static void add_time(struct buf *out, int64_t when_s)
{
	int64_t left_s = when_s - screen_now_s();
	time_t at = (time_t)when_s;
	char date[40];
	struct tm utc;

	if (gmtime_r(&at, &utc) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC, ", &utc) == 0)
		return;
	buf_add_str(out, date);
	buf_add_str(out, left_s > 0 ? "in " : "");
	buf_add_str(out, screen_left(left_s > 0 ? left_s : -left_s).text);
	buf_add_str(out, left_s > 0 ? "" : " ago");
}

/* What the list says, with what it means; a time by its kind. */
static enum fault show_one(struct talk *talk)
{
	static const struct {
		const char *name, *label;
		bool is_time;
	} parts[] = {
		{ ATTR_ACCOUNT, "account", false },
		{ ATTR_PROVIDER, "provider", false },
		{ ATTR_IDENTITY, "signed in as", false },
		{ ATTR_SIGNED_IN, "signed in", true },
		{ ATTR_STATE, "state", false },
		{ ATTR_FAILING_SINCE, "failing since", true },
		{ ATTR_EXPIRES, "token ends", true },
		{ ATTR_REFRESHED, "renewed", true },
		{ ATTR_ASKED, "last asked for", true },
		{ ATTR_NEXT_TRY, "next try", true },
		{ ATTR_FLEET_LOCK, "renewed now by", false },
		{ ATTR_GRANT_EXPIRES, "grant ends", true },
		{ ATTR_SCOPE, "scope", false },
		{ ATTR_SERVERS, "servers", false },
		{ ATTR_TEXT, "note", false },
	};
	const struct attrs *list = &talk->list;
	struct buf value = BUF_INIT(CELLS_MAX_BYTES);
	size_t i;

	if (talk->command->json != NULL)
		return add_account(talk);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (attr_get(list, parts[i].name).n == 0)
			continue;
		if (parts[i].is_time)
			add_time(&value, time_of(list, parts[i].name));
		else if (strcmp(parts[i].name, ATTR_STATE) == 0)
			add_state(&value, list);
		else
			buf_add(&value, attr_get(list, parts[i].name));
		screen_cut(span_of(parts[i].label), LABEL_COLUMNS);
		screen_wrap(buf_span(&value), LABEL_COLUMNS);
		buf_drop(&value);
	}
	return FAULT_NONE;
}

enum outcome status_run(struct command *command)
{
	struct status status = { .cells = BUF_INIT(CELLS_MAX_BYTES) };
	struct talk talk;
	enum outcome outcome;

	talk_begin(&talk, command, VERB_STATUS, command->words[0]);
	talk.as_it_is = true;
	talk.ctx = &status;
	outcome = talk_run(&talk,
	    command->words[0] != NULL ? show_one : add_account, show_all);
	buf_drop(&status.cells);
	return outcome;
}
