/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One fork, one exec.
 */
#include "cli/browser.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The link is an argument of the shell, never a part of what it reads. */
#define BY_VARIABLE "exec ${BROWSER%%:*} \"$1\""

static void become(const char *link)
{
	const char *named = getenv("BROWSER");
	int null = open("/dev/null", O_RDWR);

	(void)setsid();
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return;
	if (named != NULL && named[0] != '\0')
		(void)execl("/bin/sh", "sh", "-c", BY_VARIABLE, "sh", link,
		    (char *)NULL);
	else
		(void)execlp("xdg-open", "xdg-open", link, (char *)NULL);
}

enum fault browser_open(const char *link, struct why *why)
{
	pid_t pid = fork();

	if (pid < 0) {
		why_set(why, errno, "starting a browser");
		return FAULT_IO;
	}
	if (pid == 0) {
		become(link);
		_exit(127);
	}
	return FAULT_NONE;
}
