/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken import: files of other programs, and what export wrote, to the
 * helper, which understands them.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/talk.h"
#include "wire/base64.h"

#define FOREIGN_MAX_BYTES 65536 /* both files in base64 fit one list */
#define SASL_XOAUTH2_CONF "/etc/sasl-xoauth2.conf"

struct import {
	struct command *command;
	const char *format;
	struct buf defaults; /* sasl-xoauth2's own configuration */
	size_t done;
	enum outcome outcome; /* the worst */
};

/* Until the end, or until out is full. */
static enum fault read_some(int fd, const char *name, struct buf *out,
    struct why *why)
{
	size_t got;
	ssize_t n;
	char *p;

	for (;;) {
		if (out->n == out->max_bytes)
			return FAULT_NONE;
		p = buf_space(out, 4096, &got);
		if (p == NULL) {
			why_set(why, 0, "%s", fault_text(buf_fault(out)));
			return buf_fault(out);
		}
		n = read(fd, p, got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			why_set(why, errno, "cannot read %s", name);
			return FAULT_IO;
		}
		if (n == 0)
			return FAULT_NONE;
		buf_used(out, (size_t)n);
	}
}

static enum fault read_all(int fd, const char *name, struct buf *out,
    struct why *why)
{
	enum fault fault = read_some(fd, name, out, why);

	if (fault == FAULT_NONE && out->n == out->max_bytes) {
		why_set(why, 0, "%s is too large to be a token file", name);
		return FAULT_TOO_BIG;
	}
	return fault;
}

static enum fault read_file(const char *path, struct buf *out, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum fault fault;

	if (fd < 0) {
		why_set(why, errno, "cannot read %s", path);
		return FAULT_IO;
	}
	fault = read_all(fd, path, out, why);
	(void)close(fd);
	return fault;
}

static enum fault show(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why)
{
	const struct command *command = ctx;

	(void)why;
	talk_warn(list);
	if (command->json)
		json_line(out, list);
	else
		screen_line(out, "%.*s is imported (provider %.*s)",
		    SPAN(attr_get(list, ATTR_ACCOUNT)),
		    SPAN(attr_get(list, ATTR_PROVIDER)));
	return FAULT_NONE;
}

/* What is said of a refusal names where the data came from. */
static void send_one(struct import *import, const char *where,
    const char *account, struct span data)
{
	const struct talk_take take = {
		.each = show,
		.ctx = import->command,
		.subject = where,
		.done = "imported",
	};
	struct talk_request request;
	enum outcome outcome;

	talk_begin(&request, VERB_IMPORT);
	talk_put(&request, ATTR_FORMAT, import->format);
	talk_put(&request, ATTR_ACCOUNT, account);
	talk_put_list(&request, ATTR_SERVERS, &import->command->servers);
	talk_put_flag(&request, ATTR_REPLACE, import->command->replace);
	base64_put(&request.writer, ATTR_DATA, data);
	if (import->defaults.n > 0)
		base64_put(&request.writer, ATTR_DEFAULTS,
		    buf_span(&import->defaults));
	outcome = talk_run(import->command, &request, &take);
	/* The command was right; it is the data that is refused. */
	if (outcome == OUTCOME_USAGE)
		outcome = OUTCOME_NO;
	import->outcome = outcome_worse(import->outcome, outcome);
	if (outcome == OUTCOME_DONE)
		import->done++;
}

/* Records one behind the other, as export writes them. */
static enum fault import_own(struct import *import, struct why *why)
{
	struct buf in = BUF_INIT(ENTRY_MAX_BYTES + 1);
	enum fault fault;
	size_t n;

	for (;;) {
		fault = read_some(STDIN_FILENO, "standard input", &in, why);
		if (fault == FAULT_NONE)
			fault = attr_length(buf_span(&in), &n);
		if (fault != FAULT_NONE || in.n == 0)
			break;
		if (n == 0) {
			why_set(why, 0,
			    "standard input ends inside a record, or is not "
			    "what mailtoken export writes");
			fault = FAULT_GARBLED;
			break;
		}
		send_one(import, "a record", NULL, (struct span){ in.p, n });
		buf_consume(&in, n);
	}
	if (fault == FAULT_TOO_BIG)
		why_set(why, 0,
		    "standard input is not what mailtoken export writes");
	if (fault == FAULT_NONE && import->done == 0 &&
	    import->outcome == OUTCOME_DONE)
		screen_say("standard input has no record: nothing to import");
	buf_drop(&in);
	return fault;
}

static enum fault import_mutt(struct import *import, struct why *why)
{
	struct buf in = BUF_INIT(FOREIGN_MAX_BYTES);
	enum fault fault;

	fault = read_all(STDIN_FILENO, "standard input", &in, why);
	if (fault == FAULT_NONE)
		send_one(import, "standard input", import->command->account,
		    buf_span(&in));
	buf_drop(&in);
	return fault;
}

/* Its own configuration may be missing: token files can say all. */
static enum fault read_defaults(struct import *import, struct why *why)
{
	if (import->command->config != NULL)
		return read_file(import->command->config, &import->defaults,
		    why);
	if (access(SASL_XOAUTH2_CONF, F_OK) != 0)
		return FAULT_NONE;
	return read_file(SASL_XOAUTH2_CONF, &import->defaults, why);
}

/* A token file is named by sasl_passwd and mostly called like its user. */
static const char *account_of(const struct import *import, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (import->command->account != NULL)
		return import->command->account;
	return strchr(name, '@') != NULL && attr_is_account(span_of(name)) ?
	    name :
	    NULL;
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

static enum fault import_files(struct import *import, struct why *why)
{
	const struct command *command = import->command;
	struct buf data = BUF_INIT(FOREIGN_MAX_BYTES / 2);
	enum fault fault;
	size_t i;

	fault = read_defaults(import, why);
	for (i = 1; fault == FAULT_NONE && i < command->n_words; i++) {
		const char *path = command->words[i];

		fault = read_file(path, &data, why);
		if (fault == FAULT_NONE)
			send_one(import, path, account_of(import, path),
			    buf_span(&data));
		buf_drop(&data);
	}
	if (import->done > 0 && !command->json)
		say_postfix();
	return fault;
}

static const char *find_wrong(const struct command *command)
{
	const char *format = command->n_words > 0 ? command->words[0] : "";
	bool files = strcmp(format, FORMAT_SASL_XOAUTH2) == 0;
	bool own = strcmp(format, FORMAT_MAILTOKEN) == 0;

	if (command->n_words == 0)
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
	if ((command->account != NULL || command->servers.n > 0) && own)
		return "--account and --server go with files of other "
		       "programs";
	return NULL;
}

enum outcome import_run(struct command *command)
{
	struct import import = {
		.command = command,
		.format = command->words[0],
		.defaults = BUF_INIT(FOREIGN_MAX_BYTES / 2),
	};
	const char *wrong = find_wrong(command);
	struct why why = { .err = 0 };
	enum fault fault;

	if (wrong != NULL)
		return command_usage(command, wrong);
	if (command_servers(command) != FAULT_NONE ||
	    (command->account != NULL &&
		command_account(command->account) != FAULT_NONE))
		return OUTCOME_USAGE;
	if (command->n_words == 1 && isatty(STDIN_FILENO) == 1) {
		screen_say("the data comes on standard input, and that is a "
			   "terminal: give it a file or a pipe, as "
			   "mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	if (strcmp(import.format, FORMAT_SASL_XOAUTH2) == 0)
		fault = import_files(&import, &why);
	else if (strcmp(import.format, FORMAT_MUTT_OAUTH2) == 0)
		fault = import_mutt(&import, &why);
	else
		fault = import_own(&import, &why);
	buf_drop(&import.defaults);
	if (fault == FAULT_NONE)
		return import.outcome;
	screen_say("%s", why.text);
	return fault == FAULT_NOMEM ? OUTCOME_LATER : OUTCOME_NO;
}
