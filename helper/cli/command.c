/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The options of all verbs in one table, so that they may stand before or
 * behind the verb; which of them a verb takes, its line of usage says.
 */
#include "cli/command.h"

#include <getopt.h>
#include <stddef.h>
#include <sys/resource.h>

#include "cli/screen.h"

enum kind {
	FLAG,
	VALUE, /* at most once */
	LIST
};

#define OPTION(kind, name, member) \
	{ \
		name, kind, offsetof(struct command, member) \
	}

static const struct {
	const char *name; /* without the dashes */
	enum kind kind;
	size_t at;
} options[] = {
	/* of every verb */
	OPTION(FLAG, "system", system),
	OPTION(FLAG, "user", user),
	OPTION(VALUE, "socket", socket),
	OPTION(FLAG, "json", json),
	OPTION(FLAG, "help", help),
	OPTION(FLAG, "version", version),
	/* of some */
	OPTION(VALUE, "account", account),
	OPTION(FLAG, "all", all),
	OPTION(FLAG, "any-name", any_name),
	OPTION(FLAG, "as-delegate", as_delegate),
	OPTION(FLAG, "browser", browser),
	OPTION(VALUE, "config", config),
	OPTION(FLAG, "due", due),
	OPTION(VALUE, "exec", exec),
	OPTION(VALUE, "flow", flow),
	OPTION(VALUE, "issuer", issuer),
	OPTION(FLAG, "keep-local", keep_local),
	OPTION(VALUE, "min-validity", min_validity),
	OPTION(FLAG, "no-revoke", no_revoke),
	OPTION(VALUE, "protocols", protocols),
	OPTION(VALUE, "provider", provider),
	OPTION(FLAG, "replace", replace),
	OPTION(LIST, "server", servers),
	OPTION(FLAG, "yes", yes),
};

#define OPTIONS	  (sizeof(options) / sizeof(options[0]))
#define OF_EVERY  6
#define CODE_BASE 256 /* what getopt_long() gives for the first one */

static enum fault wrong(struct why *why, const char *name, const char *what)
{
	why_set(why, 0, "--%s %s", name, what);
	return FAULT_GRAMMAR;
}

static enum fault take_option(struct command *command, size_t i, char *value,
    struct why *why)
{
	char *at = (char *)command + options[i].at;
	const char **single;
	struct command_list *list;

	switch (options[i].kind) {
	case FLAG: *(bool *)(void *)at = true; return FAULT_NONE;
	case VALUE:
		single = (const char **)(void *)at;
		if (*single != NULL)
			return wrong(why, options[i].name, "stands twice");
		*single = value;
		return FAULT_NONE;
	case LIST:
		list = (struct command_list *)(void *)at;
		if (list->n == COMMAND_LIST_MAX)
			return wrong(why, options[i].name,
			    "stands more often than 32 times");
		list->at[list->n++] = value;
		return FAULT_NONE;
	}
	return FAULT_NONE;
}

/* optopt is the option at fault, 0 for one that there is not. */
static enum fault refuse(int code, char **argv, struct why *why)
{
	if (optopt >= CODE_BASE)
		return wrong(why, options[optopt - CODE_BASE].name,
		    code == ':' ? "needs a value" : "takes no value");
	if (optopt != 0)
		why_set(why, 0, "there is no option -%c", optopt);
	else
		why_set(why, 0, "there is no option %.*s",
		    (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
	return FAULT_GRAMMAR;
}

enum fault command_parse(struct command *command, int argc, char **argv,
    struct why *why)
{
	struct option table[OPTIONS + 1] = { { .name = NULL } };
	enum fault fault;
	size_t i, words = 0;
	int code;

	*command = (struct command){ .words = argv + 1 };
	for (i = 0; i < OPTIONS; i++)
		table[i] = (struct option){
			.name = options[i].name,
			.has_arg = options[i].kind == FLAG ? no_argument :
							     required_argument,
			.val = CODE_BASE + (int)i,
		};
	opterr = 0;
	/* "-": words come in their order, as 1, whatever POSIXLY_CORRECT is */
	while ((code = getopt_long(argc, argv, "-:h", table, NULL)) != -1) {
		if (code == ':' || code == '?')
			return refuse(code, argv, why);
		if (code == 1)
			argv[words++] = optarg;
		else if (code == 'h')
			command->help = true;
		else if ((fault = take_option(command,
			      (size_t)(code - CODE_BASE), optarg, why)))
			return fault;
	}
	while (optind < argc)
		argv[words++] = argv[optind++];
	if (words > 0) {
		command->verb = argv[0];
		command->n_words = words - 1;
	}
	if (command->system + command->user + (command->socket != NULL) <= 1)
		return FAULT_NONE;
	why_set(why, 0,
	    "only one of --system, --user and --socket can be meant");
	return FAULT_GRAMMAR;
}

static bool is_given(const struct command *command, size_t i)
{
	const char *at = (const char *)command + options[i].at;

	switch (options[i].kind) {
	case FLAG: return *(const bool *)(const void *)at;
	case VALUE: return *(const char *const *)(const void *)at != NULL;
	case LIST:
		return ((const struct command_list *)(const void *)at)->n > 0;
	}
	return false;
}

static bool stands_in(const char *usage, const char *name)
{
	size_t n = strlen(name);
	const char *p = usage;

	while ((p = strstr(p, "--")) != NULL) {
		p += 2;
		if (strncmp(p, name, n) == 0 && strchr(" ]\n", p[n]) != NULL)
			return true;
	}
	return false;
}

enum fault command_takes(const struct command *command, const char *usage,
    struct why *why)
{
	size_t i;

	if (command->version)
		return wrong(why, "version", "stands alone");
	for (i = OF_EVERY; i < OPTIONS; i++)
		if (is_given(command, i) && !stands_in(usage, options[i].name))
			return wrong(why, options[i].name,
			    "is for other verbs");
	return FAULT_NONE;
}

enum outcome command_usage(const struct command *command, const char *what)
{
	screen_say("%s; \"mailtoken %s%s--help\" shows how", what,
	    command->verb != NULL ? command->verb : "",
	    command->verb != NULL ? " " : "");
	return OUTCOME_USAGE;
}

enum fault command_account(const char *word)
{
	if (attr_is_account(span_of(word)))
		return FAULT_NONE;
	screen_say("an account is 1 to %d bytes of UTF-8 without control "
		   "characters, such as alice@example.com",
	    ACCOUNT_MAX_BYTES);
	return FAULT_GRAMMAR;
}

enum fault command_servers(const struct command *command)
{
	const char *name;
	size_t i;

	for (i = 0; i < command->servers.n; i++) {
		name = command->servers.at[i];
		if (strncmp(name, "*.", 2) == 0)
			name += 2;
		if (attr_is_host(span_of(name)))
			continue;
		screen_say("--server takes one mail server, such as "
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

enum outcome outcome_of(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return OUTCOME_DONE;
	case FAULT_TRY_LATER:
	case FAULT_BUSY:
	case FAULT_TIMEOUT:
	case FAULT_INTERNAL:
	case FAULT_NO_HELPER:
	case FAULT_NOMEM: return OUTCOME_LATER;
	case FAULT_DENIED: return OUTCOME_DENIED;
	case FAULT_BAD_REQUEST:
	case FAULT_GRAMMAR:
	case FAULT_TOO_BIG: return OUTCOME_USAGE;
	case FAULT_LOGIN_NEEDED:
	case FAULT_UNKNOWN_ACCOUNT:
	case FAULT_WRONG_SERVER:
	case FAULT_CONFIG_ERROR:
	case FAULT_UNTRUSTED:
	case FAULT_GARBLED:
	case FAULT_IO:
	case FAULT_UNSAFE:
	case FAULT_NOT_FOUND:
	case FAULT_LOCKED:
	case FAULT_READ_ONLY: return OUTCOME_NO;
	}
	return OUTCOME_NO;
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	if (a == OUTCOME_DONE)
		return b;
	if (b == OUTCOME_DONE || a == b)
		return a;
	return OUTCOME_NO;
}
