/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * ids - users and groups as a reader of a message knows them
 *
 * Reads /etc/passwd and /etc/group and never asks NSS, whose servers may keep
 * the caller waiting; who stands elsewhere has a number.  For sentences, not
 * for every request.
 */
#ifndef MAILTOKEN_WIRE_IDS_H
#define MAILTOKEN_WIRE_IDS_H

#include <sys/types.h>

#include "wire/fault.h"

#define IDS_TEXT_BYTES 48

struct ids_text {
	char text[IDS_TEXT_BYTES]; /* terminated */
};

/* ids_user - "user postfix", or "uid 101" for who has no name. */
struct ids_text ids_user(uid_t uid);

/* ids_owner, ids_group - the same as a word of a command: "postfix", "101". */
struct ids_text ids_owner(uid_t uid);
struct ids_text ids_group(gid_t gid);

/*
 * ids_say_shut - a sentence for EACCES at a helper's socket, with what to type
 *
 * reason  in: the path of the socket and what connect(2) said
 */
void ids_say_shut(const char *path, const char *reason, struct why *why_out);

#endif
