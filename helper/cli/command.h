/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * command - what every verb has: the options of the command, which helper
 * was meant, and the account argument
 */
#ifndef MAILTOKEN_CLI_COMMAND_H
#define MAILTOKEN_CLI_COMMAND_H

#include "cli/args.h"
#include "wire/address.h"
#include "wire/attr.h"

#define COMMAND_OPTIONS 6

enum command_helper {
	COMMAND_OWN, /* this user's */
	COMMAND_SYSTEM,
	COMMAND_NAMED /* --socket or MAILTOKEN_SOCKET */
};

struct command {
	const char *verb;
	int argc; /* behind the verb */
	char **argv;
	struct args_words words; /* set by command_words() */
	bool system, user, json, help, version;
	const char *socket;
	struct args_option options[COMMAND_OPTIONS];

	/* Set by start_choose(). */
	enum command_helper helper;
	bool by_default; /* no option chose it */
	bool both;	 /* own and system's are there */
	struct address address;
};

void command_init(struct command *command);

/*
 * command_words - read the arguments behind the verb: its own options, the
 * options of the command, of which --system, --user and --socket exclude
 * each other, and min..max words.  FAULT_GRAMMAR after the user has been
 * told.
 */
enum fault command_words(struct command *command, struct args_table options,
    size_t min, size_t max) MUST_CHECK;

/* command_account - whether the word is an account; told if not. */
enum fault command_account(const char *word) MUST_CHECK;

/* command_servers - whether each is a mail server or *.suffix; told. */
enum fault command_servers(const struct args_list *servers) MUST_CHECK;

/* command_no_core - before a token comes: no core file shall have it. */
void command_no_core(void);

/* command_usage - tells where the usage is; gives FAULT_GRAMMAR. */
enum fault command_usage(const struct command *command, const char *what);

#endif
