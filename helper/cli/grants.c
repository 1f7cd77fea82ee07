/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken export: records as the keyring has them, one behind the other.
 * They hold refresh tokens: never to a terminal.
 * mailtoken import: those again, and files of other programs, to the helper,
 * which understands them.
 * mailtoken rekey: walks over the same accounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/screen.h"
#include "cli/talk.h"
#include "wire/base64.h"

#define NAMES_MAX_BYTES	  (64 * 1024 * 1024)
#define FOREIGN_MAX_BYTES 65536 /* both files in base64 fit one list */
#define SASL_XOAUTH2_CONF "/etc/sasl-xoauth2.conf"
#define STDIN		  "standard input"

/* What becomes of a record. */
struct deed {
	const char *verb, *done;
	talk_fn *each;
};

static enum outcome do_one(struct command *command, const struct deed *deed,
    const char *account)
{
	struct talk talk;

	talk_begin(&talk, command, deed->verb, account);
	talk.subject = account;
	talk.done = deed->done;
	return talk_run(&talk, deed->each, NULL);
}

/* Of those that are named, or all. */
static enum outcome do_each(struct command *command, const struct deed *deed)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	enum outcome all = OUTCOME_DONE, one = OUTCOME_DONE;
	struct talk talk;
	size_t at;

	if (command->n_words == 0) {
		talk_begin(&talk, command, VERB_EXPORT, NULL);
		one = all = talk_names(&talk, &names);
		if (all == OUTCOME_DONE && names.n == 0)
			screen_say("the keyring has no records");
	}
	for (at = 0; one != OUTCOME_LATER && at < names.n;
	     at += strlen(names.p + at) + 1) {
		one = do_one(command, deed, names.p + at);
		all = outcome_worse(all, one);
	}
	for (at = 0; at < command->n_words; at++)
		all = outcome_worse(all,
		    do_one(command, deed, command->words[at]));
	buf_drop(&names);
	return all;
}

enum outcome rekey_run(struct command *command)
{
	const struct deed seal = { VERB_REKEY, "sealed", NULL };

	return do_each(command, &seal);
}

static enum fault add_record(struct talk *talk)
{
	enum fault fault = base64_get(&talk->list, ATTR_DATA, &screen_out);

	if (fault != FAULT_NONE)
		why_set(&talk->why, 0, "the helper's answer has no record");
	return fault;
}

enum outcome export_run(struct command *command)
{
	const struct deed export = { VERB_EXPORT, "exported", add_record };

	if (screen.terminal) {
		screen_say("this would show refresh tokens: give standard "
			   "output to a file or, better, to a program that "
			   "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	return do_each(command, &export);
}

struct import {
	struct command *command;
	struct buf defaults; /* sasl-xoauth2's own configuration */
	struct why why;
	size_t done;
	enum outcome outcome; /* the worst */
};

/* Until the end, or until out is full. */
static enum fault read_some(struct import *import, int fd, const char *name,
    struct buf *out)
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
			why_set(&import->why, errno, "cannot read %s", name);
			return FAULT_IO;
		}
		if (n > 0)
			buf_used(out, (size_t)n);
	}
	return FAULT_NONE;
}

/* path is NULL for standard input. */
static enum fault read_file(struct import *import, const char *path,
    struct buf *out)
{
	const char *name = path != NULL ? path : STDIN;
	int fd = STDIN_FILENO;
	enum fault fault;

	if (path != NULL)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		why_set(&import->why, errno, "cannot read %s", name);
		return FAULT_IO;
	}
	fault = read_some(import, fd, name, out);
	if (path != NULL)
		(void)close(fd);
	if (fault == FAULT_NONE && out->n == out->max_bytes) {
		why_set(&import->why, 0, "%s is too large to be a token file",
		    name);
		fault = FAULT_TOO_BIG;
	}
	return fault;
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

/* What is said of a refusal names where the data came from. */
static void send_one(struct import *import, const char *where,
    const char *account, struct span data)
{
	struct command *command = import->command;
	enum outcome outcome;
	struct talk talk;

	talk_begin(&talk, command, VERB_IMPORT, account);
	talk_put(&talk, ATTR_FORMAT, command->words[0]);
	talk_put_servers(&talk);
	talk_put(&talk, ATTR_REPLACE, command->replace);
	base64_put(&talk.writer, ATTR_DATA, data);
	if (import->defaults.n > 0)
		base64_put(&talk.writer, ATTR_DEFAULTS,
		    buf_span(&import->defaults));
	talk.subject = where;
	talk.done = "imported";
	talk.at_once = true;
	outcome = talk_run(&talk, show_imported, NULL);
	/* The command was right; it is the data that is refused. */
	if (outcome == OUTCOME_USAGE)
		outcome = OUTCOME_NO;
	import->outcome = outcome_worse(import->outcome, outcome);
	if (outcome == OUTCOME_DONE)
		import->done++;
}

/* Records one behind the other, as export writes them. */
static enum fault import_own(struct import *import)
{
	struct buf in = BUF_INIT(ENTRY_MAX_BYTES + 1);
	enum fault fault;
	size_t n = 0;

	for (;;) {
		fault = read_some(import, STDIN_FILENO, STDIN, &in);
		if (fault == FAULT_NONE)
			fault = attr_length(buf_span(&in), &n);
		if (fault != FAULT_NONE || n == 0)
			break;
		send_one(import, "a record", NULL, (struct span){ in.p, n });
		buf_consume(&in, n);
	}
	if (fault == FAULT_NONE && in.n > 0) {
		why_set(&import->why, 0,
		    STDIN " ends inside a record, or is not what mailtoken "
			  "export writes");
		fault = FAULT_GARBLED;
	}
	if (fault == FAULT_TOO_BIG)
		why_set(&import->why, 0,
		    STDIN " is not what mailtoken export writes");
	if (fault == FAULT_NONE && import->done == 0 &&
	    import->outcome == OUTCOME_DONE)
		screen_say(STDIN " has no record: nothing to import");
	buf_drop(&in);
	return fault;
}

/* A token file is named by sasl_passwd and mostly called like its user. */
static const char *account_of(const struct command *command, const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : path;

	return command->account == NULL && name != NULL &&
		strchr(name, '@') != NULL && attr_is_account(span_of(name)) ?
	    name :
	    command->account;
}

static void say_postfix(void)
{
	screen_say(
	    "what is left to do for Postfix: in the password map of "
	    "smtp_sasl_password_maps (mostly /etc/postfix/sasl_passwd) take "
	    "away the colon and the path of the token file, so that a line "
	    "reads \"[smtp.example.com]:587 user@example.com\", and run "
	    "postmap on it");
	screen_say("in main.cf keep smtp_sasl_auth_enable = yes, "
		   "smtp_sasl_mechanism_filter = xoauth2 and "
		   "smtp_sasl_tls_security_options = noanonymous; take away "
		   "smtp_sasl_auth_cache_name");
	screen_say("then run postfix reload, and mailtoken refresh ACCOUNT for "
		   "each account: only that shows that the grant works; until "
		   "it has, keep the token files, and to go back give Postfix "
		   "its old settings again");
	screen_say("when it has, remove sasl-xoauth2, which offers the same "
		   "mechanism and would renew the same grant");
}

/* Token files of sasl-xoauth2, or what mutt_oauth2.py has on stdin. */
static enum fault import_foreign(struct import *import, bool files)
{
	const struct command *command = import->command;
	struct buf data = BUF_INIT(FOREIGN_MAX_BYTES);
	const char *defaults = command->config, *path;
	enum fault fault = FAULT_NONE;
	size_t i;

	if (files)
		data.max_bytes /= 2;
	/* It may be missing: token files can say all. */
	if (files && defaults == NULL && access(SASL_XOAUTH2_CONF, F_OK) == 0)
		defaults = SASL_XOAUTH2_CONF;
	if (defaults != NULL)
		fault = read_file(import, defaults, &import->defaults);
	for (i = files ? 1 : 0; fault == FAULT_NONE && i < command->n_words;
	     i++) {
		path = files ? command->words[i] : NULL;
		fault = read_file(import, path, &data);
		if (fault == FAULT_NONE)
			send_one(import, path != NULL ? path : STDIN,
			    account_of(command, path), buf_span(&data));
		buf_drop(&data);
	}
	if (files && import->done > 0 && command->json == NULL)
		say_postfix();
	return fault;
}

static const char *find_wrong(const struct command *command, bool files,
    bool own)
{
	const char *format = command->words[0];

	if (format == NULL)
		return "the kind of data is missing: sasl-xoauth2, "
		       "mutt_oauth2 or mailtoken";
	if (!files && !own && strcmp(format, FORMAT_MUTT_OAUTH2) != 0)
		return "import takes " FORMAT_SASL_XOAUTH2
		       ", " FORMAT_MUTT_OAUTH2 " or " FORMAT_MAILTOKEN;
	if (files != (command->n_words > 1))
		return files ? "the token files are missing" :
			       "the data comes on standard input";
	if (command->config != NULL && !files)
		return "--config goes with " FORMAT_SASL_XOAUTH2;
	if (command->account != NULL && command->n_words > 2)
		return "--account goes with one file";
	if ((command->account != NULL || command->servers[0] != NULL) && own)
		return "--account and --server go with files of other "
		       "programs";
	return NULL;
}

enum outcome import_run(struct command *command)
{
	struct span format = span_of(command->words[0]);
	bool files = span_is(format, FORMAT_SASL_XOAUTH2);
	bool own = span_is(format, FORMAT_MAILTOKEN);
	const char *wrong = find_wrong(command, files, own);
	struct import import = {
		.command = command,
		.defaults = BUF_INIT(FOREIGN_MAX_BYTES / 2),
		.why = { .err = 0 },
	};
	enum fault fault;

	if (wrong != NULL)
		return command_usage(command, wrong);
	if (!command_servers(command) ||
	    (command->account != NULL && !command_account(command->account)))
		return OUTCOME_USAGE;
	if (!files && screen.keyboard) {
		screen_say("the data comes on standard input, and that is a "
			   "terminal: give it a file or a pipe, as "
			   "mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	fault = own ? import_own(&import) : import_foreign(&import, files);
	buf_drop(&import.defaults);
	if (fault == FAULT_NONE)
		return import.outcome;
	screen_say("%s", why_text(&import.why, fault));
	return fault == FAULT_NOMEM ? OUTCOME_LATER : OUTCOME_NO;
}
