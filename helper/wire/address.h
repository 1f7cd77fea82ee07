/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * address - where helpers listen, and whether to believe who answers
 *
 * The one place that knows the user's and the system's paths (socket,
 * keyring, configuration); the plugin, the CLI and the helper agree because
 * they ask here.  HOME and XDG_* come from the environment only: the passwd
 * database may need libraries that a host program must not load.
 */
#ifndef MAILTOKEN_WIRE_ADDRESS_H
#define MAILTOKEN_WIRE_ADDRESS_H

#include <sys/types.h>

#include "wire/fault.h"

#define ADDRESS_SOCKET_ENV	 "MAILTOKEN_SOCKET"
#define ADDRESS_SOCKET_MAX_BYTES 108	 /* sun_path, with the NUL */
#define ADDRESS_FILE_MAX_BYTES	 1024	 /* other paths, with the NUL */
#define ADDRESS_LOCK_LEAF	 ".lock" /* in a keyring */
#define ADDRESS_LOCK_MAX_BYTES	 1200	 /* eight sockets and more */

struct address {
	char path[ADDRESS_SOCKET_MAX_BYTES];
	bool own; /* of this user's helper: nobody else's may answer there */
};

struct addresses {
	size_t n;
	struct address at[2];
};

/*
 * address_set - a path that somebody named.  FAULT_TOO_BIG when it does not
 * fit a socket address, FAULT_GRAMMAR when it is not absolute.
 */
enum fault address_set(const char *path,
    struct address *address_out) MUST_CHECK;

/*
 * address_user_socket - the socket of this user's helper
 *
 * In this order: $XDG_RUNTIME_DIR/mailtoken/socket; /run/user/UID where that
 * directory exists; $XDG_STATE_HOME (else $HOME/.local/state)
 * /mailtoken/socket.
 *
 * FAULT_NOT_FOUND when none of them is set, or the process runs with another
 * user's or more rights than it was started with; FAULT_TOO_BIG.
 */
enum fault address_user_socket(struct address *address_out) MUST_CHECK;

/*
 * address_holder - where the helper listens that holds the user's keyring
 *
 * tried       in: the user's socket as this process sees it; another one may
 *             have been started with another XDG_RUNTIME_DIR
 * holder_out  out: a socket that the keyring's lock file names
 *
 * False when nobody holds it, when tried is one of its sockets, and when the
 * lock file is not this user's.
 */
bool address_holder(const struct address *tried, struct address *holder_out);

/* address_system_socket - the path given to configure. */
void address_system_socket(struct address *address_out);

/*
 * address_candidates - which sockets to ask, in order (1 or 2 of them)
 *
 * MAILTOKEN_SOCKET and only that if it is set; else the user's (never for
 * uid 0), then the system's.  FAULT_TOO_BIG, FAULT_GRAMMAR for a bad
 * MAILTOKEN_SOCKET.
 */
enum fault address_candidates(struct addresses *addresses_out) MUST_CHECK;

/*
 * The user's own files: $XDG_STATE_HOME/mailtoken/keyring and
 * $XDG_CONFIG_HOME/mailtoken/mailtoken.conf, with the usual defaults below
 * $HOME.  out has ADDRESS_FILE_MAX_BYTES.  FAULT_NOT_FOUND, FAULT_TOO_BIG as
 * above.
 */
enum fault address_user_keyring(char *out) MUST_CHECK;
enum fault address_user_config(char *out) MUST_CHECK;

/* The system's, as given to configure. */
const char *address_system_keyring(void);
const char *address_system_config(void);

/*
 * address_owner - the owner of the directory that holds the socket
 *
 * FAULT_NONE; FAULT_NOT_FOUND when there is no such directory (why.err is
 * ENOENT); FAULT_UNTRUSTED when group or others may write to it, or when the
 * socket is this user's own and the directory is somebody else's; FAULT_IO.
 */
enum fault address_owner(const struct address *address, uid_t *owner_out,
    struct why *why) MUST_CHECK;

/*
 * address_check_peer - FAULT_NONE when the process at the other end of fd is
 * root, this uid, or owner; FAULT_UNTRUSTED otherwise.
 */
enum fault address_check_peer(int fd, uid_t owner, struct why *why) MUST_CHECK;

#endif
