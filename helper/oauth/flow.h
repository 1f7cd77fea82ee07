/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * flow - a grant in progress: events out, secrets owned
 *
 * What all grants share.  A flow runs on the event loop of its http, calls
 * its event function from the loop only (never from inside a start
 * function), and ends with exactly one FLOW_TOKENS or FLOW_FAILED unless it
 * is freed before.  The receiver must flow_free() it, at the earliest from
 * that last call.
 */
#ifndef MAILTOKEN_OAUTH_FLOW_H
#define MAILTOKEN_OAUTH_FLOW_H

#include "oauth/advice.h"
#include "oauth/http.h"
#include "oauth/provider.h"
#include "oauth/reply.h"

struct flow;

enum flow_event_kind {
	FLOW_SHOW_CODE,		/* device: tell the user */
	FLOW_WAITING,		/* device: asked once more, not finished */
	FLOW_TOKENS,		/* the end: it worked */
	FLOW_FAILED		/* the end: it did not */
};

struct flow_failure {
	enum advice_class class;
	enum http_trouble trouble;
	long status;
	char error[64];		/* the error word, or "" */
	int64_t code;		/* Microsoft's number, or 0 */
	char text[400];		/* one sentence: what and what to do */
	char trace[160];	/* correlation and trace ids for the log */
	int64_t retry_after_s;	/* -1: not said */
};

struct flow_event {
	enum flow_event_kind kind;
	const struct reply_device *device;	/* FLOW_SHOW_CODE */
	int64_t left_s;				/* SHOW_CODE, WAITING */
	struct reply_token *token;		/* FLOW_TOKENS; members may
						   be taken (set NULL) */
	const struct flow_failure *failure;	/* FLOW_FAILED */
};

typedef void flow_event_fn(void *ctx, const struct flow_event *event);

struct flow_target {
	struct http *http;
	struct event_base *base;
	struct provider *provider;	/* the flow takes a share */
	flow_event_fn *event;
	void *ctx;
};

/* flow_free - cancel, wipe, free; NULL is allowed; no event follows. */
void flow_free(struct flow *flow);

/*
 * flow_refresh_start - RFC 6749 section 6
 *
 * refresh_token  in: copied
 * scope          in: as asked for at sign-in, or NULL
 *
 * FAULT_NOMEM, FAULT_INTERNAL.
 */
enum fault flow_refresh_start(const struct flow_target *target,
    const struct secret *refresh_token, const char *scope,
    struct flow **flow_out) MUST_CHECK;

/*
 * flow_device_start - RFC 8628
 *
 * scope  in: what to ask for
 * account  in: for login_hint where the provider takes one; may be NULL
 *
 * FAULT_CONFIG_ERROR without a device authorization endpoint; FAULT_NOMEM,
 * FAULT_INTERNAL.
 */
enum fault flow_device_start(const struct flow_target *target,
    const char *scope, const char *account, struct flow **flow_out)
    MUST_CHECK;

#endif
