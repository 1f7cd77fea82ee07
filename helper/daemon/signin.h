/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin - a sign-in in progress
 *
 * Beside the account's state: the old token is served while one waits.  One
 * an account, 8 in all, 15 minutes; dropping it frees the device code.
 */
#ifndef MAILTOKEN_DAEMON_SIGNIN_H
#define MAILTOKEN_DAEMON_SIGNIN_H

#include "daemon/engine.h"
#include "oauth/flow.h"

#define SIGNIN_MAX		8
#define SIGNIN_MAX_S		900

struct signin;

enum signin_event_kind {
	SIGNIN_SHOW_CODE,
	SIGNIN_WAITING,
	SIGNIN_ASK,		/* signin_answer() is expected */
	SIGNIN_DONE,		/* the end, good or bad */
};

struct signin_event {
	enum signin_event_kind kind;
	const struct reply_device *device;	/* SHOW_CODE */
	int64_t left_s;				/* SHOW_CODE, WAITING */
	const char *question;			/* ASK */
	const char *identity;			/* ASK, DONE; may be NULL */
	const char *text;			/* ASK; DONE unless it is ok */
	enum fault fault;			/* DONE */
	const struct entry *entry;		/* DONE and ok */
	const struct provider *provider;	/* DONE and ok */
	const char *warnings[3];		/* DONE and ok; NULL: none */
};

typedef void signin_event_fn(void *ctx, const struct signin_event *event);

struct signin_wish {
	struct span account;		/* as it was written */
	const char *folded;
	struct span provider;		/* empty: the helper chooses */
	enum flow_kind flow;		/* FLOW_NONE: the provider's */
	struct span servers;
	bool as_delegate;
};

/*
 * signin_start - fn is called from the loop only; after SIGNIN_DONE the
 * receiver calls signin_free()
 *
 * FAULT_BUSY, FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST, FAULT_NOMEM,
 * FAULT_INTERNAL; why says what to do.
 */
enum fault signin_start(struct engine *engine, const struct signin_wish *wish,
    signin_event_fn *fn, void *ctx, struct signin **signin_out,
    struct why *why) MUST_CHECK;

/* signin_answer - to SIGNIN_ASK; SIGNIN_DONE follows, from inside. */
void signin_answer(struct signin *signin, bool yes);

/* signin_free - cancel it if it has not ended; NULL is allowed. */
void signin_free(struct signin *signin);

#endif
