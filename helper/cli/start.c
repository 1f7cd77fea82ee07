/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The choice of the helper, and the fork that starts the user's own.
 *
 * The started helper must keep nothing of its starter: no descriptor (a mail
 * program may run us with its connections open), no signal setting, no
 * terminal, only known names of the environment.
 */
#include "cli/start.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/peerio.h"

#define PAUSE_MS	   20
#define REASON_MAX_BYTES   4096
#define REASON_SHOWN_BYTES 400
#define ENV_MAX		   16
#define ENV_MAX_BYTES	   1024
#define ENV_PATH	   "PATH=/usr/local/bin:/usr/bin:/bin"
#define DESCRIPTORS_MAX	   1024 /* closed where /proc does not list them */

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool has_own(const struct address *own)
{
	char keyring[ADDRESS_FILE_MAX_BYTES];

	return is_there(own->path) ||
	    (address_user_keyring(keyring) == FAULT_NONE && is_there(keyring));
}

static enum fault choose_named(struct command *command, const char *path,
    struct why *why)
{
	enum fault fault;

	fault = address_set(path, &command->address);
	if (fault == FAULT_GRAMMAR)
		why_set(why, 0,
		    "a socket is named by its whole path, beginning with /");
	if (fault == FAULT_TOO_BIG)
		why_set(why, 0,
		    "the path of the socket is longer than the system allows "
		    "(%d bytes)",
		    ADDRESS_SOCKET_MAX_BYTES - 1);
	command->helper = COMMAND_NAMED;
	return fault;
}

static enum fault choose_own(struct command *command, struct why *why)
{
	enum fault fault = address_user_socket(&command->address);
	struct address holder;

	if (fault == FAULT_NONE && address_holder(&command->address, &holder))
		command->address = holder;
	if (fault == FAULT_NOT_FOUND)
		why_set(why, 0,
		    "a helper of your own needs HOME or XDG_RUNTIME_DIR in the "
		    "environment");
	if (fault == FAULT_TOO_BIG)
		why_set(why, 0, "XDG_RUNTIME_DIR is too long for a socket");
	command->helper = COMMAND_OWN;
	return fault;
}

enum fault start_choose(struct command *command, struct why *why)
{
	const char *named = secure_getenv(ADDRESS_SOCKET_ENV);
	struct address own, system;
	bool has;

	command->by_default = false;
	command->both = false;
	if (command->socket != NULL)
		return choose_named(command, command->socket, why);
	if (command->user)
		return choose_own(command, why);
	address_system_socket(&system);
	command->address = system;
	command->helper = COMMAND_SYSTEM;
	if (command->system)
		return FAULT_NONE;
	if (named != NULL)
		return choose_named(command, named, why);

	command->by_default = true;
	if (getuid() == 0)
		return FAULT_NONE;
	has = address_user_socket(&own) == FAULT_NONE && has_own(&own);
	command->both = has && is_there(system.path);
	return has ? choose_own(command, why) : FAULT_NONE;
}

enum fault start_fall_back(struct command *command)
{
	enum fault fault;

	if (!command->by_default || command->helper != COMMAND_SYSTEM ||
	    getuid() == 0 || is_there(command->address.path) ||
	    is_there(address_system_config()))
		return FAULT_NOT_FOUND;
	fault = choose_own(command, NULL);
	if (fault != FAULT_NONE)
		command->helper = COMMAND_SYSTEM;
	return fault;
}

/* The user manager keeps its private socket there (systemd.exec(5)). */
static bool has_user_manager(void)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char path[ADDRESS_FILE_MAX_BYTES];
	int n;

	if (runtime != NULL && runtime[0] == '/')
		n = snprintf(path, sizeof(path), "%s/systemd/private", runtime);
	else
		n = snprintf(path, sizeof(path),
		    "/run/user/%lu/systemd/private", (unsigned long)getuid());
	return n > 0 && (size_t)n < sizeof(path) && is_there(path);
}

bool start_is_stale(struct why *why)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char shown[REASON_SHOWN_BYTES];

	if (runtime == NULL || runtime[0] != '/' || is_there(runtime))
		return false;
	attr_plain(span_of(runtime), shown, sizeof(shown));
	why_set(why, 0,
	    "XDG_RUNTIME_DIR names %s, which is not there: run \"unset "
	    "XDG_RUNTIME_DIR\", or log in anew",
	    shown);
	return true;
}

bool start_may(const struct command *command)
{
	return command->helper == COMMAND_OWN && getuid() != 0 &&
	    getuid() == geteuid() && getgid() == getegid() &&
	    !has_user_manager();
}

static bool is_kept(const char *setting)
{
	static const char *const kept[] = {
		"HOME=",
		"USER=",
		"LOGNAME=",
		"LANG=",
		"XDG_RUNTIME_DIR=",
		"XDG_STATE_HOME=",
		"XDG_CONFIG_HOME=",
		"XDG_DATA_HOME=",
		"XDG_CACHE_HOME=",
	};
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strncmp(setting, kept[i], strlen(kept[i])) == 0)
			return strlen(setting) < ENV_MAX_BYTES;
	return false;
}

static void keep_environment(char **kept)
{
	static char path[] = ENV_PATH;
	size_t n = 0;
	char **at;

	kept[n++] = path;
	for (at = environ; *at != NULL && n + 1 < ENV_MAX; at++)
		if (is_kept(*at))
			kept[n++] = *at;
	kept[n] = NULL;
}

static void close_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int64_t fd;

	if (dir == NULL) {
		for (fd = 3; fd < DESCRIPTORS_MAX; fd++)
			(void)close((int)fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (attr_number(span_of(entry->d_name), 3, INT32_MAX, &fd) ==
			FAULT_NONE &&
		    fd != dirfd(dir))
			(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	(void)closedir(dir);
}

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child; comes back only to fail. */
static void become(const char *program, int null, int words)
{
	char name[] = "mailtokend", background[] = "--background";
	char *argv[] = { name, background, NULL };
	char *env[ENV_MAX];

	if (setsid() < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(words, 2) < 0 || chdir("/") != 0)
		return;
	close_descriptors();
	reset_signals();
	keep_environment(env);
	(void)execve(program, argv, env);
}

/* What a start that failed said last, behind its own name. */
static bool read_reason(int words, struct why *why)
{
	static const char name[] = "mailtokend: ";
	char text[REASON_MAX_BYTES], shown[REASON_SHOWN_BYTES], *at, *line;
	ssize_t n = read(words, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	at = line = text;
	while ((at = strstr(at, name)) != NULL)
		line = at += sizeof(name) - 1;
	if (line == text)
		return false;
	attr_plain((struct span){ line, strcspn(line, "\n") }, shown,
	    sizeof(shown));
	why_set(why, 0, "mailtokend did not start: %s", shown);
	return true;
}

static enum fault wait_for(pid_t pid, int words, int64_t deadline_ms,
    struct why *why)
{
	int status;
	pid_t got;

	for (;;) {
		got = waitpid(pid, &status, WNOHANG);
		if (got == pid)
			break;
		/* Whoever ran us may have made the kernel reap for it. */
		if (got < 0 && errno == ECHILD)
			return FAULT_NONE;
		if (peerio_now_ms() >= deadline_ms) {
			why_set(why, 0, "mailtokend takes long to start");
			return FAULT_TIMEOUT;
		}
		peerio_pause(PAUSE_MS, deadline_ms);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return FAULT_NONE;
	if (!read_reason(words, why))
		why_set(why, 0,
		    "mailtokend did not start (status %d): run \"mailtokend\" "
		    "to see why",
		    WIFEXITED(status) ? WEXITSTATUS(status) :
					128 + WTERMSIG(status));
	return FAULT_NO_HELPER;
}

enum fault start_helper(const char *program, int64_t deadline_ms,
    struct why *why)
{
	int words[2] = { -1, -1 };
	enum fault fault;
	pid_t pid;
	int null;

	if (access(program, X_OK) != 0) {
		why_set(why, errno, "cannot run %s", program);
		return FAULT_NOT_FOUND;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) {
		why_set(why, errno, null < 0 ? "/dev/null" : "pipe");
		if (null >= 0)
			(void)close(null);
		return FAULT_IO;
	}
	pid = fork();
	if (pid == 0) {
		become(program, null, words[1]);
		_exit(126);
	}
	fault = FAULT_IO;
	if (pid > 0)
		fault = wait_for(pid, words[0], deadline_ms, why);
	else
		why_set(why, errno, "fork");
	(void)close(words[0]);
	(void)close(words[1]);
	(void)close(null);
	return fault;
}
