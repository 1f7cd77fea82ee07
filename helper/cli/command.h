/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * command - what stands on the command line
 */
#ifndef MAILTOKEN_CLI_COMMAND_H
#define MAILTOKEN_CLI_COMMAND_H

#include "cli/screen.h"
#include "wire/address.h"

#define COMMAND_LIST_MAX 32

enum command_helper {
	COMMAND_OWN, /* this user's */
	COMMAND_SYSTEM,
	COMMAND_NAMED /* --socket or MAILTOKEN_SOCKET */
};

struct command {
	char **argv; /* of main(), as it was */
	const char *verb;
	char **words; /* behind the verb, into argv; NULL after the last */
	size_t n_words;

	/* Into argv, "yes" for one that takes no value, NULL: not given. */
	const char *system, *user, *json, *help, *version;
	const char *accounts, *alive, *all, *any_name, *as_delegate, *browser,
	    *due, *keep_local, *no_revoke, *replace, *yes;
	const char *socket, *account, *config, *critical, *exec, *flow, *issuer,
	    *listen, *min_validity, *protocols, *provider, *textfile, *warning;
	const char *live, *report;
	/* of setup */
	const char *app_only, *dry_run, *make_certificate, *no_postfix;
	const char *certificate, *certificate_key, *client_id,
	    *client_secret_file, *tenant;
	/* of setup fleet */
	const char *ca_file, *fleet_user, *password_file;
	/* of setup postfix */
	const char *inventory, *per_sender, *undo;
	const char *config_dir, *keep_password_for, *relay;
	const char *servers[COMMAND_LIST_MAX + 1]; /* to the first NULL */

	/* Set by start_choose(). */
	enum command_helper helper;
	bool by_default; /* no option chose it */
	bool both;	 /* own and system's are there */
	struct address address;
};

/*
 * command_parse - read the options and words of argv, in any order; "--" ends
 * the options.  The first word is the verb.
 * command_takes - whether all options that were given are those of every
 * verb or stand in usage, the line of arguments of this one
 *
 * FAULT_GRAMMAR, why having the sentence.
 */
enum fault command_parse(struct command *command, int argc, char **argv,
    struct why *why) MUST_CHECK;
enum fault command_takes(struct command *command, const char *usage,
    struct why *why) MUST_CHECK;

/* command_usage - tell what is wrong and where the usage is. */
enum outcome command_usage(const struct command *command, const char *what);

/* Whether the word is an account; whether each server is a mail server or
 * *.suffix.  Told if not. */
bool command_account(const char *word);
bool command_servers(const struct command *command);

/* command_no_core - before a token comes: no core file shall have it. */
void command_no_core(void);

/*
 * What can stand behind "mailtoken": it builds a request, asks, prints the
 * answer and returns the exit status.  main() has looked at the number of
 * words and whether they are accounts where they should be.
 */
typedef enum outcome verb_fn(struct command *command);

verb_fn login_run, logout_run, status_run, check_run, token_run, refresh_run,
    watch_run, metrics_run, import_run, export_run, providers_run, rekey_run,
    reload_run, version_run;

/*
 * start: which helper to ask, and the programs that this one starts.  A helper
 * is started only where nothing else would: never by root, never where a user
 * manager of systemd runs.  What is started keeps no descriptor (a mail
 * program may run us with its connections open), no setting of a signal and no
 * terminal of its starter.
 */

/*
 * start_choose - set helper, address, by_default and both of command
 *
 * An option or MAILTOKEN_SOCKET decides; else root gets the system's, others
 * their own if its socket or keyring is there, else the system's.
 * FAULT_TOO_BIG, FAULT_GRAMMAR, FAULT_NOT_FOUND; why has the sentence.
 */
enum fault start_choose(struct command *command, struct why *why) MUST_CHECK;

/* start_may - whether this user's helper is ours to start. */
bool start_may(const struct command *command);

/*
 * start_dial - connect to the helper that was chosen
 *
 * Where none listens the user's own takes the place of a system's that was
 * chosen by default and is not there.  Of one that is only down it does not: a
 * keyring made in its place would be asked from then on.  Then the user's is
 * started if that is ours to do, for at most 20 s, but not with as_it_is.
 *
 * The faults of ask_open(); why.err is that of connect(), 0 where a start
 * failed.
 */
enum fault start_dial(struct command *command, bool as_it_is, int *fd_out,
    struct why *why) MUST_CHECK;

/*
 * start_browser - open a link: $BROWSER, the first of a list with colons,
 * else xdg-open(1); never waited for.  False when no process could be made;
 * what the browser makes of it cannot be known.
 *
 * link  in: https and nothing but printable ASCII
 */
bool start_browser(char *link, struct why *why);

/* start_operator - be mailtoken-operator, with the same arguments: beside this
 * program where both were built, else where it is installed. */
verb_fn start_operator;

/*
 * metrics_page - ask the helper what it counts, and append the whole page that
 * is scraped to out
 *
 * Where no helper works the page says that and no more, and the outcome is
 * not OUTCOME_DONE; there is none for OUTCOME_DENIED.  What went wrong has
 * been told, also where out has a fault.
 */
enum metrics_format {
	METRICS_OPEN, /* OpenMetrics 1.0 */
	METRICS_TEXT  /* Prometheus's text format 0.0.4 */
};
enum outcome metrics_page(struct command *command, enum metrics_format format,
    struct buf *out);

/*
 * The mail exchangers of a domain (RFC 5321 section 5.1): a hint of who runs
 * the mail and no more, since DNS may fail and may lie.
 *
 * mx_find   append their names with blanks between them, best first; nothing
 *           when there are none, the domain is no host name or the resolver
 *           does not answer; blocks, a few seconds at most.  What does not fit
 *           the limit of out is left out.
 * mx_parse  the same from a DNS message of n bytes (RFC 1035 section 4)
 */
void mx_find(const char *domain, struct buf *out);
void mx_parse(const unsigned char *message, size_t n, struct buf *out);

#endif
