/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Taking sockets over and binding them, as who the helper is: never as root.
 */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/supervise.h"
#include "wire/ids.h"
#include "wire/ask.h"

#define FIRST_HANDED_OVER 3 /* sd_listen_fds(3) */
#define HOLD_MAX_MS	  5000
#define HOLD_PAUSE_MS	  20

static bool option_is(int fd, int option, int want)
{
	socklen_t n = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 &&
	    value == want;
}

/* Abstract and unnamed sockets have no path. */
static void read_path(int fd, char *path, size_t path_bytes)
{
	struct sockaddr_un address;
	socklen_t n = sizeof(address);
	size_t length;

	path[0] = '\0';
	memset(&address, 0, sizeof(address));
	if (getsockname(fd, (struct sockaddr *)&address, &n) != 0 ||
	    n <= offsetof(struct sockaddr_un, sun_path))
		return;
	length = strnlen(address.sun_path, sizeof(address.sun_path));
	if (length >= path_bytes)
		return;
	memcpy(path, address.sun_path, length);
	path[length] = '\0';
}

static enum fault adopt(int fd, struct listener *listener, struct why *why)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || !option_is(fd, SO_DOMAIN, AF_UNIX) ||
	    !option_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !option_is(fd, SO_ACCEPTCONN, 1)) {
		why_set(why, 0,
		    "handed-over descriptor %d is no listening unix stream "
		    "socket: the socket unit needs ListenStream= with a path, "
		    "and Accept=no",
		    fd);
		return FAULT_CONFIG_ERROR;
	}
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		why_set(why, errno, "handed-over descriptor %d", fd);
		return FAULT_IO;
	}
	listener->fd = fd;
	read_path(fd, listener->path, sizeof(listener->path));
	return FAULT_NONE;
}

enum fault listen_adopt(struct listeners *listeners, struct why *why)
{
	struct listeners adopted = { .n = 0 };
	int i, n = supervise_fds();
	enum fault fault;

	if (n > LISTEN_MAX) {
		why_set(why, 0,
		    "%d sockets were handed over, at most %d can be used: take "
		    "ListenStream= lines away",
		    n, LISTEN_MAX);
		return FAULT_CONFIG_ERROR;
	}
	for (i = 0; i < n; i++) {
		fault = adopt(FIRST_HANDED_OVER + i, &adopted.at[adopted.n],
		    why);
		if (fault != FAULT_NONE)
			return fault;
		adopted.n++;
	}
	adopted.adopted = n > 0;
	*listeners = adopted;
	return FAULT_NONE;
}

static enum fault set_address(const char *path, struct sockaddr_un *address,
    struct why *why)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (path[0] != '/' || path[strlen(path) - 1] == '/' ||
	    strlen(path) >= sizeof(address->sun_path)) {
		why_set(why, 0,
		    "listen: %.200s must be a whole path of at most %zu bytes "
		    "and not end in '/'",
		    path, sizeof(address->sun_path) - 1);
		return FAULT_CONFIG_ERROR;
	}
	memcpy(address->sun_path, path, strlen(path));
	return FAULT_NONE;
}

/* The folder of the socket with what is missing above it: for itself alone, or
 * for all where folders are somebody else's. */
static bool make_folder(char *folder)
{
	struct stat above = { .st_uid = (uid_t)-1 };
	char *at = folder, rest = '/';
	int err;

	while (rest != '\0') {
		at += 1 + strcspn(at + 1, "/");
		rest = *at;
		*at = '\0';
		err = mkdir(folder, 0700) == 0 ? 0 : errno;
		if (err == 0 && above.st_uid != geteuid())
			err = chmod(folder, 0755) == 0 ? 0 : errno;
		if (stat(folder, &above) != 0) {
			errno = err;
			return false;
		}
		*at = rest;
	}
	return true;
}

static enum fault open_folder(char *folder, int *fd_out, struct why *why)
{
	*fd_out = make_folder(folder) ?
	    open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) :
	    -1;
	if (*fd_out >= 0)
		return FAULT_NONE;
	why_set(why, errno,
	    "the folder %s of the socket; as root: mkdir -p %s && chown %s %s; "
	    "or listen elsewhere",
	    folder, folder, ids_owner(geteuid()).text, folder);
	return FAULT_IO;
}

static enum fault check_folder(int fd, const char *folder, struct why *why)
{
	struct stat st;
	bool shared;

	if (fstat(fd, &st) != 0) {
		why_set(why, errno, "%s", folder);
		return FAULT_IO;
	}
	if (st.st_uid != geteuid()) {
		if (access(folder, W_OK) == 0)
			why_set(why, 0,
			    "the folder %s belongs to %s: listen on "
			    "%s/mailtoken/socket, whose folder the helper "
			    "makes",
			    folder, ids_user(st.st_uid).text, folder);
		else
			why_set(why, 0,
			    "the folder %s belongs to %s: as root: chown %s %s",
			    folder, ids_user(st.st_uid).text,
			    ids_owner(geteuid()).text, folder);
		return FAULT_UNSAFE;
	}
	/* Clients refuse such a folder: anybody could put a socket there.
	 * Such as /tmp is meant to be so. */
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		shared = (st.st_mode & S_ISVTX) != 0;
		why_set(why, 0,
		    "group or others may write to the folder %s of the socket: "
		    "%s%s%s",
		    folder, shared ? "listen on " : "chmod go-w ", folder,
		    shared ?
			"/mailtoken/socket, whose folder the helper makes" :
			"");
		return FAULT_UNSAFE;
	}
	return FAULT_NONE;
}

/* FAULT_NONE when nobody answers at the socket that stands there. */
static enum fault ask_old(const struct sockaddr_un *address, struct why *why)
{
	enum fault fault = FAULT_IO;
	int err, fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		why_set(why, errno, "a socket");
		return FAULT_IO;
	}
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0 ?
	    0 :
	    errno;
	(void)close(fd);
	if (err == 0 || err == EAGAIN) {
		why_set(why, 0, "another helper listens on %s",
		    address->sun_path);
		fault = FAULT_LOCKED;
	} else if (err == ECONNREFUSED || err == ENOENT) {
		fault = FAULT_NONE;
	} else if (err == EPROTOTYPE) {
		why_set(why, 0,
		    "%s is a socket of another kind: move it away or set "
		    "listen to another path",
		    address->sun_path);
		fault = FAULT_UNSAFE;
	} else {
		why_set(why, err, "asking who listens on %s",
		    address->sun_path);
	}
	return fault;
}

static enum fault clear_place(int folder, const struct sockaddr_un *address,
    struct why *why)
{
	const char *leaf = strrchr(address->sun_path, '/') + 1;
	enum fault fault;
	struct stat st;

	if (fstatat(folder, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno == ENOENT)
			return FAULT_NONE;
		why_set(why, errno, "%s", address->sun_path);
		return FAULT_IO;
	}
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, 0,
		    "%s is no socket: move it away or set listen to another "
		    "path",
		    address->sun_path);
		return FAULT_UNSAFE;
	}
	fault = ask_old(address, why);
	if (fault != FAULT_NONE)
		return fault;
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		why_set(why, 0, "the dead socket %s belongs to %s: rm %s",
		    address->sun_path, ids_user(st.st_uid).text,
		    address->sun_path);
		return FAULT_UNSAFE;
	}
	if (unlinkat(folder, leaf, 0) != 0 && errno != ENOENT) {
		why_set(why, errno, "removing the dead socket %s",
		    address->sun_path);
		return FAULT_IO;
	}
	return FAULT_NONE;
}

static enum fault bind_here(const struct sockaddr_un *address, int *fd_out,
    struct why *why)
{
	mode_t saved;
	int err, fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		why_set(why, errno, "a socket");
		return FAULT_IO;
	}
	/* A chmod after bind could hit another file by then. */
	saved = umask(0111);
	err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0 ?
	    0 :
	    errno;
	(void)umask(saved);
	if (err == 0 && listen(fd, LISTEN_BACKLOG) != 0)
		err = errno;
	if (err != 0) {
		why_set(why, err, "listening on %s", address->sun_path);
		(void)close(fd);
		return err == EADDRINUSE ? FAULT_LOCKED : FAULT_IO;
	}
	*fd_out = fd;
	return FAULT_NONE;
}

/*
 * Of two that start at once the second is to find the socket of the first,
 * not to remove it.  Anybody may lock what he may read, so this is not waited
 * for without end.
 */
static int hold(int folder)
{
	int64_t until_ms = ask_now_ms() + HOLD_MAX_MS;
	int fd;

	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 &&
	    errno == EWOULDBLOCK && ask_now_ms() < until_ms)
		ask_pause(HOLD_PAUSE_MS, until_ms);
	return fd;
}

enum fault listen_bind(struct listeners *listeners, const char *path,
    struct why *why)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *leaf = strrchr(path, '/');
	struct sockaddr_un address;
	struct listener *listener;
	enum fault fault;
	int folder_fd = -1, held = -1;

	fault = set_address(path, &address, why);
	if (fault != FAULT_NONE)
		return fault;
	memcpy(folder, path, (size_t)(leaf - path) + 1);
	folder[leaf > path ? leaf - path : 1] = '\0';
	fault = open_folder(folder, &folder_fd, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = check_folder(folder_fd, folder, why);
	if (fault == FAULT_NONE)
		held = hold(folder_fd);
	if (fault == FAULT_NONE)
		fault = clear_place(folder_fd, &address, why);
	listener = &listeners->at[listeners->n];
	if (fault == FAULT_NONE)
		fault = bind_here(&address, &listener->fd, why);
	if (fault == FAULT_NONE) {
		memcpy(listener->path, path, strlen(path) + 1);
		listeners->n++;
	}
	if (held >= 0)
		(void)close(held);
	(void)close(folder_fd);
	return fault;
}

void listen_close(struct listeners *listeners)
{
	size_t i;

	for (i = 0; i < listeners->n; i++)
		(void)close(listeners->at[i].fd);
	listeners->n = 0;
	listeners->adopted = false;
}
