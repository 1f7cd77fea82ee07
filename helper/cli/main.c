/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken: the command.  Owns main, the table of verbs and the usage.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/screen.h"
#include "wire/near.h"

#define NAMES_MAX_BYTES 4096

static verb_fn help_run;

/* A row: what to type, how many words, and the options that it takes. */
static const struct verb {
	const char *name;
	verb_fn *run;
	size_t min, max; /* words behind the verb */
	bool accounts;	 /* which are accounts */
	const char *arguments;
	const char *purpose;
} verbs[] = {
	{ "setup", start_operator, 0, 10, false,
	    "[ADDRESS] [--provider NAME | --issuer URL] [--client-id ID]\n"
	    "    [--tenant TENANT] [--flow FLOW] [--browser]\n"
	    "    [--client-secret-file FILE] [--app-only]\n"
	    "    [--certificate FILE [--certificate-key FILE] |\n"
	    "    --make-certificate] [--no-postfix] [--yes] [--dry-run]\n"
	    "mailtoken setup postfix [ADDRESS] [--relay HOST:PORT]\n"
	    "    [--per-sender] [--keep-password-for HOST]\n"
	    "    [--config-dir DIR] [--yes] [--dry-run]\n"
	    "mailtoken setup postfix [--inventory | --undo]\n"
	    "mailtoken setup fleet URL... [--fleet-user NAME]\n"
	    "    [--password-file FILE] [--ca-file FILE] [--certificate FILE\n"
	    "    --certificate-key FILE] [--yes] [--dry-run]\n"
	    "mailtoken setup fleet --undo [--yes] [--dry-run]\n"
	    "mailtoken setup PROGRAM [ADDRESS]",
	    "set an account up, from nothing to a test message" },
	{ "login", login_run, 1, 1, true,
	    "ACCOUNT [--provider NAME | --issuer URL] [--flow FLOW]\n"
	    "    [--protocols LIST] [--server HOST]... [--as-delegate]\n"
	    "    [--browser] [--any-name]",
	    "sign an account in" },
	{ "logout", logout_run, 0, 1, true,
	    "ACCOUNT | --all [--yes] [--no-revoke] [--keep-local]",
	    "forget an account and end its grant" },
	{ "status", status_run, 0, 1, true, "[ACCOUNT]",
	    "show accounts and their states" },
	{ "check", check_run, 0, 1, true,
	    "[ACCOUNT] [--alive] [--warning SECONDS] [--critical SECONDS]",
	    "say in one line how it stands, for Nagios and the like" },
	{ "token", token_run, 1, 1, true,
	    "ACCOUNT [--server HOST] [--min-validity SECONDS]",
	    "print an access token" },
	{ "refresh", refresh_run, 0, 1, true, "ACCOUNT | --due",
	    "renew a token now, or all grants that have been idle" },
	{ "watch", watch_run, 0, 0, false, "[--exec COMMAND]",
	    "show each change of a state, or run a command for it" },
	{ "metrics", metrics_run, 0, 0, false,
	    "[--accounts] [--textfile PATH | --listen ADDRESS:PORT]",
	    "print what the helper counts, for Prometheus" },
	{ "import", import_run, 0, SIZE_MAX, false,
	    "sasl-xoauth2 [--config FILE] [--account ACCOUNT]\n"
	    "    [--server HOST]... [--replace] FILE...\n"
	    "mailtoken import mutt_oauth2 [--account ACCOUNT]\n"
	    "    [--server HOST]... [--replace] < FILE\n"
	    "mailtoken import mailtoken [--replace] < FILE",
	    "take grants over from another program, or from export" },
	{ "export", export_run, 0, SIZE_MAX, true, "[ACCOUNT]... > FILE",
	    "write grants out, for a backup or another machine" },
	{ "rekey", rekey_run, 0, SIZE_MAX, true, "[ACCOUNT]...",
	    "seal records anew, of some accounts or all" },
	{ "providers", providers_run, 0, 1, false, "[NAME]",
	    "list the built-in providers, or print one to be pasted" },
	{ "doctor", start_operator, 0, 1, true,
	    "[ACCOUNT] [--live] [--server SERVICE://HOST:PORT]...\n"
	    "    [--report]",
	    "check the whole way that a mail takes" },
	{ "explain", start_operator, 0, SIZE_MAX, false, "[TEXT... | -]",
	    "say what an error means and who must do what" },
	{ "reload", reload_run, 0, 0, false, "",
	    "have the helper read its configuration" },
	{ "version", version_run, 0, 0, false, "",
	    "show the versions of command and helper" },
	{ "help", help_run, 0, 1, false, "[VERB]",
	    "show this, or how a verb is used" },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static enum outcome usage_of(const struct verb *verb)
{
	const char *const parts[] = { "mailtoken ", verb->name, " ",
		verb->arguments, "\n    ", verb->purpose, "\n" };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		screen_add(parts[i]);
	return OUTCOME_DONE;
}

static enum outcome usage(void)
{
	size_t i;

	screen_add(
	    "usage: mailtoken [--system | --user | --socket PATH] [--json] "
	    "VERB ...\n\n");
	for (i = 0; i < VERBS; i++)
		screen_print("  %-11s%s\n", verbs[i].name, verbs[i].purpose);
	screen_add(
	    "\n\"mailtoken help VERB\" shows its arguments; mailtoken(1) has "
	    "the rest.\n");
	return OUTCOME_DONE;
}

/* With what was probably meant. */
static enum outcome refuse_verb(const char *name)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	struct span near;
	size_t i;

	for (i = 0; i < VERBS; i++) {
		buf_add_str(&names, verbs[i].name);
		buf_add_lit(&names, " ");
	}
	near = near_word(span_of(name), names.p != NULL ? names.p : "");
	if (near.n > 0)
		screen_say("there is no verb %.100s: did you mean \"mailtoken "
			   "%.*s\"? \"mailtoken help\" lists them all",
		    name, SPAN(near));
	else
		screen_say("there is no verb %.100s: \"mailtoken help\" lists "
			   "them all",
		    name);
	buf_drop(&names);
	return OUTCOME_USAGE;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static enum outcome help_run(struct command *command)
{
	const char *name = command->words[0];

	if (name == NULL)
		return usage();
	return find_verb(name) != NULL ? usage_of(find_verb(name)) :
					 refuse_verb(name);
}

static enum outcome run(struct command *command)
{
	const struct verb *verb;
	struct why why;
	size_t i;

	if (command->verb == NULL && command->version != NULL) {
		screen_add("mailtoken " MAILTOKEN_VERSION "\n");
		return OUTCOME_DONE;
	}
	if (command->verb == NULL)
		return command->help != NULL ?
		    usage() :
		    command_usage(command, "a verb is missing");
	verb = find_verb(command->verb);
	if (verb == NULL)
		return refuse_verb(command->verb);
	if (command->help != NULL)
		return usage_of(verb);
	if (command_takes(command, verb->arguments, &why) != FAULT_NONE)
		return command_usage(command, why.text);
	if (command->n_words < verb->min)
		return command_usage(command,
		    "the account is missing, such as alice@example.com");
	if (command->n_words > verb->max)
		return command_usage(command, "there is a word too many");
	for (i = 0; i < command->n_words && verb->accounts; i++)
		if (!command_account(command->words[i]))
			return OUTCOME_USAGE;
	return verb->run(command);
}

int main(int argc, char **argv)
{
	enum outcome outcome = OUTCOME_USAGE;
	struct command command;
	struct why why;
	char **given;
	int fd;

	/* A closed stdin, stdout or stderr must not become the socket. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (argc < 1 || fd < 0)
		return OUTCOME_NO;
	(void)close(fd);
	given = calloc((size_t)argc + 1, sizeof(*given));
	if (given == NULL)
		return OUTCOME_LATER;
	memcpy(given, argv, (size_t)argc * sizeof(*given));
	screen_init();
	if (command_parse(&command, argc, argv, &why) != FAULT_NONE) {
		(void)command_usage(&command, why.text);
	} else {
		command.argv = given;
		outcome = run(&command);
	}
	/* To a monitor 2 is an alarm; "unknown" is 3. */
	if (outcome == OUTCOME_USAGE && screen_out.n == 0 && argv[0] != NULL &&
	    strcmp(argv[0], "check") == 0)
		outcome = (enum outcome)3;
	screen_flush();
	free(given);
	return (int)outcome;
}
