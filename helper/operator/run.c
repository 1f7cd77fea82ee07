/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files in memory are what a program reads and writes: nothing has to be
 * passed on while it runs, and nothing can block.
 */
#include "operator/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/talk.h"
#include "wire/ask.h"
#include "wire/attr.h"

#define WORDS_MAX      15
#define PAUSE_MS       5
#define SAID_MAX_BYTES 16384
#define SHOWN_BYTES    400
#define SYSTEM_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SBIN ":/usr/sbin:/sbin" /* behind a user's own */

enum {
	IN,
	OUT,
	ERR,
	FILES
};

void run_setup(void)
{
	const char *own = getuid() != 0 ? getenv("PATH") : NULL;
	char path[8192];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) / 2);

	while (n > 0 && path[n - 1] != '/')
		n--;
	if (n > 0)
		path[n - 1] = ':';
	else
		n = 0;
	(void)snprintf(path + n, sizeof(path) - (size_t)n,
	    MAILTOKEN_PATH ":%s%s", own != NULL ? own : SYSTEM_PATH,
	    own != NULL ? SBIN : "");
	(void)setenv("PATH", path, 1);
	(void)setenv("LC_ALL", "C", 1);
	if (getuid() == 0)
		(void)umask(022); /* others go through what setup makes */
	/* Ignored, as some parents leave it, no status would be kept. */
	(void)signal(SIGCHLD, SIG_DFL);
}

static int spawn(pid_t *pid_out, const char *const *argv,
    const int files[FILES])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int fd, err = 0;

	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	for (fd = 0; fd < FILES && err == 0; fd++)
		err = posix_spawn_file_actions_adddup2(&actions, files[fd], fd);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	if (err == 0)
		err = posix_spawnp(pid_out, argv[0], &actions, &attr,
		    (char *const *)(void *)argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return err;
}

static enum fault await(pid_t pid, int64_t wait_ms, int *status)
{
	int64_t end_ms = ask_now_ms() + wait_ms;
	pid_t got;

	while (
	    (got = waitpid(pid, status, WNOHANG)) == 0 && ask_now_ms() < end_ms)
		ask_pause(PAUSE_MS, end_ms);
	if (got != 0)
		return got > 0 ? FAULT_NONE : FAULT_IO;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, status, 0);
	return FAULT_TIMEOUT;
}

/* Up to the room that there is. */
static void read_written(int fd, struct buf *out)
{
	(void)lseek(fd, 0, SEEK_SET);
	(void)!import_read(fd, "", out, NULL);
}

static void tell_status(const char *name, int status, int fd, struct why *why)
{
	struct buf said = BUF_INIT(SAID_MAX_BYTES);
	char shown[SHOWN_BYTES] = "";
	const char *line;
	size_t end;

	read_written(fd, &said);
	for (end = said.n; end > 0 && said.p[end - 1] == '\n';)
		end--;
	if (end > 0) {
		line = memrchr(said.p, '\n', end);
		line = line != NULL ? line + 1 : said.p;
		attr_plain((struct span){ line, (size_t)(said.p + end - line) },
		    shown, sizeof(shown));
	}
	if (shown[0] != '\0')
		why_set(why, 0, "%s: %s", name, shown);
	else
		why_set(why, 0, "%s ended with status %d", name,
		    WIFEXITED(status) ? WEXITSTATUS(status) :
					128 + WTERMSIG(status));
	buf_drop(&said);
}

static enum fault run_with(const char *const *argv, const int files[FILES],
    int64_t wait_ms, struct buf *out, struct why *why)
{
	enum fault fault;
	int err, status = 0;
	pid_t pid;

	err = spawn(&pid, argv, files);
	if (err != 0) {
		why_set(why, err, "cannot run %s", argv[0]);
		return err == ENOENT ? FAULT_NOT_FOUND : FAULT_IO;
	}
	fault = await(pid, wait_ms, &status);
	if (fault == FAULT_IO) {
		why_set(why, 0, "how %s ended cannot be known: run this again",
		    argv[0]);
		return fault;
	} else if (fault) {
		why_set(why, 0, "%s did not end within %d s", argv[0],
		    (int)(wait_ms / 1000));
		return fault;
	}
	if (out != NULL)
		read_written(files[OUT], out);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		tell_status(argv[0], status, files[ERR], why);
		return FAULT_IO;
	}
	return out != NULL ? buf_fault(out) : FAULT_NONE;
}

enum fault run_program(const char *const *argv, struct span in, int64_t wait_ms,
    struct buf *out, struct why *why)
{
	int files[FILES] = { -1, -1, -1 };
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < FILES && fault == FAULT_NONE; i++) {
		files[i] = memfd_create("run", MFD_CLOEXEC);
		if (files[i] < 0)
			fault = FAULT_IO;
	}
	if (fault == FAULT_NONE && in.n > 0 &&
	    pwrite(files[IN], in.p, in.n, 0) != (ssize_t)in.n)
		fault = FAULT_IO;
	if (fault)
		why_set(why, errno, "cannot make a file in memory");
	else
		fault = run_with(argv, files, wait_ms, out, why);
	for (i = 0; i < FILES; i++)
		if (files[i] >= 0)
			(void)close(files[i]);
	return fault;
}

bool run(struct buf *out, struct why *why, ...)
{
	const char *argv[WORDS_MAX + 1] = { NULL };
	va_list words;
	size_t n = 0;

	va_start(words, why);
	do
		argv[n] = va_arg(words, const char *);
	while (argv[n] != NULL && ++n < WORDS_MAX);
	va_end(words);
	return run_program(argv, span_of(""), RUN_MAX_MS, out, why) ==
	    FAULT_NONE;
}

enum fault run_read(const char *path, struct buf *out, struct why *why)
{
	int fd = path == NULL ? STDIN_FILENO :
				open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum fault fault;

	if (fd < 0) {
		bool missing = errno == ENOENT || errno == ENOTDIR;

		why_set(why, errno, "cannot read %s", path);
		return missing ? FAULT_NOT_FOUND : FAULT_IO;
	}
	fault = import_read(fd, path != NULL ? path : IMPORT_STDIN, out, why);
	if (path != NULL)
		(void)close(fd);
	return fault;
}
