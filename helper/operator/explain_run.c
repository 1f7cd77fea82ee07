/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken explain: where the text comes from, and how it is told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "operator/explain.h"
#include "operator/run.h"
#include "operator/verbs.h"

#define CAUSES_MAX    500 /* there are fewer rows */
#define LOG_MAX_BYTES 262144
#define COLUMNS	      79
#define INDENT	      11

/* Everything that is known of what was read. */
struct told {
	size_t n_lines, n_causes;
	bool reasons; /* of SASL have been read */
	struct cause {
		struct explained is;
		size_t n;		      /* lines of it */
		char line[EXPLAIN_MAX_BYTES]; /* the last of them */
		size_t bytes;		      /* of line */
	} causes[CAUSES_MAX];
};

static void read_line(struct told *told, struct span line)
{
	struct explained is;
	struct cause *cause;
	size_t i;

	told->n_lines++;
	if (!explain_find(line, &is))
		return;
	for (i = 0; i < told->n_causes; i++)
		if (span_is(is.name, told->causes[i].is.name.p))
			break;
	if (i == CAUSES_MAX)
		return;
	cause = &told->causes[i];
	told->n_causes += i == told->n_causes;
	cause->is = is;
	cause->n++;
	cause->bytes = line.n < EXPLAIN_MAX_BYTES ? line.n : EXPLAIN_MAX_BYTES;
	memcpy(cause->line, line.p, cause->bytes);
}

static bool has(struct span line, const char *words)
{
	return memmem(line.p, line.n, words, strlen(words)) != NULL;
}

/*
 * What strangers try at this machine's own server is no trouble of ours.  And
 * after the line with a plugin's sentence Postfix repeats only SASL's word.
 */
static void read_line_of_log(struct told *told, struct span line)
{
	told->reasons |= has(line, "SASL authentication failure: ");
	if (has(line, "/smtpd[") ||
	    (told->reasons && has(line, "; cannot authenticate to server ")))
		told->n_lines++;
	else
		read_line(told, line);
}

/* What is beyond a line's limit is left out. */
static void read_stream(struct told *told, FILE *file)
{
	char line[EXPLAIN_MAX_BYTES];
	size_t n = 0;
	int c;

	while ((c = getc(file)) != EOF) {
		if (c != '\n' && n < sizeof(line))
			line[n++] = (char)c;
		if (c != '\n')
			continue;
		read_line_of_log(told, (struct span){ line, n });
		n = 0;
	}
	if (n > 0)
		read_line_of_log(told, (struct span){ line, n });
}

void explain_fill(struct buf *out, struct span text, struct span account)
{
	const char *word;

	while (account.n > 0 &&
	    (word = memmem(text.p, text.n, EXPLAIN_ACCOUNT,
		 sizeof(EXPLAIN_ACCOUNT) - 1)) != NULL) {
		buf_add(out, (struct span){ text.p, (size_t)(word - text.p) });
		buf_add(out, account);
		word += sizeof(EXPLAIN_ACCOUNT) - 1;
		text.n -= (size_t)(word - text.p);
		text.p = word;
	}
	buf_add(out, text);
}

/* A paragraph behind its label; a command is never broken. */
static void show(const char *label, struct span text, bool command)
{
	size_t column = INDENT;
	struct span word;

	screen_print("%-*s", INDENT, label);
	while (text.n > 0) {
		for (word = text, word.n = 0; word.n < text.n &&
		     word.p[word.n] != '\n' &&
		     (command || word.p[word.n] != ' ');)
			word.n++;
		if (column > INDENT &&
		    (command || column + 1 + screen_width(word) > COLUMNS)) {
			screen_add("\n");
			screen_print("%-*s", INDENT, "");
			column = INDENT;
		}
		if (column > INDENT)
			screen_add(" ");
		column += (column > INDENT) + screen_width(word);
		screen_print("%.*s", SPAN(word));
		word.n += word.n < text.n;
		text = (struct span){ text.p + word.n, text.n - word.n };
	}
	screen_print("\n");
}

/* With the account; as members of an object with json. */
static void show_cause(const struct explained *is, struct span account,
    bool json)
{
	enum {
		MEANING,
		WHO,
		TYPE,
		CLICK,
		PAGE,
		PARTS
	};
	const struct {
		const char *label, *name;
		struct span text;
	} parts[PARTS] = {
		{ "Meaning:", "meaning", is->meaning },
		{ "Who:", "who", is->who },
		{ "Type:", "type", is->type },
		{ is->type.n > 0 && !is->click_first ? "Else:" : "Do:", "click",
		    is->click },
		{ "Page:", "page", is->page },
	};
	size_t i, k;

	for (i = 0; i < PARTS; i++) {
		struct buf text = BUF_INIT(EXPLAIN_MAX_BYTES);

		k = i;
		if (is->click_first && (i == TYPE || i == CLICK))
			k = TYPE + CLICK - i;
		explain_fill(&text, parts[k].text, account);
		if (json) {
			screen_print(", \"%s\": ", parts[k].name);
			screen_json_string(buf_span(&text));
		} else if (text.n > 0) {
			show(parts[k].label, buf_span(&text), k == TYPE);
		}
		buf_drop(&text);
	}
}

static void show_all(const struct told *told, bool json, bool many)
{
	const struct cause *cause;
	struct span account, line;
	size_t i;

	for (i = 0; i < told->n_causes; i++) {
		cause = &told->causes[i];
		line = (struct span){ cause->line, cause->bytes };
		account = explain_account(line);
		if (json) {
			screen_add(i == 0 ? "[{\"name\": " : ",\n {\"name\": ");
			screen_json_string(cause->is.name);
			screen_print(", \"lines\": %zu, \"account\": ",
			    cause->n);
			screen_json_string(account);
		} else if (i > 0) {
			screen_add("\n");
		}
		if (many && !json)
			screen_print("%zu line%s, the last: %.*s\n", cause->n,
			    cause->n == 1 ? "" : "s", SPAN(line));
		show_cause(&cause->is, account, json);
		screen_add(json ? "}" : "");
	}
	if (json)
		screen_add(i == 0 ? "[]\n" : "]\n");
}

static enum outcome explain_text(struct told *told, char **words, bool json)
{
	struct buf text = BUF_INIT(EXPLAIN_MAX_BYTES);

	for (; *words != NULL; words++) {
		buf_add_str(&text, *words);
		buf_add_lit(&text, " ");
	}
	if (text.n > 0)
		read_line(told, buf_span(&text));
	show_all(told, json, false);
	if (told->n_causes == 0)
		screen_say(
		    "nothing is known of that: run \"mailtoken doctor\", "
		    "or give the whole line of the log");
	buf_drop(&text);
	return told->n_causes > 0 ? OUTCOME_DONE : OUTCOME_NO;
}

/* The last max_bytes, from the beginning of a line; NULL: it cannot be read, or
 * is no file. */
static FILE *open_end(const char *path, long max_bytes)
{
	struct stat about;
	FILE *file;
	int c = 0;

	/* Of a pipe or a terminal nothing may ever come. */
	if (stat(path, &about) != 0 || !S_ISREG(about.st_mode))
		return NULL;
	file = fopen(path, "re");
	if (file != NULL && fseek(file, -max_bytes, SEEK_END) == 0)
		while (c != EOF && c != '\n')
			c = getc(file);
	return file;
}

bool explain_log(const char *config_dir, size_t bytes, struct buf *out,
    struct buf *from)
{
	struct buf own = BUF_INIT(EXPLAIN_MAX_BYTES);
	const char *files[] = { "", "/var/log/mail.log", "/var/log/maillog" };
	const char *name = "the journal of Postfix and mailtokend";
	FILE *file = NULL;
	char lines[24];
	size_t room, i;
	char *p;

	buf_init(out, 8 * bytes);
	(void)(config_dir != NULL ?
		run(&own, NULL, "postconf", "-c", config_dir, "-xh",
		    "maillog_file", NULL) :
		run(&own, NULL, "postconf", "-xh", "maillog_file", NULL));
	if (own.n > 1) {
		own.p[own.n - 1] = '\0'; /* in place of the line's end */
		files[0] = own.p;
	}
	for (i = 0; i < 3 && file == NULL; i++)
		file = open_end(files[i], (long)bytes);
	if (file != NULL) {
		p = buf_space(out, bytes, &room);
		buf_used(out, p != NULL ? fread(p, 1, room, file) : 0);
		(void)fclose(file);
		name = files[i - 1];
	}
	if (from != NULL)
		buf_add_str(from, name);
	buf_drop(&own);
	(void)snprintf(lines, sizeof(lines), "%zu", bytes / 128);
	return file != NULL ||
	    run(out, NULL, "journalctl", "--no-pager", "-q", "-o", "short",
		"-n", lines, "SYSLOG_FACILITY=2", "+",
		"_SYSTEMD_UNIT=mailtokend.service", NULL);
}

/* False: there is none that can be read. */
static bool read_log(struct told *told, struct buf *from)
{
	struct buf log;
	FILE *file = NULL;
	bool found = explain_log(NULL, LOG_MAX_BYTES, &log, from);

	if (found && log.n > 0)
		file = fmemopen(log.p, log.n, "r");
	if (file != NULL) {
		read_stream(told, file);
		(void)fclose(file);
	}
	buf_drop(&log);
	return found;
}

static enum outcome explain_lines(struct told *told, bool log, bool json)
{
	struct buf from = BUF_INIT(EXPLAIN_MAX_BYTES);
	bool found = !log || read_log(told, &from);

	if (!log) {
		buf_add_lit(&from, "standard input");
		read_stream(told, stdin);
	}
	if (found) {
		show_all(told, json, true);
		screen_flush();
		screen_say("%zu line%s of %.*s, %zu known cause%s of trouble",
		    told->n_lines, told->n_lines == 1 ? "" : "s",
		    SPAN(buf_span(&from)), told->n_causes,
		    told->n_causes == 1 ? "" : "s");
	} else {
		screen_say("neither /var/log/mail.log nor the journal can be "
			   "read: run it as root, or \"mailtoken explain - < "
			   "LOG\"");
	}
	buf_drop(&from);
	return told->n_causes > 0 ? OUTCOME_DONE : OUTCOME_NO;
}

enum outcome explain_run(struct command *command)
{
	struct told *told = calloc(1, sizeof(*told));
	bool json = command->json != NULL;
	const char *word = command->words[0];
	enum outcome outcome;

	if (told == NULL)
		return OUTCOME_LATER;
	outcome = word != NULL && strcmp(word, "-") != 0 ?
	    explain_text(told, command->words, json) :
	    explain_lines(told, word == NULL, json);
	free(told);
	return outcome;
}
