/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtokend: options, the order in which a helper gives up its rights, exit
 * statuses.  The only place in the daemon that exits.
 */
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/expiry.h"
#include "daemon/harden.h"
#include "daemon/run.h"
#include "daemon/supervise.h"
#include "oauth/reply.h"
#include "store/seal.h"
#include "wire/address.h"

#define EXIT_USAGE 2

struct options {
	const char *config;
	const char *keyring;
	const char *user;
	const char *log_level;
	const char *seed;
	const char *listen[LISTEN_MAX];
	size_t n_listen;
	bool check;
	bool background;
};

static const char usage_text[] =
    "usage: mailtokend [--config FILE] [--keyring DIR] [--listen PATH]...\n"
    "                  [--user NAME] [--log-level LEVEL] [--check]\n"
    "                  [--background]\n"
    "       mailtokend --help | --version\n";

/* An empty one is none: that is how files of containers leave one out. */
static const char *environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* For containers; the command line goes before these. */
static void read_environment(struct options *options)
{
	options->config = environment("MAILTOKEN_CONFIG");
	options->keyring = environment("MAILTOKEN_KEYRING");
	options->log_level = environment("MAILTOKEN_LOG_LEVEL");
	options->seed = environment("MAILTOKEN_SEED");
	options->listen[0] = environment("MAILTOKEN_LISTEN");
}

static void read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "keyring", required_argument, NULL, 'k' },
		{ "listen", required_argument, NULL, 'l' },
		{ "user", required_argument, NULL, 'u' },
		{ "log-level", required_argument, NULL, 'L' },
		{ "check", no_argument, NULL, 'C' },
		{ "background", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	enum log_level level;
	int c;

	read_environment(options);
	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'c': options->config = optarg; break;
		case 'k': options->keyring = optarg; break;
		case 'u': options->user = optarg; break;
		case 'L': options->log_level = optarg; break;
		case 'C': options->check = true; break;
		case 'b': options->background = true; break;
		case 'l':
			if (options->n_listen == LISTEN_MAX) {
				run_complain("too many --listen");
				exit(EXIT_USAGE);
			}
			options->listen[options->n_listen++] = optarg;
			break;
		case 'h': (void)fputs(usage_text, stdout); exit(0);
		case 'V': (void)puts("mailtokend " MAILTOKEN_VERSION); exit(0);
		default: (void)fputs(usage_text, stderr); exit(EXIT_USAGE);
		}
	}
	if (optind != argc) {
		(void)fprintf(stderr,
		    "mailtokend: '%s' is more than it takes; a configuration "
		    "file is named with --config FILE\n",
		    argv[optind]);
		(void)fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
	if (options->n_listen == 0 && options->listen[0] != NULL)
		options->n_listen = 1;
	if (options->log_level != NULL &&
	    log_level_from_word(options->log_level, &level) != FAULT_NONE) {
		run_complain("--log-level and MAILTOKEN_LOG_LEVEL are error, "
			     "warning, notice, info or debug");
		exit(EXIT_USAGE);
	}
}

static bool fail(enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE)
		return false;
	run_complain(why_text(why, fault));
	return true;
}

/*
 * Whose helper is it?  The system's when it runs as root, as the helper's
 * user, or with a configuration named; the user's own otherwise.
 */
static bool is_user_helper(const struct options *options)
{
	const struct passwd *pw;
	uid_t uid = geteuid();

	if (uid == 0 || options->config != NULL)
		return false;
	pw = getpwnam(MAILTOKEN_HELPER_USER);
	return pw == NULL || pw->pw_uid != uid;
}

/* Root reads the file before it becomes who the helper is. */
static uid_t owner_of_config(const struct options *options)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return geteuid();
	pw = getpwnam(
	    options->user != NULL ? options->user : MAILTOKEN_HELPER_USER);
	return pw != NULL ? pw->pw_uid : 0;
}

static bool find_config(const struct options *options, char *path,
    struct config_source *source)
{
	source->user_helper = is_user_helper(options);
	source->may_be_missing = source->user_helper;
	source->owner = owner_of_config(options);
	source->keyring = options->keyring;
	source->path = options->config != NULL ? options->config :
	    source->user_helper		       ? path :
						 address_system_config();
	if (!source->user_helper || address_user_config(path) == FAULT_NONE)
		return true;
	run_complain("HOME is not set: set it, or use --config");
	return false;
}

/* Only then may a parent know that it can be asked. */
static bool go_background(int *ready_out)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		run_complain("cannot fork");
		return false;
	}
	if (pid > 0) {
		(void)close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : EXIT_FAILURE);
	}
	(void)close(ends[0]);
	(void)setsid();
	*ready_out = ends[1];
	return true;
}

static void warn_not_handed(const struct listeners *listeners, const char *path)
{
	size_t i;

	for (i = 0; i < listeners->n; i++)
		if (strcmp(listeners->at[i].path, path) == 0)
			return;
	log_event(LOG_LEVEL_WARNING, "listen",
	    "%s was not handed over by the supervisor: nobody listens there",
	    path);
}

static enum fault open_sockets(const struct options *options,
    const struct config *start, struct listeners *listeners, struct why *why)
{
	bool given = options->n_listen > 0;
	size_t i, n = given ? options->n_listen : start->n_listen;
	enum fault fault = listen_adopt(listeners, why);

	for (i = 0; fault == FAULT_NONE && i < n; i++) {
		const char *path = given ? options->listen[i] :
					   start->listen[i];

		if (listeners->adopted)
			warn_not_handed(listeners, path);
		else
			fault = listen_bind(listeners, path, why);
	}
	return fault;
}

/* As far as its configuration can be understood: what is wrong with it is the
 * answer to every request.  listeners NULL: no sockets. */
static bool become_helper(const struct options *options,
    const struct config_source *source, struct listeners *listeners)
{
	struct config_source as_root = *source;
	struct why why = { .err = 0, .text = "" };
	struct config *start = NULL;
	enum fault fault;

	as_root.start = true;
	fault = config_read(&as_root, &start, &why);
	if (fault == FAULT_NONE && geteuid() == 0)
		fault = harden_drop(
		    options->user != NULL ? options->user : start->user, &why);
	if (fault == FAULT_NONE && listeners != NULL)
		fault = open_sockets(options, start, listeners, &why);
	config_release(start);
	return !fail(fault, &why);
}

static void print_warning(void *ctx, const char *text)
{
	(void)ctx;
	(void)printf("warning: %s\n", text);
}

/* What counts is what the helper's user can read. */
static int check_only(const struct options *options,
    const struct config_source *source)
{
	struct config *config = NULL;
	struct seal_key *key = NULL;
	struct why why = { .err = 0, .text = "" };
	size_t i;
	bool good;

	if (!become_helper(options, source, NULL) ||
	    fail(config_read(source, &config, &why), &why))
		return EXIT_FAILURE;
	for (i = 0; i < config->n_notes; i++)
		print_warning(NULL, config->notes[i]);
	expiry_tell(config, print_warning, NULL);
	good = config->n_troubles == 0;
	if (config->keyring_key != NULL &&
	    fail(seal_key_read(config->keyring_key, config->keyring_old_key,
		     &key, &why),
		&why))
		good = false;
	else if (good)
		(void)printf("%s: good\n", source->path);
	else
		run_complain(
		    "what depends on these blocks does not work; the rest "
		    "does");
	seal_key_free(key);
	config_release(config);
	return good ? 0 : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options = { .config = NULL };
	struct listeners listeners = { .n = 0 };
	struct keeper_options helper = { .listeners = &listeners };
	struct why why = { .err = 0, .text = "" };
	char path[ADDRESS_FILE_MAX_BYTES];
	int status = EXIT_FAILURE, ready_fd = -1;

	read_options(argc, argv, &options);
	if (!find_config(&options, path, &helper.source))
		return EXIT_USAGE;
	if (options.check)
		return check_only(&options, &helper.source);
	if (fail(harden_start(supervise_fds(), &why), &why))
		return EXIT_FAILURE;
	if (options.background && !go_background(&ready_fd))
		return EXIT_FAILURE;
	log_open();
	if (!peer_setup())
		log_event(LOG_LEVEL_WARNING, "start",
		    "this helper's user namespace does not map all users and "
		    "groups: who shows as nobody's uid or gid there is let "
		    "into nothing");
	reply_setup();
	helper.log_level = options.log_level;
	helper.seed = options.seed;
	if (become_helper(&options, &helper.source, &listeners))
		status = run_helper(&helper, ready_fd);
	listen_close(&listeners);
	return status;
}
