/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin - a sign-in in progress
 *
 * Beside the account's state: the old token is served while one waits.  One
 * an account, 8 in all, 15 minutes; dropping it frees the device code, or the
 * listener that waits for a browser.
 */
#ifndef MAILTOKEN_DAEMON_SIGNIN_H
#define MAILTOKEN_DAEMON_SIGNIN_H

#include <event2/event_struct.h>

#include "daemon/answer.h"
#include "daemon/choose.h"
#include "daemon/conn.h"
#include "daemon/grant.h"
#include "oauth/issuer.h"

#define SIGNIN_MAX   8
#define SIGNIN_MAX_S 900

struct signin;

/*
 * signin_start - for the request of a connection, which gets a list an event
 * (mailtoken-protocol(7)) and is closed after the last; conn->signin is it
 *
 * FAULT_BUSY, FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST, FAULT_NOMEM,
 * FAULT_INTERNAL; why says what to do.
 */
enum fault signin_start(struct conn *conn, struct why *why) MUST_CHECK;

/*
 * signin_answer - to a question: "yes" or no to QUESTION_OTHER_USER, then
 * the end follows, from inside; an address or a code to QUESTION_PASTE_URL,
 * then the question follows again, from inside, if it is none, and "no" does
 * nothing
 */
void signin_answer(struct signin *signin, struct span answer);

/* signin_free - cancel it if it has not ended; NULL is allowed. */
void signin_free(struct signin *signin);

/* The inside, for signin.c and signin_keep.c only. */

typedef void answered_fn(struct signin *signin, struct span answer);

struct signin {
	struct engine *engine;
	char *account;
	char folded[ACCOUNT_MAX_BYTES + 1];
	char *servers;
	enum flow_kind kind;
	bool as_delegate;
	struct provider *chosen; /* as configured */
	struct provider *provider;
	struct flow *flow;
	struct event limit;
	struct event soon;	  /* first turn of the loop */
	struct issuer_step *step; /* before the flow */
	struct choice choice;
	char protocols[REQUEST_PROTOCOLS_BYTES]; /* chosen; "": none */
	bool chosen_before; /* ... for an earlier sign-in */
	int64_t registered_s;
	int64_t secret_expires_s;
	bool reused;	  /* the client of an earlier sign-in */
	const char *anew; /* why that is of no use, or NULL */
	enum flow_kind wished;
	char reason[400];
	char serial[GRANT_SERIAL_BYTES + 1];
	struct entry *entry;   /* until it is kept */
	answered_fn *answered; /* of the open question; NULL: none is */
	struct conn *conn;     /* of who signs in */
	struct signin *next;
};

/* Text NULL: the fault's own.  The sign-in may be gone afterwards. */
void signin_end(struct signin *signin, enum fault fault, const char *text);

struct signin_question {
	const char *word;     /* QUESTION_... */
	const char *identity; /* NULL: none */
	const char *text;
	answered_fn *answered;
};
void signin_ask(struct signin *signin, const struct signin_question *question);

/* The tokens are here; what is taken of them is set NULL. */
void signin_keep(struct signin *signin, struct reply_token *token);

#endif
