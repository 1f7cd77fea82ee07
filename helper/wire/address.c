/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Paths from the environment and from configure; the trust decision of a
 * client.
 */
#include "wire/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/ids.h"

#ifndef MAILTOKEN_SYSTEM_SOCKET
#error "configure defines MAILTOKEN_SYSTEM_SOCKET, _KEYRING and _CONFIG"
#endif

static enum fault join(char *out, size_t out_bytes, const char *base,
    const char *rest)
{
	int n = snprintf(out, out_bytes, "%s%s", base, rest);

	if (n < 0 || (size_t)n >= out_bytes) {
		out[0] = '\0';
		return FAULT_TOO_BIG;
	}
	return FAULT_NONE;
}

enum fault address_set(const char *path, struct address *address_out)
{
	if (path[0] != '/')
		return FAULT_GRAMMAR;
	if (strlen(path) >= sizeof(address_out->path))
		return FAULT_TOO_BIG;
	memcpy(address_out->path, path, strlen(path) + 1);
	address_out->own = false;
	return FAULT_NONE;
}

/* A setuid or setgid program must not follow its caller's environment. */
static bool is_plain_process(void)
{
	return getuid() == geteuid() && getgid() == getegid();
}

/* XDG Base Directory Specification: a relative path is as if unset. */
static const char *directory_from_env(const char *name)
{
	const char *value = secure_getenv(name);

	return value != NULL && value[0] == '/' ? value : NULL;
}

static enum fault xdg_path(const char *name, const char *below_home,
    const char *rest, char *out)
{
	char base[ADDRESS_FILE_MAX_BYTES];
	const char *dir = directory_from_env(name);
	const char *home = directory_from_env("HOME");

	if (!is_plain_process() || (dir == NULL && home == NULL))
		return FAULT_NOT_FOUND;
	if (dir == NULL) {
		if (join(base, sizeof(base), home, below_home) != FAULT_NONE)
			return FAULT_TOO_BIG;
		dir = base;
	}
	return join(out, ADDRESS_FILE_MAX_BYTES, dir, rest);
}

enum fault address_user_keyring(char *out)
{
	return xdg_path("XDG_STATE_HOME", "/.local/state", "/mailtoken/keyring",
	    out);
}

enum fault address_user_config(char *out)
{
	return xdg_path("XDG_CONFIG_HOME", "/.config",
	    "/mailtoken/mailtoken.conf", out);
}

enum fault address_user_socket(struct address *address_out)
{
	const char *runtime = directory_from_env("XDG_RUNTIME_DIR");
	char path[ADDRESS_FILE_MAX_BYTES], run_user[64];
	enum fault fault;

	if (!is_plain_process())
		return FAULT_NOT_FOUND;
	(void)snprintf(run_user, sizeof(run_user), "/run/user/%lu",
	    (unsigned long)getuid());
	if (runtime == NULL && access(run_user, F_OK) == 0)
		runtime = run_user;
	if (runtime != NULL)
		fault = join(path, sizeof(path), runtime, "/mailtoken/socket");
	else
		fault = xdg_path("XDG_STATE_HOME", "/.local/state",
		    "/mailtoken/socket", path);
	if (fault == FAULT_NONE)
		fault = address_set(path, address_out);
	if (fault == FAULT_NONE)
		address_out->own = true;
	return fault;
}

bool address_holder(const struct address *tried, struct address *holder_out)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[ADDRESS_FILE_MAX_BYTES], leaf[ADDRESS_FILE_MAX_BYTES + 8];
	char content[ADDRESS_LOCK_MAX_BYTES], *line, *end;
	bool found = false;
	struct stat st;
	ssize_t n = 0;
	int fd;

	if (address_user_keyring(path) != FAULT_NONE ||
	    join(leaf, sizeof(leaf), path, "/" ADDRESS_LOCK_LEAF) != FAULT_NONE)
		return false;
	fd = open(leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* Only while somebody holds it is it true. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
	    fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		n = read(fd, content, sizeof(content) - 1);
	content[n > 0 ? n : 0] = '\0';
	(void)close(fd);

	for (line = content; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		if (strcmp(line, tried->path) == 0)
			return false;
		if (!found)
			found = address_set(line, holder_out) == FAULT_NONE;
	}
	if (found)
		holder_out->own = true;
	return found;
}

void address_system_socket(struct address *address_out)
{
	_Static_assert(sizeof(MAILTOKEN_SYSTEM_SOCKET) <=
		ADDRESS_SOCKET_MAX_BYTES,
	    "--with-socket is too long");

	memcpy(address_out->path, MAILTOKEN_SYSTEM_SOCKET,
	    sizeof(MAILTOKEN_SYSTEM_SOCKET));
	address_out->own = false;
}

enum fault address_candidates(struct addresses *addresses_out)
{
	const char *named = secure_getenv(ADDRESS_SOCKET_ENV);
	struct address *at = addresses_out->at;
	enum fault fault;
	size_t n = 0;

	if (named != NULL) {
		fault = address_set(named, &at[0]);
		if (fault == FAULT_NONE)
			addresses_out->n = 1;
		return fault;
	}
	if (getuid() != 0 && address_user_socket(&at[0]) == FAULT_NONE)
		n++;
	address_system_socket(&at[n++]);
	addresses_out->n = n;
	return FAULT_NONE;
}

const char *address_system_keyring(void)
{
	return MAILTOKEN_SYSTEM_KEYRING;
}

const char *address_system_config(void)
{
	return MAILTOKEN_SYSTEM_CONFIG;
}

enum fault address_owner(const struct address *address, uid_t *owner_out,
    struct why *why)
{
	char dir[ADDRESS_SOCKET_MAX_BYTES];
	struct stat st;
	char *slash;
	bool shared;
	int err;

	memcpy(dir, address->path, sizeof(dir));
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	*slash = '\0';
	if (stat(dir, &st) != 0) {
		err = errno;
		why_set(why, err, "%s", dir);
		return err == ENOENT ? FAULT_NOT_FOUND : FAULT_IO;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		/* Such as /tmp, which is meant to be so. */
		shared = (st.st_mode & S_ISVTX) != 0;
		why_set(why, 0, "group or others may write to %s: %s%s", dir,
		    shared ? "name a socket in a folder that only its owner "
			     "may write to" :
			     "chmod go-w ",
		    shared ? "" : dir);
		return FAULT_UNTRUSTED;
	}
	if (address->own && st.st_uid != 0 && st.st_uid != geteuid()) {
		why_set(why, 0,
		    "%s belongs to %s, not to you: unset XDG_RUNTIME_DIR (su "
		    "keeps that of another user)",
		    dir, ids_user(st.st_uid).text);
		return FAULT_UNTRUSTED;
	}
	*owner_out = st.st_uid;
	return FAULT_NONE;
}

enum fault address_check_peer(int fd, uid_t owner, struct why *why)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0) {
		why_set(why, errno, "SO_PEERCRED");
		return FAULT_IO;
	}
	if (peer.uid == 0 || peer.uid == owner || peer.uid == geteuid())
		return FAULT_NONE;
	why_set(why, 0, "%s listens there, not the helper",
	    ids_user(peer.uid).text);
	return FAULT_UNTRUSTED;
}
