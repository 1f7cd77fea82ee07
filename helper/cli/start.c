/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The choice of the helper, and posix_spawn.
 */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"

#define START_MAX_MS	   20000
#define PAUSE_MS	   20
#define REASON_MAX_BYTES   4096
#define REASON_SHOWN_BYTES 400
#define DESCRIPTORS_MAX	   1024 /* that a starter may have left open */
#define OPERATOR	   "mailtoken-operator"

/* The link is an argument of the shell, never a part of what it reads. */
#define OPEN_LINK "exec ${BROWSER%%:*} \"$1\""

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
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
	const char *named = command->socket;
	char keyring[ADDRESS_FILE_MAX_BYTES];
	struct address own;
	enum fault fault;

	address_system_socket(&command->address);
	command->helper = COMMAND_SYSTEM;
	if (command->user != NULL)
		return choose_own(command, why);
	if (command->system != NULL)
		return FAULT_NONE;
	if (named == NULL)
		named = secure_getenv(ADDRESS_SOCKET_ENV);
	if (named != NULL) {
		command->helper = COMMAND_NAMED;
		fault = address_set(named, &command->address);
		if (fault == FAULT_GRAMMAR)
			why_set(why, 0,
			    "a socket is named by its whole path, beginning "
			    "with /");
		if (fault == FAULT_TOO_BIG)
			why_set(why, 0,
			    "the path of the socket is longer than the system "
			    "allows (%d bytes)",
			    ADDRESS_SOCKET_MAX_BYTES - 1);
		return fault;
	}

	command->by_default = true;
	if (getuid() == 0 || address_user_socket(&own) != FAULT_NONE ||
	    (!is_there(own.path) &&
		(address_user_keyring(keyring) != FAULT_NONE ||
		    !is_there(keyring))))
		return FAULT_NONE;
	command->both = is_there(command->address.path);
	return choose_own(command, why);
}

bool start_may(const struct command *command)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char path[ADDRESS_FILE_MAX_BYTES];
	int n;

	/* A user manager keeps its private socket there (systemd.exec(5)). */
	if (runtime != NULL && runtime[0] == '/')
		n = snprintf(path, sizeof(path), "%s/systemd/private", runtime);
	else
		n = snprintf(path, sizeof(path),
		    "/run/user/%lu/systemd/private", (unsigned long)getuid());
	return command->helper == COMMAND_OWN && getuid() != 0 &&
	    getuid() == geteuid() && getgid() == getegid() &&
	    (n < 0 || (size_t)n >= sizeof(path) || !is_there(path));
}

/* stdin and stdout are /dev/null, and stderr unless words is a pipe. */
static int spawn(pid_t *pid_out, char *const *argv, int words)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int fd, err = 0;

	for (fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attr);
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO && err == 0; fd++)
		err = fd == STDERR_FILENO && words >= 0 ?
		    posix_spawn_file_actions_adddup2(&files, words, fd) :
		    posix_spawn_file_actions_addopen(&files, fd, "/dev/null",
			O_RDWR, 0);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
		POSIX_SPAWN_SETSIGMASK);
	if (err == 0)
		err = posix_spawnp(pid_out, argv[0], &files, &attr, argv,
		    environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return err;
}

/* What a start that failed said last, behind its own name. */
static void read_reason(int words, int status, struct why *why)
{
	static const char name[] = "mailtokend: ";
	char text[REASON_MAX_BYTES], shown[REASON_SHOWN_BYTES], *at, *line;
	ssize_t n = read(words, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	at = line = text;
	while ((at = strstr(at, name)) != NULL)
		line = at += sizeof(name) - 1;
	if (line == text) {
		why_set(why, 0,
		    "mailtokend did not start (status %d): run \"mailtokend\" "
		    "to see why",
		    WIFEXITED(status) ? WEXITSTATUS(status) :
					128 + WTERMSIG(status));
		return;
	}
	attr_plain((struct span){ line, strcspn(line, "\n") }, shown,
	    sizeof(shown));
	why_set(why, 0, "mailtokend did not start: %s", shown);
}

/* mailtokend in the background, until it listens. */
static bool start_helper(struct why *why)
{
	char program[] = MAILTOKEN_MAILTOKEND, background[] = "--background";
	char *const argv[] = { program, background, NULL };
	int64_t end_ms = ask_now_ms() + START_MAX_MS;
	int words[2], err, status = 0;
	pid_t pid, got = 0;
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char shown[REASON_SHOWN_BYTES];
	bool started = false;

	/* Nothing can be started there: the session that set it has ended. */
	if (runtime != NULL && runtime[0] == '/' && !is_there(runtime)) {
		attr_plain(span_of(runtime), shown, sizeof(shown));
		why_set(why, 0,
		    "XDG_RUNTIME_DIR names %s, which is not there: run \"unset "
		    "XDG_RUNTIME_DIR\", or log in anew",
		    shown);
		return false;
	}
	if (pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) {
		why_set(why, errno, "pipe");
		return false;
	}
	err = spawn(&pid, argv, words[1]);
	while (err == 0 && (got = waitpid(pid, &status, WNOHANG)) == 0 &&
	    ask_now_ms() < end_ms)
		ask_pause(PAUSE_MS, end_ms);
	/* Whoever ran us may have made the kernel reap for it. */
	if (got < 0 || (got > 0 && WIFEXITED(status) && status == 0))
		started = true;
	else if (got > 0)
		read_reason(words[0], status, why);
	else if (err == 0)
		why_set(why, 0, "mailtokend takes long to start");
	else
		why_set(why, err, "cannot run %s", program);
	(void)close(words[0]);
	(void)close(words[1]);
	return started;
}

static enum fault dial(const struct command *command, int retry_ms, int *fd_out,
    struct why *why)
{
	const struct ask ask = {
		.address = command->address,
		.deadline_ms = ask_now_ms() + STEP_MAX_MS,
		.retry_ms = retry_ms,
	};

	return ask_open(&ask, fd_out, why);
}

/* Nobody listened. */
static bool is_absent(enum fault fault, const struct why *why)
{
	return fault == FAULT_NO_HELPER &&
	    (why->err == ENOENT || why->err == ECONNREFUSED);
}

enum fault start_dial(struct command *command, bool as_it_is, int *fd_out,
    struct why *why)
{
	enum fault fault = dial(command, 0, fd_out, why);
	struct why reason;
	bool started;

	if (fault == FAULT_NO_HELPER && why->err == EAGAIN)
		return dial(command, CONNECT_RETRY_MAX_MS, fd_out, why);
	if (is_absent(fault, why) && command->by_default &&
	    command->helper == COMMAND_SYSTEM && getuid() != 0 &&
	    !is_there(command->address.path) &&
	    !is_there(address_system_config())) {
		if (choose_own(command, NULL) == FAULT_NONE)
			fault = dial(command, 0, fd_out, why);
		else
			command->helper = COMMAND_SYSTEM;
	}
	if (!is_absent(fault, why) || as_it_is || !start_may(command))
		return fault;
	started = start_helper(&reason);
	fault = dial(command, started ? CONNECT_RETRY_MAX_MS : 0, fd_out, why);
	if (fault != FAULT_NONE && !started) {
		*why = reason;
		why->err = 0; /* not connect's: it is told as it is */
	}
	return fault;
}

bool start_browser(char *link, struct why *why)
{
	char shell[] = "/bin/sh", option[] = "-c", text[] = OPEN_LINK,
	     name[] = "sh", open[] = "xdg-open";
	char *const by_shell[] = { shell, option, text, name, link, NULL };
	char *const by_desktop[] = { open, link, NULL };
	const char *named = getenv("BROWSER");
	char *const *argv = named != NULL && named[0] != '\0' ? by_shell :
								by_desktop;
	pid_t pid;
	int err = spawn(&pid, argv, -1);

	if (err != 0)
		why_set(why, err,
		    "open the link yourself, or let BROWSER name a program: %s",
		    argv[0]);
	return err == 0;
}

/* Beside this program where both were built, else where it is installed. */
enum outcome start_operator(struct command *command)
{
	char beside[ADDRESS_FILE_MAX_BYTES];
	ssize_t n = readlink("/proc/self/exe", beside,
	    sizeof(beside) - sizeof(OPERATOR));
	struct why why;

	while (n > 0 && beside[n - 1] != '/')
		n--;
	if (n > 0) {
		memcpy(beside + n, OPERATOR, sizeof(OPERATOR));
		(void)execv(beside, command->argv);
	}
	(void)execv(MAILTOKEN_OPERATOR, command->argv);
	why_set(&why, errno, "install all of mailtoken anew: cannot run %s",
	    MAILTOKEN_OPERATOR);
	screen_say("%s", why_text(&why, FAULT_IO));
	return OUTCOME_NO;
}
