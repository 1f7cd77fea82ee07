/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin_impl - the inside of a sign-in, for signin.c and signin_keep.c only
 */
#ifndef MAILTOKEN_DAEMON_SIGNIN_IMPL_H
#define MAILTOKEN_DAEMON_SIGNIN_IMPL_H

#include <event2/event.h>

#include "daemon/answer.h"
#include "daemon/choose.h"
#include "daemon/grant.h"
#include "daemon/signin.h"
#include "oauth/issuer.h"

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
