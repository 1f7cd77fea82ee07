/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * talk - one request to the helper and the lists of its answer
 *
 * Owns the connection and the bytes received, which may hold a token and are
 * wiped.  Starts the user's helper where that is ours to do.
 */
#ifndef MAILTOKEN_CLI_TALK_H
#define MAILTOKEN_CLI_TALK_H

#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/peerio.h"

struct talk {
	int fd;
	struct buf in;
	bool has_list;
	struct attrs list; /* the last one received; points into in */
};

#define TALK_INIT \
	{ \
		.fd = -1, .in = BUF_INIT(WIRE_LIST_MAX_BYTES) \
	}

enum talk_start {
	TALK_AS_IT_IS, /* ask whoever listens */
	TALK_START     /* start the user's helper if need be */
};

/*
 * talk_open - choose the helper, connect, send
 *
 * FAULT_NO_HELPER (why.err is the errno of connect), FAULT_UNTRUSTED,
 * FAULT_TIMEOUT, FAULT_IO and those of start_choose().
 */
enum fault talk_open(struct talk *talk, struct command *command,
    struct span request, enum talk_start start, struct why *why) MUST_CHECK;

/* talk_send - one more list on the connection. */
enum fault talk_send(struct talk *talk, struct span list,
    struct why *why) MUST_CHECK;

/*
 * talk_next - the next list, into talk->list; the one before is gone.  May
 * be called again after FAULT_TIMEOUT.
 */
enum fault talk_next(struct talk *talk, int64_t deadline_ms,
    struct why *why) MUST_CHECK;

/* talk_ends - the list has a result, so no other follows. */
bool talk_ends(const struct talk *talk);

/* talk_result - what it says; FAULT_GARBLED for a word in no page. */
enum fault talk_result(const struct talk *talk) MUST_CHECK;

/* talk_close - hang up and wipe; any number of times. */
void talk_close(struct talk *talk);

/*
 * talk_ask - open, one list with a result, within a client's usual deadline.
 * FAULT_NONE when it came, whatever it says.
 */
enum fault talk_ask(struct talk *talk, struct command *command,
    struct span request, enum talk_start start, struct why *why) MUST_CHECK;

/* talk_failed - tell why there is no answer; the exit status for it. */
enum outcome talk_failed(const struct command *command, enum fault fault,
    const struct why *why);

/* talk_refused - tell what the last list's result and text say. */
enum outcome talk_refused(const struct command *command,
    const struct talk *talk);

/* talk_whose - on a terminal, name the keyring where there are two. */
void talk_whose(const struct command *command, struct buf *out);

#endif
