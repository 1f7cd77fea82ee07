/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken: the command.  Owns main, the table of verbs and the usage.
 */
#include "cli/verbs.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/print.h"
#include "wire/near.h"

#define USAGE_MAX_BYTES 8192

static verb_fn help_run;

static const struct verb {
	const char *name;
	verb_fn *run;
	const char *arguments;
	const char *purpose;
} verbs[] = {
	{ "login", login_run,
	    "ACCOUNT [--provider NAME | --issuer URL] "
	    "[--flow FLOW]\n           [--protocols LIST]\n"
	    "           [--server HOST]... [--as-delegate] [--browser] "
	    "[--any-name]",
	    "sign an account in" },
	{ "logout", logout_run,
	    "ACCOUNT | --all [--yes] [--no-revoke] [--keep-local]",
	    "forget an account and end its grant" },
	{ "status", status_run, "[ACCOUNT]", "show accounts and their states" },
	{ "token", token_run,
	    "ACCOUNT [--server HOST] [--min-validity SECONDS]",
	    "print an access token" },
	{ "refresh", refresh_run, "ACCOUNT | --due",
	    "renew a token now, or all grants that have been idle" },
	{ "watch", watch_run, "[--exec COMMAND]",
	    "show each change of a state, or run a command for it" },
	{ "import", import_run,
	    "sasl-xoauth2 [--config FILE] "
	    "[--account ACCOUNT]\n"
	    "           [--server HOST]... [--replace] FILE...\n"
	    "  import mutt_oauth2 [--account ACCOUNT] [--server HOST]...\n"
	    "           [--replace] < FILE\n"
	    "  import mailtoken [--replace] < FILE",
	    "take grants over from another program, or from export" },
	{ "export", export_run, "[ACCOUNT]... > FILE",
	    "write grants out, for a backup or another machine" },
	{ "reload", reload_run, "", "have the helper read its configuration" },
	{ "version", version_run, "",
	    "show the versions of command and helper" },
	{ "help", help_run, "[VERB]", "show this, or how a verb is used" },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void add_verb(struct buf *out, const struct verb *verb)
{
	buf_add_lit(out, "  ");
	buf_add_str(out, verb->name);
	if (verb->arguments[0] != '\0')
		buf_add_lit(out, " ");
	buf_add_str(out, verb->arguments);
	buf_add_lit(out, "\n           ");
	buf_add_str(out, verb->purpose);
	buf_add_lit(out, "\n");
}

static enum outcome put(struct buf *out)
{
	struct why why;

	if (print_answer(out, &why) == FAULT_NONE)
		return OUTCOME_DONE;
	print_say("%s", why.text);
	return OUTCOME_NO;
}

/* verb NULL: all of them */
static enum outcome usage(const struct verb *verb)
{
	struct buf out = BUF_INIT(USAGE_MAX_BYTES);
	size_t i;

	buf_add_lit(&out,
	    "usage: mailtoken [--system | --user | --socket PATH] [--json] "
	    "VERB ...\n\n");
	for (i = 0; i < VERBS; i++)
		if (verb == NULL || verb == &verbs[i])
			add_verb(&out, &verbs[i]);
	if (verb == NULL)
		buf_add_lit(&out, "\nmailtoken(1) has the rest.\n");
	return put(&out);
}

static enum outcome own_version(void)
{
	struct buf out = BUF_INIT(USAGE_MAX_BYTES);

	buf_add_lit(&out, "mailtoken " MAILTOKEN_VERSION "\n");
	return put(&out);
}

/* The usage, with what was probably meant. */
static enum outcome refuse_verb(const struct command *command, const char *name)
{
	struct buf words = BUF_INIT(USAGE_MAX_BYTES);
	struct span near;
	struct why why;
	size_t i;

	for (i = 0; i < VERBS; i++) {
		buf_add_str(&words, verbs[i].name);
		buf_add_lit(&words, " ");
	}
	near = near_word(span_of(name), words.p);
	if (near.n > 0)
		why_set(&why, 0,
		    "there is no verb %.100s; did you mean \"mailtoken %.*s\"?",
		    name, (int)near.n, near.p);
	else
		why_set(&why, 0, "there is no verb %.100s", name);
	buf_drop(&words);
	(void)command_usage(command, why.text);
	return OUTCOME_USAGE;
}

static const struct verb *find(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool wants_help(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static enum outcome help_run(struct command *command)
{
	const struct verb *verb = NULL;

	if (command_words(command, ARGS_NONE, 0, 1) != FAULT_NONE)
		return OUTCOME_USAGE;
	if (command->words.n == 1) {
		verb = find(command->words.at[0]);
		if (verb == NULL)
			return refuse_verb(command, command->words.at[0]);
	}
	return usage(verb);
}

/* A closed stdin, stdout or stderr must not become the socket. */
static bool fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

int main(int argc, char **argv)
{
	struct command command;
	struct args args = { .first_word_ends = true };
	const struct verb *verb;
	struct why why;

	if (argc < 1 || !fill_descriptors())
		return OUTCOME_NO;
	command_init(&command);
	args.argc = argc - 1;
	args.argv = argv + 1;
	args.tables[0] = (struct args_table){ command.options,
		COMMAND_OPTIONS };
	if (args_parse(&args, &why) != FAULT_NONE) {
		(void)command_usage(&command, why.text);
		return OUTCOME_USAGE;
	}
	if (command.help)
		return (int)usage(NULL);
	if (command.version)
		return (int)own_version();
	if (args.words.n == 0) {
		(void)command_usage(&command, "a verb is missing");
		return OUTCOME_USAGE;
	}
	verb = find(args.words.at[0]);
	if (verb == NULL)
		return (int)refuse_verb(&command, args.words.at[0]);
	command.verb = verb->name;
	command.argc = args.argc - args.used;
	command.argv = args.argv + args.used;
	if (wants_help(command.argc, command.argv))
		return (int)usage(verb);
	return (int)verb->run(&command);
}
