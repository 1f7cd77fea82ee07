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
#include "wire/peerio.h"

/* Of what a list becomes on the screen: a byte can take six as JSON. */
#define TALK_SHOWN_MAX_BYTES (8 * WIRE_LIST_MAX_BYTES)

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

/* Stays where it is from talk_begin() to talk_open() or talk_run(). */
struct talk_request {
	struct buf bytes;
	struct attr_writer writer;
	bool as_it_is; /* do not start the user's helper */
};

/* talk_begin - a request for a verb, to which attributes are put. */
void talk_begin(struct talk_request *request, const char *verb);

/* talk_put - a word of the command line, if it is there. */
void talk_put(struct talk_request *request, const char *name,
    const char *value);

/* talk_put_flag - yes, if it is set. */
void talk_put_flag(struct talk_request *request, const char *name, bool yes);

/* talk_put_list - words with blanks between them, if there are any. */
void talk_put_list(struct talk_request *request, const char *name,
    const struct command_list *words);

/*
 * talk_open - choose the helper, start the user's if need be, connect, send;
 * the request is gone
 *
 * FAULT_NO_HELPER (why.err is the errno of connect), FAULT_UNTRUSTED,
 * FAULT_TIMEOUT, FAULT_IO, those of start_choose() and of attr_end().
 */
enum fault talk_open(struct talk *talk, struct command *command,
    struct talk_request *request, struct why *why) MUST_CHECK;

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
 * talk_fn - append to out what a list is for a human or a pipe; a fault ends
 * the conversation.  What was appended is written at once.
 */
typedef enum fault talk_fn(void *ctx, const struct attrs *list, struct buf *out,
    struct why *why);

struct talk_take {
	talk_fn *each; /* a list before the last; NULL: there is none */
	talk_fn *last; /* the last, which says ok; NULL: it says no more */
	void *ctx;
	bool json;	 /* the answer is the list itself, a JSON object */
	int64_t wait_ms; /* for each list; 0: as long as usual */
	const char *subject, *done; /* "SUBJECT is not DONE:" if refused */
};

/*
 * talk_run - a whole conversation: open, show all lists, close.  Tells why
 * when it comes to nothing; the exit status.
 */
enum outcome talk_run(struct command *command, struct talk_request *request,
    const struct talk_take *take);

/* talk_names - run it and append the account of each list and a NUL. */
enum outcome talk_names(struct command *command, struct talk_request *request,
    struct buf *names);

/* talk_failed - tell why there is no answer; the exit status for it. */
enum outcome talk_failed(const struct command *command, enum fault fault,
    const struct why *why);

/* talk_refused - tell what the last list's result and text say. */
enum outcome talk_refused(const struct command *command,
    const struct talk *talk);

/* talk_warn - tell the warnings in a list. */
void talk_warn(const struct attrs *list);

/* talk_whose - on a terminal, name the keyring where there are two. */
void talk_whose(const struct command *command, struct buf *out);

#endif
