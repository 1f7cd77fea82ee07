/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who sends through which relay, and how Postfix logs in there: what there is
 * to know before passwords go.  From the mail log and the password maps, of
 * which user names alone are shown.
 */
#include "operator/smarthost.h"

#include <stdio.h>

#include "operator/explain.h"
#include "operator/run.h"

#define LOG_BYTES ((size_t)16 << 20)

/* From a mail log HOST PORT SENDER NUMBER a line, with tabs between; of who
 * logged in at this machine METHOD, nothing, USER and NUMBER. */
static const char awk[] =
#include "operator/inventory.inc"
    ;

/* Its lines, by relay, and who sends most first. */
static bool count_uses(const struct buf *log, struct buf *uses, struct why *why)
{
	const char *const count[] = { "awk", awk, NULL };
	const char *const sort[] = { "sort", "-t", "\t", "-k1,1", "-k2,2",
		"-k4,4nr", "-k3,3", NULL };
	struct buf all = BUF_INIT(LOG_BYTES);
	bool good = run_program(count, buf_span(log), RUN_MAX_MS, &all, why) ==
		FAULT_NONE &&
	    run_program(sort, buf_span(&all), RUN_MAX_MS, uses, why) ==
		FAULT_NONE;

	buf_drop(&all);
	return good;
}

/* What stands at *text up to that byte; *text moves behind it. */
static struct span next_field(const char **text, char end)
{
	const char *last = strchrnul(*text, end);
	struct span field = { *text, (size_t)(last - *text) };

	*text = last + (*last != '\0');
	return field;
}

/* How Postfix logs in: the user, never the password behind it. */
static void print_login(struct smarthost *smarthost, const char *key)
{
	struct span maps, map;
	char word[PATH_MAX];
	bool is = false;

	maps = postfix_value(&smarthost->now, "smtp_sasl_password_maps");
	while (!is && (map = postfix_next(&maps)).n > 0) {
		struct buf found = BUF_INIT(PATH_MAX);

		(void)snprintf(word, sizeof(word), "%.*s", SPAN(map));
		is = run(&found, NULL, "postmap", "-c", smarthost->dir, "-q",
			 key, word, NULL) &&
		    found.n > 0;
		if (is)
			screen_print("  logs in as %.*s with a %s\n",
			    (int)strcspn(found.p, ":\n"), found.p,
			    strchr(found.p, ':') != NULL ? "password" :
							   "token");
		buf_drop(&found);
	}
}

static void print_uses(struct smarthost *smarthost, const char *uses)
{
	char last[PATH_MAX] = "", key[PATH_MAX];

	while (*uses != '\0') {
		struct span host = next_field(&uses, '\t');
		struct span port = next_field(&uses, '\t');
		struct span who = next_field(&uses, '\t');
		struct span n = next_field(&uses, '\n');

		(void)snprintf(key, sizeof(key), "[%.*s]:%.*s", SPAN(host),
		    SPAN(port));
		if (strcmp(key, last) != 0) {
			screen_print(port.n > 0 ? "relay %.*s, port %.*s\n" :
						  "logins here, %.*s%.*s\n",
			    SPAN(host), SPAN(port));
			if (port.n > 0)
				print_login(smarthost, key);
			memcpy(last, key, sizeof(last));
		}
		screen_print("%8.*s  %.*s\n", SPAN(n),
		    SPAN(who.n > 0 ? who : span_of("<>")));
	}
}

bool smarthost_inventory(struct smarthost *smarthost)
{
	struct buf log, uses = BUF_INIT(LOG_BYTES);
	struct why why = { 0, "" };
	bool found = explain_log(smarthost->dir, LOG_BYTES, &log, NULL);
	bool good = found && count_uses(&log, &uses, &why);

	if (!found)
		screen_say("there is no mail log that can be read: run this as "
			   "root");
	else if (!good)
		screen_say("the mail log cannot be counted: %s", why.text);
	else if (uses.n == 0)
		screen_say("the mail log tells of no mail through a relay");
	else
		print_uses(smarthost, uses.p);
	buf_drop(&uses);
	buf_drop(&log);
	return good;
}
