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

#include "daemon/engine.h"
#include "daemon/request.h"
#include "oauth/flow.h"

#define SIGNIN_MAX	8
#define SIGNIN_MAX_S	900
#define SIGNIN_WARNINGS 4

struct signin;

enum signin_event_kind {
	SIGNIN_SHOW_CODE,
	SIGNIN_SHOW_URL,
	SIGNIN_WAITING,
	SIGNIN_ASK,  /* signin_answer() is expected, or may come */
	SIGNIN_DONE, /* the end, good or bad */
};

struct signin_event {
	enum signin_event_kind kind;
	const struct reply_device *device; /* SHOW_CODE */
	const char *url;		   /* SHOW_URL */
	const char *redirect_uri;	   /* SHOW_URL */
	int64_t left_s;			   /* SHOW_CODE, SHOW_URL, WAITING */
	const char *question;		   /* ASK */
	const char *identity;		   /* ASK, DONE; may be NULL */
	const char *text; /* SHOW_*: why so; ASK; DONE unless it is ok */
	enum fault fault; /* DONE */
	const struct entry *entry;	       /* DONE and ok */
	const struct provider *provider;       /* SHOW_*; DONE and ok */
	enum flow_kind flow;		       /* SHOW_* */
	const char *warnings[SIGNIN_WARNINGS]; /* DONE and ok; NULL: none */
};

typedef void signin_event_fn(void *ctx, const struct signin_event *event);

/* Reads what has come from who waits for it; the sign-in may be gone then. */
typedef void signin_look_fn(void *ctx);

struct signin_wish {
	const struct request *request; /* not kept */
	signin_event_fn *event;
	signin_look_fn *look;
	void *ctx; /* of event and look */
};

/*
 * signin_start - event is called from the loop only; after SIGNIN_DONE the
 * receiver calls signin_free()
 *
 * FAULT_BUSY, FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST, FAULT_NOMEM,
 * FAULT_INTERNAL; why says what to do.
 */
enum fault signin_start(struct engine *engine, const struct signin_wish *wish,
    struct signin **signin_out, struct why *why) MUST_CHECK;

/*
 * signin_answer - to SIGNIN_ASK: "yes" or no to QUESTION_OTHER_USER, then
 * SIGNIN_DONE follows, from inside; an address or a code to
 * QUESTION_PASTE_URL, then SIGNIN_ASK follows, from inside, if it is none,
 * and "no" does nothing
 */
void signin_answer(struct signin *signin, struct span answer);

/* signin_free - cancel it if it has not ended; NULL is allowed. */
void signin_free(struct signin *signin);

#endif
