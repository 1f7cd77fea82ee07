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
#include "wire/ask.h"

/* Stays where it is from talk_begin() to talk_end() or talk_run(). */
struct talk {
	struct command *command;
	const char *account; /* whom it is about; NULL: all, or nobody */
	struct why why;	     /* of the last fault */
	struct attrs list;   /* the last one received; points into in */

	/* Set between talk_begin() and the next step, where it matters. */
	bool as_it_is;		    /* do not start the user's helper */
	bool at_once;		    /* write what each list gives as it comes */
	int64_t wait_ms;	    /* for each list */
	const char *subject, *done; /* "SUBJECT is not DONE:" if refused */
	void *ctx;		    /* of the functions of talk_run() */

	int fd;
	struct buf request;
	struct attr_writer writer;
	struct buf in;
};

/* talk_begin - a request for a verb; account may be NULL.  talk_put - one more
 * attribute, if there is a value.  talk_put_servers - those that are given. */
void talk_begin(struct talk *talk, struct command *command, const char *verb,
    const char *account);
void talk_put(struct talk *talk, const char *name, const char *value);
void talk_put_servers(struct talk *talk);

/*
 * talk_open - choose the helper, start the user's if need be, connect, send
 * talk_answer - send what answers a question
 *
 * FAULT_NO_HELPER (why.err is the errno of connect), FAULT_UNTRUSTED,
 * FAULT_TIMEOUT, FAULT_IO, those of start_choose() and of attr_end().
 */
enum fault talk_open(struct talk *talk) MUST_CHECK;
enum fault talk_answer(struct talk *talk, struct span answer) MUST_CHECK;

/*
 * talk_next - the next list, into talk->list; the one before is gone.  May
 * be called again after FAULT_TIMEOUT.
 */
enum fault talk_next(struct talk *talk, int64_t deadline_ms) MUST_CHECK;

/* talk_close - hang up and wipe; any number of times. */
void talk_close(struct talk *talk);

/*
 * talk_end - close; tell why it came to nothing, if it did: for a fault, or
 * what the last list says.  The exit status.
 */
enum outcome talk_end(struct talk *talk, enum fault fault);

/* talk_fn - add to screen_out what talk->list is for a human or a pipe; a
 * fault ends the conversation, and talk->why tells. */
typedef enum fault talk_fn(struct talk *talk);

/*
 * talk_run - a whole conversation, from talk_open() to talk_end()
 *
 * each  of a list before the last; NULL: there is none
 * last  of the last one, which says ok; NULL: it says no more
 *
 * What they add is written when all went well, or at once; never otherwise.
 */
enum outcome talk_run(struct talk *talk, talk_fn *each, talk_fn *last);

/* talk_json - with --json: add the list as it is, a JSON object. */
bool talk_json(const struct talk *talk);

/* talk_names - run it, and append the account of each list and a NUL. */
enum outcome talk_names(struct talk *talk, struct buf *names);

/* talk_warn - tell the warnings in a list, behind a word. */
void talk_warn(const struct talk *talk, const char *before);

/* talk_fleet - in a fleet, add a line of how it stands there. */
void talk_fleet(const struct talk *talk);

/* talk_whose - on a terminal, name the keyring where there are two. */
void talk_whose(const struct talk *talk);

/*
 * import: records to the helper, from wherever they come
 *
 * import_may_read - whether standard input is no terminal; told if it is
 *
 * import_read - append what fd has, until its end or until out is full; name
 * is that of the file, for why.  FAULT_IO, those of buf.
 *
 * import_begin - a request for an account (NULL: the record names it); the
 * record's attributes follow
 * import_send - send it and tell what becomes of it.  where says what came
 * from where, if it is refused; that makes OUTCOME_NO, because the command
 * was right.
 * import_refuse - tell why it was not even sent
 */
#define IMPORT_STDIN "standard input"

bool import_may_read(void);
enum fault import_read(int fd, const char *name, struct buf *out,
    struct why *why) MUST_CHECK;
void import_begin(struct talk *talk, struct command *command,
    const char *account);
enum outcome import_send(struct talk *talk, const char *where);
enum outcome import_refuse(const char *where, const char *text);

#endif
