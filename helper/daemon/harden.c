/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptors, limits, credentials; the file system rules are landlock.c's.
 */
#include "daemon/harden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/attr.h"

#define DESCRIPTORS 8192 /* connections, mailtoken.conf(5) */

/* The lowest free number is taken, so 0..2 are filled in order. */
static enum fault fill_standard(struct why *why)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0) {
			why_set(why, errno, "/dev/null");
			return FAULT_IO;
		}
	} while (fd <= STDERR_FILENO);
	(void)close(fd);
	return FAULT_NONE;
}

/* Before Linux 5.9, or where a filter knows no close_range(2). */
static void close_listed(int first)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int64_t fd;

	if (dir == NULL) {
		for (fd = first; fd < DESCRIPTORS; fd++)
			(void)close((int)fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (attr_number(span_of(entry->d_name), first, INT_MAX, &fd) ==
			FAULT_NONE &&
		    fd != dirfd(dir))
			(void)close((int)fd);
	}
	(void)closedir(dir);
}

#ifdef SYS_close_range
static bool close_range_from(int first)
{
	return syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0;
}
#else
static bool close_range_from(int first)
{
	(void)first;
	return false;
}
#endif

static enum fault set_limits(struct why *why)
{
	struct rlimit none = { 0, 0 }, files;

	if (setrlimit(RLIMIT_CORE, &none) != 0) {
		why_set(why, errno, "switching core dumps off");
		return FAULT_IO;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur >= DESCRIPTORS)
		return FAULT_NONE;
	files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max :
							DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
		why_set(why, errno, "raising the limit of descriptors");
		return FAULT_IO;
	}
	return FAULT_NONE;
}

static enum fault control(int what, unsigned long value, const char *name,
    struct why *why)
{
	if (prctl(what, value, 0UL, 0UL, 0UL) == 0)
		return FAULT_NONE;
	why_set(why, errno, "%s", name);
	return FAULT_IO;
}

enum fault harden_start(int keep, struct why *why)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int stray = STDERR_FILENO + 1 + (keep > 0 ? keep : 0);
	enum fault fault;

	(void)umask(077);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	fault = fill_standard(why);
	if (fault != FAULT_NONE)
		return fault;
	if (!close_range_from(stray))
		close_listed(stray);
	fault = set_limits(why);
	if (fault != FAULT_NONE)
		return fault;
	return control(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE", why);
}

static enum fault become(const struct passwd *user, struct why *why)
{
	uid_t uid = user->pw_uid;
	gid_t gid = user->pw_gid;

	if (initgroups(user->pw_name, gid) != 0 ||
	    setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
		why_set(why, errno, "becoming user %s", user->pw_name);
		return FAULT_IO;
	}
	if (setuid(0) == 0 || setgid(0) == 0 || geteuid() != uid ||
	    getegid() != gid) {
		why_set(why, 0,
		    "root's rights could be had again after becoming user %s",
		    user->pw_name);
		return FAULT_IO;
	}
	return FAULT_NONE;
}

static enum fault find_user(const char *name, struct passwd **user_out,
    struct why *why)
{
	struct passwd *user;
	char shown[64];

	attr_plain(span_of(name), shown, sizeof(shown));
	errno = 0;
	user = getpwnam(name);
	if (user == NULL) {
		why_set(why, 0,
		    "there is no user '%s': make it with 'systemd-sysusers' or "
		    "'useradd --system --no-create-home --shell "
		    "/usr/sbin/nologin %s', or name another with --user or "
		    "user ...",
		    shown, shown);
		return FAULT_NOT_FOUND;
	}
	if (user->pw_uid == 0 || user->pw_gid == 0) {
		why_set(why, 0,
		    "user '%s' is root or in root's group, and the helper "
		    "refuses to work as root: name another with --user or "
		    "user ...",
		    shown);
		return FAULT_DENIED;
	}
	*user_out = user;
	return FAULT_NONE;
}

enum fault harden_drop(const char *user, struct why *why)
{
	struct passwd *found;
	enum fault fault;

	fault = find_user(user, &found, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = become(found, why);
	if (fault != FAULT_NONE)
		return fault;
	/* A change of credentials makes a process dumpable again. */
	fault = control(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE", why);
	if (fault != FAULT_NONE)
		return fault;
	return control(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS", why);
}

enum fault harden_sandbox(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why)
{
	enum fault fault;

	fault = control(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS", why);
	if (fault != FAULT_NONE)
		return fault;
	return landlock_apply(paths, state_out, state_bytes, why);
}
