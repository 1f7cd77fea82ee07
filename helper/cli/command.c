/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The options of the command, and the checks of words that verbs share.
 */
#include "cli/command.h"

#include <sys/resource.h>

#include "cli/print.h"

void command_init(struct command *command)
{
	const struct args_option options[COMMAND_OPTIONS] = {
		{ .name = "system", .flag = &command->system },
		{ .name = "user", .flag = &command->user },
		{ .name = "socket", .value = &command->socket },
		{ .name = "json", .flag = &command->json },
		{ .name = "help", .flag = &command->help },
		{ .name = "version", .flag = &command->version },
	};

	*command = (struct command){ .verb = NULL };
	memcpy(command->options, options, sizeof(options));
}

enum fault command_usage(const struct command *command, const char *what)
{
	if (command->verb != NULL)
		print_say("%s; \"mailtoken %s --help\" shows how", what,
		    command->verb);
	else
		print_say("%s; \"mailtoken --help\" shows how", what);
	return FAULT_GRAMMAR;
}

enum fault command_words(struct command *command, struct args_table options,
    size_t min, size_t max)
{
	struct args args = {
		.argc = command->argc,
		.argv = command->argv,
		.tables = { options, { command->options, COMMAND_OPTIONS } },
	};
	struct why why;

	if (args_parse(&args, &why) != FAULT_NONE)
		return command_usage(command, why.text);
	if (command->version)
		return command_usage(command, "--version stands alone");
	if (args.words.n < min)
		return command_usage(command,
		    strcmp(command->verb, "import") == 0 ?
			"the kind of data is missing: sasl-xoauth2, "
			"mutt_oauth2 or mailtoken" :
			"the account is missing, such as alice@example.com");
	if (args.words.n > max)
		return command_usage(command, "there is a word too many");
	if (command->system + command->user + (command->socket != NULL) > 1)
		return command_usage(command,
		    "only one of --system, --user and --socket can be meant");
	command->words = args.words;
	return FAULT_NONE;
}

enum fault command_account(const char *word)
{
	if (attr_is_account(span_of(word)))
		return FAULT_NONE;
	print_say("an account is 1 to %d bytes of UTF-8 without control "
		  "characters, such as alice@example.com",
	    ACCOUNT_MAX_BYTES);
	return FAULT_GRAMMAR;
}

enum fault command_servers(const struct args_list *servers)
{
	const char *name;
	size_t i;

	for (i = 0; i < servers->n; i++) {
		name = servers->at[i];
		if (strncmp(name, "*.", 2) == 0)
			name += 2;
		if (attr_is_host(span_of(name)))
			continue;
		print_say("--server takes one mail server, such as "
			  "smtp.example.com or *.example.com");
		return FAULT_GRAMMAR;
	}
	return FAULT_NONE;
}

void command_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}
