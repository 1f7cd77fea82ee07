/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtokend: options, the order in which a helper gives up its rights, the
 * signals, exit statuses.  The only place in the daemon that exits.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/harden.h"
#include "daemon/keeper.h"
#include "daemon/supervise.h"
#include "oauth/reply.h"
#include "wire/address.h"
#include "wire/peerio.h"

#define EXIT_USAGE    2
#define EXIT_HELD     75
#define LOCK_WAIT_MS  35000
#define LOCK_PAUSE_MS 250
#define STOP_MAX_S    20
#define QUIET_MAX_S   600

struct options {
	const char *config;
	const char *keyring;
	const char *user;
	const char *log_level;
	const char *listen[LISTEN_MAX];
	size_t n_listen;
	bool check;
	bool background;
};

/* What the configuration was at the start; with trouble there is none. */
struct first_read {
	const struct config_source *source;
	struct config *config;
	const char *trouble;
};

struct running {
	struct event_base *base;
	struct keeper *keeper;
	struct serve *serve;
	struct event *poll;
	struct listeners *listeners;
	struct event *quiet; /* only where a supervisor starts us */
	bool stopping;
	int64_t stop_at_ms;
};

static const char usage_text[] =
    "usage: mailtokend [--config FILE] [--keyring DIR] [--listen PATH]...\n"
    "                  [--user NAME] [--log-level LEVEL] [--check]\n"
    "                  [--background]\n"
    "       mailtokend --help | --version\n";

static void complain(const char *text)
{
	(void)fprintf(stderr, "mailtokend: %s\n", text);
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
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'c': options->config = optarg; break;
		case 'k': options->keyring = optarg; break;
		case 'u': options->user = optarg; break;
		case 'L': options->log_level = optarg; break;
		case 'C': options->check = true; break;
		case 'b': options->background = true; break;
		case 'l':
			if (options->n_listen == LISTEN_MAX) {
				complain("too many --listen");
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
		(void)fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
}

static void check_options(const struct options *options)
{
	enum log_level level;

	if (options->log_level != NULL &&
	    log_level_from_word(options->log_level, &level) != FAULT_NONE) {
		complain("--log-level is error, warning, notice, info or "
			 "debug");
		exit(EXIT_USAGE);
	}
}

static bool fail(enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE)
		return false;
	complain(why->text[0] != '\0' ? why->text : fault_text(fault));
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

static bool find_config(const struct options *options, char *path,
    struct config_source *source)
{
	source->user_helper = is_user_helper(options);
	source->may_be_missing = source->user_helper;
	source->path = path;
	if (options->config == NULL && source->user_helper) {
		if (address_user_config(path) == FAULT_NONE)
			return true;
		complain("HOME is not set: set it, or use --config");
		return false;
	}
	(void)snprintf(path, ADDRESS_FILE_MAX_BYTES, "%s",
	    options->config != NULL ? options->config :
				      address_system_config());
	return true;
}

/*
 * For root, who needs to know user and listen only: a secret may belong to
 * the helper's user, and then root is refused what that user may read.
 */
static enum fault read_first(const struct options *options,
    const struct config_source *source, struct config **config_out,
    struct why *why)
{
	enum fault fault = config_read(source, config_out, why);
	const struct passwd *pw;

	if (fault == FAULT_NONE || geteuid() != 0)
		return fault;
	pw = getpwnam(
	    options->user != NULL ? options->user : MAILTOKEN_HELPER_USER);
	if (pw == NULL || seteuid(pw->pw_uid) != 0)
		return fault;
	fault = config_read(source, config_out, why);
	if (seteuid(0) != 0)
		_exit(EXIT_FAILURE);
	return fault;
}

/* What counts is what the helper's user can read. */
static enum fault drop_and_read(const char *user,
    const struct config_source *source, struct config **config, struct why *why)
{
	enum fault fault = harden_drop(user, why);

	if (fault != FAULT_NONE)
		return fault;
	config_release(*config);
	*config = NULL;
	return config_read(source, config, why) == FAULT_NOMEM ? FAULT_NOMEM :
								 FAULT_NONE;
}

static int check_only(const struct options *options,
    const struct config_source *source)
{
	struct config *config = NULL;
	struct why why = { .err = 0, .text = "" };
	size_t i;

	if (fail(read_first(options, source, &config, &why), &why))
		return 1;
	for (i = 0; i < config->n_notes; i++)
		(void)printf("warning: %s\n", config->notes[i]);
	(void)printf("%s: good\n", source->path);
	config_release(config);
	return 0;
}

/* Only then may a parent know that it can be asked. */
static bool go_background(int *ready_out)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		complain("cannot fork");
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

static void say_listening(int *ready)
{
	int null;

	if (*ready < 0)
		return;
	(void)!write(*ready, "", 1);
	(void)close(*ready);
	*ready = -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)close(null);
	}
}

struct owner {
	uid_t uid;
	gid_t gid;
	const char *name; /* NULL: stay who we are */
};

static bool find_owner(const struct options *options,
    const struct config *config, struct owner *owner)
{
	const struct passwd *pw;

	owner->uid = geteuid();
	owner->gid = getegid();
	owner->name = NULL;
	if (geteuid() != 0)
		return true;
	owner->name = options->user != NULL	   ? options->user :
	    config != NULL && config->user != NULL ? config->user :
						     MAILTOKEN_HELPER_USER;
	pw = getpwnam(owner->name);
	if (pw == NULL) {
		(void)fprintf(stderr,
		    "mailtokend: there is no user '%s': make it "
		    "(systemd-sysusers does), or name another with --user\n",
		    owner->name);
		return false;
	}
	if (pw->pw_uid == 0) {
		complain("it does not work as root: name another user with "
			 "--user");
		return false;
	}
	owner->uid = pw->pw_uid;
	owner->gid = pw->pw_gid;
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

static bool open_sockets(const struct options *options,
    const struct config *config, const struct owner *owner,
    struct listeners *listeners)
{
	const char *paths[LISTEN_MAX];
	struct why why = { .err = 0, .text = "" };
	struct address address;
	size_t n = 0, i;

	if (fail(listen_adopt(listeners, &why), &why))
		return false;
	if (options->n_listen > 0) {
		for (i = 0; i < options->n_listen; i++)
			paths[n++] = options->listen[i];
	} else if (config != NULL) {
		for (i = 0; i < config->n_listen; i++)
			paths[n++] = config->listen[i];
	} else {
		address_system_socket(&address);
		paths[n++] = address.path;
	}
	for (i = 0; i < n; i++) {
		if (listeners->adopted)
			warn_not_handed(listeners, paths[i]);
		else if (fail(listen_bind(listeners, paths[i], owner->uid,
				  owner->gid, &why),
			     &why))
			return false;
	}
	return true;
}

static void look_whether_done(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;
	bool late = clock_boot_ms() >= running->stop_at_ms;

	(void)fd;
	(void)events;
	if (!late &&
	    !(keeper_is_done(running->keeper) && serve_is_idle(running->serve)))
		return;
	if (late)
		log_event(LOG_LEVEL_WARNING, "stop",
		    "a provider did not answer in time; stopping without it");
	(void)event_base_loopexit(running->base, NULL);
}

static void stop(evutil_socket_t fd, short events, void *ctx)
{
	static const struct timeval often = { 0, 20000 };
	struct running *running = ctx;

	(void)fd;
	(void)events;
	if (running->stopping)
		return; /* a second one shortens nothing */
	running->stopping = true;
	running->stop_at_ms = clock_boot_ms() + STOP_MAX_S * 1000;
	supervise_stopping();
	log_event(LOG_LEVEL_NOTICE, "stop", "stopping");
	serve_stop(running->serve);
	/* Who comes now is refused, and finds the next helper by trying. */
	listen_close(running->listeners);
	keeper_stop(running->keeper);
	running->poll = event_new(running->base, -1, EV_PERSIST,
	    look_whether_done, running);
	if (running->poll == NULL || event_add(running->poll, &often) != 0)
		(void)event_base_loopexit(running->base, NULL);
}

static void hang_up(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;

	(void)fd;
	(void)events;
	supervise_reloading();
	keeper_reload(running->keeper);
	supervise_ready(keeper_is_working(running->keeper) ?
		"working" :
		keeper_trouble(running->keeper));
}

static void alive(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	supervise_alive();
}

/* A user's helper that systemd starts for each request need not stay. */
static void look_whether_quiet(evutil_socket_t fd, short events, void *ctx)
{
	struct running *running = ctx;
	int64_t left_ms = QUIET_MAX_S * 1000 - serve_quiet_ms(running->serve);
	struct timeval next;

	(void)fd;
	(void)events;
	if (left_ms <= 0 && keeper_is_saved(running->keeper)) {
		stop(-1, 0, running);
		return;
	}
	if (left_ms < 1000)
		left_ms = QUIET_MAX_S * 1000;
	next.tv_sec = (time_t)(left_ms / 1000);
	next.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
	(void)evtimer_add(running->quiet, &next);
}

/* Another helper may be about to end; a held lock ends this one. */
static bool wait_for_lock(struct keeper *keeper)
{
	int64_t until_ms = peerio_now_ms() + LOCK_WAIT_MS;
	struct why why = { .err = 0, .text = "" };

	while (keeper_start(keeper, &why) == FAULT_LOCKED) {
		if (peerio_now_ms() >= until_ms) {
			log_event(LOG_LEVEL_ERROR, "lock", "%s", why.text);
			complain(why.text);
			return false;
		}
		peerio_pause(LOCK_PAUSE_MS, until_ms);
	}
	return true;
}

static int run(struct running *running, int *ready)
{
	struct event *term, *interrupt, *hup, *watchdog = NULL;
	int64_t watchdog_ms = supervise_watchdog_ms();
	struct timeval often = { (time_t)(watchdog_ms / 1000),
		(suseconds_t)(watchdog_ms % 1000 * 1000) };
	int status = EXIT_FAILURE;

	term = evsignal_new(running->base, SIGTERM, stop, running);
	interrupt = evsignal_new(running->base, SIGINT, stop, running);
	hup = evsignal_new(running->base, SIGHUP, hang_up, running);
	if (watchdog_ms > 0)
		watchdog = event_new(running->base, -1, EV_PERSIST, alive,
		    NULL);
	if (term != NULL && interrupt != NULL && hup != NULL) {
		(void)evsignal_add(term, NULL);
		(void)evsignal_add(interrupt, NULL);
		(void)evsignal_add(hup, NULL);
		if (watchdog != NULL)
			(void)event_add(watchdog, &often);
		say_listening(ready);
		supervise_ready(keeper_is_working(running->keeper) ?
			"working" :
			keeper_trouble(running->keeper));
		log_event(LOG_LEVEL_NOTICE, "start", "mailtokend %s is ready",
		    MAILTOKEN_VERSION);
		status = event_base_dispatch(running->base) < 0 ? EXIT_FAILURE :
								  0;
	}
	if (term != NULL)
		event_free(term);
	if (interrupt != NULL)
		event_free(interrupt);
	if (hup != NULL)
		event_free(hup);
	if (watchdog != NULL)
		event_free(watchdog);
	if (running->poll != NULL)
		event_free(running->poll);
	return status;
}

static int serve_all(const struct options *options,
    const struct first_read *first, struct listeners *listeners, int *ready)
{
	struct running running = { .listeners = listeners };
	struct keeper_options keeping = {
		.source = *first->source,
		.keyring = options->keyring,
		.log_level = options->log_level,
		.sandbox = true,
	};
	struct serve_host host;
	int status = EXIT_FAILURE;

	running.base = event_base_new();
	keeping.base = running.base;
	if (running.base == NULL ||
	    keeper_new(&keeping, first->config, first->trouble,
		&running.keeper) != FAULT_NONE) {
		complain(fault_text(FAULT_NOMEM));
		goto out;
	}
	if (!wait_for_lock(running.keeper)) {
		status = EXIT_HELD;
		goto out;
	}
	host = keeper_host(running.keeper);
	if (serve_new(running.base, listeners, &host, &running.serve) !=
	    FAULT_NONE) {
		complain(fault_text(FAULT_NOMEM));
		goto out;
	}
	if (listeners->adopted && first->source->user_helper) {
		running.quiet = evtimer_new(running.base, look_whether_quiet,
		    &running);
		if (running.quiet != NULL)
			look_whether_quiet(-1, 0, &running);
	}
	status = run(&running, ready);
out:
	if (running.quiet != NULL)
		event_free(running.quiet);
	serve_free(running.serve);
	keeper_free(running.keeper);
	if (running.base != NULL)
		event_base_free(running.base);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = { .config = NULL };
	struct config_source source = { .path = NULL };
	struct first_read first = { .source = &source };
	struct listeners listeners = { .n = 0 };
	struct config *config = NULL;
	struct owner owner;
	struct why why = { .err = 0, .text = "" };
	char path[ADDRESS_FILE_MAX_BYTES], trouble[WHY_MAX_BYTES] = "";
	int ready = -1, handed, status = EXIT_FAILURE;

	read_options(argc, argv, &options);
	check_options(&options);
	if (!find_config(&options, path, &source))
		return EXIT_USAGE;
	if (options.check)
		return check_only(&options, &source);
	handed = supervise_fds();
	if (fail(harden_start(handed, &why), &why))
		return EXIT_FAILURE;
	if (options.background && !go_background(&ready))
		return EXIT_FAILURE;
	log_open();
	reply_setup();

	(void)!read_first(&options, &source, &config, &why);
	if (!find_owner(&options, config, &owner) ||
	    !open_sockets(&options, config, &owner, &listeners))
		goto out;
	if (owner.name != NULL &&
	    fail(drop_and_read(owner.name, &source, &config, &why), &why))
		goto out;
	if (config == NULL)
		(void)snprintf(trouble, sizeof(trouble), "%s", why.text);
	first.config = config;
	first.trouble = trouble;
	status = serve_all(&options, &first, &listeners, &ready);
out:
	listen_close(&listeners);
	config_release(config);
	return status;
}
