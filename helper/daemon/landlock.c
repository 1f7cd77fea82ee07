/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One ruleset over the file system.  Connections are not restricted: the
 * helper must reach token endpoints, resolvers and the supervisor.
 */
#include "daemon/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that are younger than the first headers. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define RIGHTS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_KEYRING \
	(RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	    LANDLOCK_ACCESS_FS_TRUNCATE)
#define RIGHTS_DEVICE \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define RIGHTS_FILE \
	(RIGHTS_DEVICE | LANDLOCK_ACCESS_FS_EXECUTE | \
	    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/*
 * All of the system, so that a folder that appears later counts, too, and no
 * distribution's places need a line.  Home directories stay closed.
 */
static const char *const system_folders[] = {
	"/etc",
	"/usr",
	"/lib",
	"/lib32",
	"/lib64",
	"/libx32",
	"/run",
	"/proc",
	"/sys",
	"/dev",
	"/var",
	/* what /usr and /etc are links to elsewhere */
	"/nix/store",
	"/gnu/store",
};

static const char *const devices[] = {
	"/dev/null",
	"/dev/urandom",
	"/dev/random",
};

struct ruleset {
	int fd;
	uint64_t handled;
};

static enum fault allow(const struct ruleset *set, const char *path,
    uint64_t rights, struct why *why)
{
	struct landlock_path_beneath_attr rule;
	enum fault fault = FAULT_NONE;
	struct stat st;

	/* What is not there cannot be read later either. */
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return FAULT_NONE;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rights &= RIGHTS_FILE;
	rule.allowed_access = rights & set->handled;
	if (syscall(SYS_landlock_add_rule, set->fd, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0) {
		why_set(why, errno, "a sandbox rule for %s", path);
		fault = FAULT_IO;
	}
	(void)close(rule.parent_fd);
	return fault;
}

static enum fault allow_all(const struct ruleset *set, const char *const *paths,
    size_t n, uint64_t rights, struct why *why)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < n && fault == FAULT_NONE; i++)
		fault = allow(set, paths[i], rights, why);
	return fault;
}

/* Its folder, because an edited file is another one; but a folder itself, and
 * never the root: that would open everything. */
static enum fault allow_folder_of(const struct ruleset *set, const char *path,
    struct why *why)
{
	const char *slash = strrchr(path, '/');
	char *folder = strdup(path);
	enum fault fault;
	struct stat st;

	if (folder == NULL)
		return FAULT_NOMEM;
	if (slash != NULL && slash != path &&
	    (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
		folder[slash - path] = '\0';
	fault = allow(set, slash != NULL ? folder : ".", RIGHTS_READ, why);
	free(folder);
	return fault;
}

/* A link may lead to any place. */
static enum fault allow_named(const struct ruleset *set, const char *path,
    struct why *why)
{
	char *leads_to = realpath(path, NULL);
	enum fault fault = allow_folder_of(set, path, why);

	if (fault == FAULT_NONE && leads_to != NULL)
		fault = allow_folder_of(set, leads_to, why);
	free(leads_to);
	return fault;
}

static enum fault add_rules(const struct ruleset *set,
    const struct harden_paths *paths, struct why *why)
{
	enum fault fault;
	size_t i;

	fault = allow_all(set, system_folders,
	    sizeof(system_folders) / sizeof(system_folders[0]), RIGHTS_READ,
	    why);
	if (fault == FAULT_NONE)
		fault = allow_named(set, "/etc/resolv.conf", why);
	if (fault == FAULT_NONE)
		fault = allow_all(set, devices,
		    sizeof(devices) / sizeof(devices[0]), RIGHTS_DEVICE, why);
	for (i = 0; fault == FAULT_NONE && i < paths->n_files; i++)
		fault = allow_named(set, paths->files[i], why);
	if (fault == FAULT_NONE && paths->seed != NULL)
		fault = allow_named(set, paths->seed, why);
	if (fault == FAULT_NONE)
		fault = allow(set, paths->keyring, RIGHTS_KEYRING, why);
	return fault;
}

static uint64_t rights_of(long abi)
{
	uint64_t rights = RIGHTS_ABI_1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

enum fault landlock_apply(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why)
{
	struct landlock_ruleset_attr attr;
	struct ruleset set = { .fd = -1 };
	enum fault fault = FAULT_IO;
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		(void)snprintf(state_out, state_bytes, "no-landlock");
		return FAULT_NONE;
	}
	memset(&attr, 0, sizeof(attr));
	attr.handled_access_fs = set.handled = rights_of(abi);
	set.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
	    0);
	if (set.fd < 0) {
		why_set(why, errno, "the sandbox (Landlock)");
		return FAULT_IO;
	}
	fault = add_rules(&set, paths, why);
	if (fault != FAULT_NONE)
		goto out;
	if (syscall(SYS_landlock_restrict_self, set.fd, 0) != 0) {
		why_set(why, errno, "entering the sandbox (Landlock)");
		fault = FAULT_IO;
		goto out;
	}
	(void)snprintf(state_out, state_bytes, "landlock-abi-%ld", abi);
out:
	(void)close(set.fd);
	return fault;
}
