/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * fetch - the one question to the helper
 *
 * Owns which sockets are asked in which order, how long, what each fault
 * means to libsasl2 and the sentence that a user reads.  Blocks, at most
 * STEP_MAX_MS; one connection a question, closed before it returns.
 * mailtoken-protocol(7), verbs token and rejected.
 */
#ifndef MAILTOKEN_PLUGIN_FETCH_H
#define MAILTOKEN_PLUGIN_FETCH_H

#include "wire/address.h"
#include "wire/buf.h"
#include "wire/words.h"

struct question {
	const char *account;
	const char *server; /* NULL or "" when the host names none */
	const char *service;
	const char *mechanism;
};

struct fetched {
	struct secret *token;
	char login[LOGIN_MAX_BYTES + 1];
	char serial[SERIAL_MAX_BYTES + 1]; /* "" when none was given */
	struct address from;
	bool password_allowed; /* see fetch_token() */
};

/*
 * fetch_token - ask for an access token
 *
 * fetched_out  out: the caller's, for fetch_drop().  On a fault all of it is
 *              untouched, but that FAULT_UNKNOWN_ACCOUNT sets
 *              password_allowed where a helper lets a password that is a
 *              bearer token be used
 * why          out: on a fault a whole sentence for the user, with what to
 *              do; free of secrets
 *
 * FAULT_NONE or what fetch_code() takes.
 */
enum fault fetch_token(const struct question *question,
    struct fetched *fetched_out, struct why *why) MUST_CHECK;

/*
 * fetch_rejected - tell the helper that gave the token that the server did
 * not take it.  Best effort, REJECTED_MAX_MS at most.
 *
 * challenge  in: printable ASCII, at most CHALLENGE_MAX_BYTES
 */
void fetch_rejected(const struct fetched *fetched,
    const struct question *question, const char *challenge);

/* fetch_drop - wipe. */
void fetch_drop(struct fetched *fetched);

/* fetch_code - the only map from a fault to a code of libsasl2. */
int fetch_code(enum fault fault);

#endif
