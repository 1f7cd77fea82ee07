/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who sends through which relay, and how Postfix logs in there: what there is
 * to know before passwords go.  From the mail log and the password maps, of
 * which user names alone are shown.
 */
#include "operator/smarthost.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "operator/run.h"

#define LOG_MAX_BYTES ((size_t)16 << 20)
#define LOG_LAST      "16000000" /* bytes */
#define USES_MAX      1000
#define RECENT	      4096

struct log {
	struct use {
		struct span host, port, who;
		size_t n;
	} uses[USES_MAX];
	size_t n_uses;
	struct {
		struct span id, sender;
	} recent[RECENT]; /* messages, by turns */
	size_t at;
};

/* What stands in a line behind a word, up to one of these. */
static struct span behind(struct span line, const char *word, const char *end)
{
	const char *p = memmem(line.p, line.n, word, strlen(word));
	size_t n = 0;

	if (p == NULL)
		return (struct span){ "", 0 };
	p += strlen(word);
	while (p + n < line.p + line.n && strchr(end, p[n]) == NULL)
		n++;
	return (struct span){ p, n };
}

/* The word before that: the queue's name of a message. */
static struct span id_before(struct span line, const char *word)
{
	const char *end = memmem(line.p, line.n, word, strlen(word));
	const char *p = end;

	while (p != NULL && p > line.p && p[-1] != ' ')
		p--;
	return (struct span){ p, (size_t)(end - p) };
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

/* By relay, and who sends most first. */
static int compare_uses(const void *one, const void *other)
{
	const struct use *a = one, *b = other;
	int order = compare(a->host, b->host);

	if (order == 0)
		order = compare(a->port, b->port);
	return order != 0 ? order : (a->n < b->n) - (a->n > b->n);
}

static void count(struct log *log, struct use use)
{
	size_t i;

	for (i = 0; i < log->n_uses; i++)
		if (compare(log->uses[i].host, use.host) == 0 &&
		    compare(log->uses[i].port, use.port) == 0 &&
		    compare(log->uses[i].who, use.who) == 0)
			break;
	if (i < USES_MAX && i == log->n_uses)
		log->uses[log->n_uses++] = use;
	if (i < USES_MAX)
		log->uses[i].n++;
}

static void take_line(struct log *log, struct span line)
{
	struct span from = id_before(line, ": from=<");
	struct span id = id_before(line, ": to=<");
	struct use use = { behind(line, ", relay=", "[,"), { "", 0 },
		{ "?", 1 }, 0 };
	size_t i, k;

	if (use.host.n > 0)
		use.port = behind((struct span){ use.host.p,
				      (size_t)(line.p + line.n - use.host.p) },
		    "]:", ", ");

	if (from.n > 0) {
		k = log->at++ % RECENT;
		log->recent[k].id = from;
		log->recent[k].sender = behind(line, ": from=<", ">");
	}
	for (i = 1; id.n > 0 && i <= RECENT && i <= log->at; i++) {
		k = (log->at - i) % RECENT;
		if (compare(log->recent[k].id, id) == 0) {
			use.who = log->recent[k].sender;
			break;
		}
	}
	if (id.n > 0 && use.host.n > 0 && use.port.n > 0)
		count(log, use);
	use.who = behind(line, ", sasl_username=", ", ");
	use.host = behind(line, ", sasl_method=", ", ");
	use.port.n = 0;
	if (use.who.n > 0)
		count(log, use);
}

/* The end of the mail log; lines point into it. */
static bool read_log(struct smarthost *smarthost, struct buf *out)
{
	struct span own = postfix_value(&smarthost->now, "maillog_file");
	char name[PATH_MAX];
	const char *const files[] = { name, "/var/log/mail.log",
		"/var/log/maillog" };
	const char *argv[] = { "tail", "-c", LOG_LAST, NULL, NULL };
	const char *const journal[] = { "journalctl", "-q", "-n", "100000",
		"-o", "cat", "SYSLOG_FACILITY=2", NULL };
	struct why why;
	size_t i;

	(void)snprintf(name, sizeof(name), "%.*s", SPAN(own));
	for (i = 0; i < 3 && argv[3] == NULL; i++)
		if (access(files[i], R_OK) == 0)
			argv[3] = files[i];
	if (run_done(argv[3] != NULL ? argv : journal, out, &why))
		return true;
	screen_say("there is no mail log to be read: %s", why.text);
	return false;
}

/* How Postfix logs in: the user, never the password behind it. */
static void print_login(struct smarthost *smarthost, const char *key)
{
	struct span maps, map;
	char word[PATH_MAX];
	const char *const argv[] = { "postmap", "-c", smarthost->dir, "-q", key,
		word, NULL };
	struct why why;

	maps = postfix_value(&smarthost->now, "smtp_sasl_password_maps");
	while ((map = postfix_next(&maps)).n > 0) {
		struct buf found = BUF_INIT(PATH_MAX);
		bool is;

		(void)snprintf(word, sizeof(word), "%.*s", SPAN(map));
		is = run_done(argv, &found, &why) && found.n > 0;
		if (is)
			screen_print("  logs in as %.*s with a %s\n",
			    (int)strcspn(found.p, ":\n"), found.p,
			    strchr(found.p, ':') != NULL ? "password" :
							   "token");
		buf_drop(&found);
		if (is)
			return;
	}
}

bool smarthost_inventory(struct smarthost *smarthost)
{
	struct buf text = BUF_INIT(LOG_MAX_BYTES);
	struct log *log = calloc(1, sizeof(*log));
	char key[SERVER_MAX_BYTES + 16];
	struct span line;
	size_t at, i;
	bool good = log != NULL && read_log(smarthost, &text);

	for (at = 0; good && at < text.n; at += line.n + 1) {
		line.p = text.p + at;
		line.n = strcspn(line.p, "\n");
		take_line(log, line);
	}
	if (good)
		qsort(log->uses, log->n_uses, sizeof(log->uses[0]),
		    compare_uses);
	for (i = 0; good && i < log->n_uses; i++) {
		struct use *use = &log->uses[i], *last = i > 0 ? use - 1 : NULL;

		if (last == NULL || compare(last->host, use->host) != 0 ||
		    compare(last->port, use->port) != 0) {
			(void)snprintf(key, sizeof(key), "[%.*s]:%.*s",
			    SPAN(use->host), SPAN(use->port));
			screen_print(use->port.n > 0 ?
				"relay %.*s, port %.*s\n" :
				"logins here, %.*s%.*s\n",
			    SPAN(use->host), SPAN(use->port));
			if (use->port.n > 0)
				print_login(smarthost, key);
		}
		screen_print("%8zu  %.*s\n", use->n,
		    SPAN(use->who.n > 0 ? use->who : span_of("<>")));
	}
	if (good && log->n_uses == 0)
		screen_say("the mail log tells of no mail through a relay");
	free(log);
	buf_drop(&text);
	return good;
}
