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

#define CODE_BASE 256 /* above the characters that getopt_long() gives */
#define OF_EVERY  6

/* The code that getopt_long() gives says where the value belongs. */
#define OPTION(argument, name, member) \
	{ \
		name, argument, NULL, \
		    CODE_BASE + (int)offsetof(struct command, member) \
	}

static const struct option options[] = {
	/* of every verb */
	OPTION(no_argument, "system", system),
	OPTION(no_argument, "user", user),
	OPTION(required_argument, "socket", socket),
	OPTION(no_argument, "json", json),
	OPTION(no_argument, "help", help),
	OPTION(no_argument, "version", version),
	/* of some */
	OPTION(required_argument, "account", account),
	OPTION(no_argument, "accounts", accounts),
	OPTION(no_argument, "alive", alive),
	OPTION(no_argument, "all", all),
	OPTION(no_argument, "any-name", any_name),
	OPTION(no_argument, "app-only", app_only),
	OPTION(no_argument, "as-delegate", as_delegate),
	OPTION(no_argument, "browser", browser),
	OPTION(required_argument, "ca-file", ca_file),
	OPTION(required_argument, "certificate", certificate),
	OPTION(required_argument, "certificate-key", certificate_key),
	OPTION(required_argument, "client-id", client_id),
	OPTION(required_argument, "client-secret-file", client_secret_file),
	OPTION(required_argument, "config", config),
	OPTION(required_argument, "config-dir", config_dir),
	OPTION(required_argument, "critical", critical),
	OPTION(no_argument, "dry-run", dry_run),
	OPTION(no_argument, "due", due),
	OPTION(required_argument, "exec", exec),
	OPTION(required_argument, "fleet-user", fleet_user),
	OPTION(required_argument, "flow", flow),
	OPTION(no_argument, "inventory", inventory),
	OPTION(required_argument, "issuer", issuer),
	OPTION(no_argument, "keep-local", keep_local),
	OPTION(required_argument, "keep-password-for", keep_password_for),
	OPTION(required_argument, "listen", listen),
	OPTION(no_argument, "live", live),
	OPTION(no_argument, "make-certificate", make_certificate),
	OPTION(required_argument, "min-validity", min_validity),
	OPTION(no_argument, "no-postfix", no_postfix),
	OPTION(no_argument, "no-revoke", no_revoke),
	OPTION(required_argument, "password-file", password_file),
	OPTION(no_argument, "per-sender", per_sender),
	OPTION(required_argument, "protocols", protocols),
	OPTION(required_argument, "provider", provider),
	OPTION(required_argument, "relay", relay),
	OPTION(no_argument, "replace", replace),
	OPTION(no_argument, "report", report),
	OPTION(required_argument, "server", servers),
	OPTION(required_argument, "tenant", tenant),
	OPTION(required_argument, "textfile", textfile),
	OPTION(no_argument, "undo", undo),
	OPTION(required_argument, "warning", warning),
	OPTION(no_argument, "yes", yes),
	{ NULL, 0, NULL, 0 },
};

static const char **values_of(struct command *command, int code)
{
	return (const char **)(void *)((char *)command + code - CODE_BASE);
}

static enum fault wrong(struct why *why, const char *name, const char *what)
{
	why_set(why, 0, "--%s %s", name, what);
	return FAULT_GRAMMAR;
}

static enum fault take_option(struct command *command,
    const struct option *option, const char *value, struct why *why)
{
	const char **values = values_of(command, option->val);
	size_t n = 0;

	if (option->has_arg == no_argument) {
		*values = "yes";
		return FAULT_NONE;
	}
	if (values == command->servers) {
		while (n < COMMAND_LIST_MAX && values[n] != NULL)
			n++;
		if (n == COMMAND_LIST_MAX)
			return wrong(why, option->name,
			    "stands more often than 32 times");
	}
	if (values[n] != NULL)
		return wrong(why, option->name, "stands twice");
	values[n] = value;
	return FAULT_NONE;
}

/* optopt is the code of the option at fault, 0 for one that there is not. */
static enum fault refuse_option(int code, char **argv, struct why *why)
{
	const struct option *option;

	for (option = options; option->name != NULL; option++)
		if (option->val == optopt)
			return wrong(why, option->name,
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
	enum fault fault = FAULT_NONE;
	size_t words = 0;
	int code, at = 0;

	*command = (struct command){ .words = argv + 1 };
	opterr = 0;
	/* "-": words come in their order, as 1, whatever POSIXLY_CORRECT is */
	while ((code = getopt_long(argc, argv, "-:h", options, &at)) != -1) {
		if (code == 1)
			argv[words++] = optarg;
		else if (fault != FAULT_NONE)
			continue; /* for the verb, which counts then, too */
		else if (code == ':' || code == '?')
			fault = refuse_option(code, argv, why);
		else if (code == 'h')
			command->help = "yes";
		else
			fault = take_option(command, &options[at], optarg, why);
	}
	while (optind < argc)
		argv[words++] = argv[optind++];
	argv[words] = NULL;
	command->verb = argv[0];
	command->n_words = words > 0 ? words - 1 : 0;
	if (fault != FAULT_NONE)
		return fault;
	if ((command->system != NULL) + (command->user != NULL) +
		(command->socket != NULL) <=
	    1)
		return FAULT_NONE;
	why_set(why, 0,
	    "only one of --system, --user and --socket can be meant");
	return FAULT_GRAMMAR;
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

enum fault command_takes(struct command *command, const char *usage,
    struct why *why)
{
	const struct option *option;

	if (command->version != NULL)
		return wrong(why, "version", "stands alone");
	for (option = options + OF_EVERY; option->name != NULL; option++)
		if (*values_of(command, option->val) != NULL &&
		    !stands_in(usage, option->name))
			return wrong(why, option->name, "is for other verbs");
	return FAULT_NONE;
}

enum outcome command_usage(const struct command *command, const char *what)
{
	screen_say("%s; \"mailtoken %s%s--help\" shows how", what,
	    command->verb != NULL ? command->verb : "",
	    command->verb != NULL ? " " : "");
	return OUTCOME_USAGE;
}

bool command_account(const char *word)
{
	if (attr_is_account(span_of(word)))
		return true;
	screen_say("an account is 1 to %d bytes of UTF-8 without control "
		   "characters, such as alice@example.com",
	    ACCOUNT_MAX_BYTES);
	return false;
}

bool command_servers(const struct command *command)
{
	const char *const *server;

	for (server = command->servers; *server != NULL; server++)
		if (!attr_is_host(span_of(
			*server + (strncmp(*server, "*.", 2) == 0 ? 2 : 0)))) {
			screen_say("--server takes one mail server, such as "
				   "smtp.example.com or *.example.com");
			return false;
		}
	return true;
}

void command_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}
