/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * flow - a grant in progress: events out, secrets owned
 *
 * What all grants share.  A flow runs on the event loop of its http, calls
 * its event function from the loop only (never from inside a start
 * function), and ends with exactly one FLOW_TOKENS or FLOW_FAILED unless it
 * is freed before.  The receiver must flow_free() it, at the earliest from
 * that last call, or from FLOW_SHOW_CODE, which leaves no code to be used.
 */
#ifndef MAILTOKEN_OAUTH_FLOW_H
#define MAILTOKEN_OAUTH_FLOW_H

#include "oauth/advice.h"
#include "oauth/http.h"
#include "oauth/provider.h"
#include "oauth/reply.h"

struct flow;

enum flow_event_kind {
	FLOW_SHOW_CODE, /* device: tell the user */
	FLOW_SHOW_URL,	/* browser: tell the user */
	FLOW_WAITING,	/* device: asked once more, not finished */
	FLOW_TOKENS,	/* the end: it worked */
	FLOW_REVOKED,	/* the end of flow_revoke_start() */
	FLOW_FAILED	/* the end: it did not */
};

struct flow_failure {
	enum advice_class class;
	enum http_trouble trouble;
	long status;
	bool lost;	       /* what the grant gave may have been sent */
	char error[64];	       /* the error word, or "" */
	int64_t code;	       /* Microsoft's number, or 0 */
	char text[640];	       /* one sentence: what and what to do */
	char trace[160];       /* correlation and trace ids for the log */
	int64_t retry_after_s; /* -1: not said */
};

struct flow_event {
	enum flow_event_kind kind;
	const struct reply_device *device;  /* FLOW_SHOW_CODE */
	const char *url;		    /* FLOW_SHOW_URL: to open */
	const char *redirect_uri;	    /* where it comes back to */
	int64_t left_s;			    /* SHOW_CODE, SHOW_URL, WAITING */
	struct reply_token *token;	    /* FLOW_TOKENS; members may
						   be taken (set NULL);
						   FLOW_FAILED: NULL, or a new
						   refresh token all the same */
	const struct flow_failure *failure; /* FLOW_FAILED */
};

typedef void flow_event_fn(void *ctx, const struct flow_event *event);

struct flow_target {
	struct http *http;
	struct event_base *base;
	struct provider *provider; /* the flow takes a share */
	bool basic; /* the secret went by HTTP Basic the last time */
	flow_event_fn *event;
	void *ctx;
	/* As in struct http_request, for each time that a grant is sent. */
	bool (*may_send)(void *ctx);
	void *may_send_ctx;
};

/* flow_free - cancel, wipe, free; NULL is allowed; no event follows. */
void flow_free(struct flow *flow);

/*
 * flow_refresh_start - RFC 6749 section 6
 *
 * refresh_token  in: copied
 * scope          in: what was granted, or NULL: none is sent where that will
 *                do; a server that calls it invalid is asked once more without
 *
 * FAULT_NOMEM, FAULT_INTERNAL.
 */
enum fault flow_refresh_start(const struct flow_target *target,
    const struct secret *refresh_token, const char *scope,
    struct flow **flow_out) MUST_CHECK;

/*
 * flow_device_start - RFC 8628, where the provider has an endpoint for it
 * (provider_check_flow())
 *
 * account  in: for login_hint where the provider takes one; may be NULL
 *
 * FAULT_NOMEM, FAULT_INTERNAL.
 */
#define FLOW_DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"

enum fault flow_device_start(const struct flow_target *target,
    const char *account, struct flow **flow_out) MUST_CHECK;

/*
 * flow_code_start - the authorization code grant of RFC 6749 section 4.1 with
 * PKCE, as RFC 8252 asks of programs without a server
 *
 * Shows an URL once; then waits FLOW_CODE_MAX_S for the browser to come to
 * the listener, or for flow_code_paste().  The provider has an authorization
 * endpoint (provider_check_flow()).
 *
 * account  in: for login_hint; may be NULL
 *
 * FAULT_CONFIG_ERROR for a port that may not be taken; FAULT_BUSY when it is
 * in use; FAULT_NOMEM; FAULT_IO; FAULT_INTERNAL; why says what to do.
 */
#define FLOW_CODE_MAX_S 900
#define FLOW_CODE_PATH	"/callback" /* what is registered: the URI ... */
#define FLOW_CODE_URI	"http://127.0.0.1" FLOW_CODE_PATH /* ... any port */

enum fault flow_code_start(const struct flow_target *target,
    const char *account, struct flow **flow_out, struct why *why) MUST_CHECK;

/*
 * flow_code_paste - what a person copied out of a browser: the address it
 * ended at, or the bare code
 *
 * text  in: blanks, line ends, quotes and brackets around it do no harm
 *
 * FAULT_NONE when the sign-in goes on (or ends) with it; FAULT_GRAMMAR,
 * FAULT_DENIED when it goes on waiting, and why says what is wrong with it.
 * No event comes from inside.
 */
enum fault flow_code_paste(struct flow *flow, struct span text,
    struct why *why) MUST_CHECK;

/*
 * flow_app_start - an application for itself: client credentials (RFC 6749
 * section 4.4; RFC 7523 section 2.2), or a service account for a mailbox
 * (RFC 7523 section 2.1), as the provider's flow says
 *
 * FAULT_CONFIG_ERROR when a certificate cannot be used now, with the cure in
 * why; FAULT_NOMEM; FAULT_INTERNAL.
 */
struct flow_app_wish {
	const struct secret *assertion; /* what assertion_file holds now, or
					   NULL */
	const char *subject;		/* service account: for whom */
	int64_t now_s;			/* unix seconds */
};
enum fault flow_app_start(const struct flow_target *target,
    const struct flow_app_wish *wish, struct flow **flow_out,
    struct why *why) MUST_CHECK;

/*
 * flow_revoke_start - end a grant, RFC 7009; ends with FLOW_REVOKED, also when
 * the provider did not know the token any more, or FLOW_FAILED
 *
 * refresh_token, access_token  in: copied; one may be NULL
 *
 * The provider has a revocation endpoint.  FAULT_NOT_FOUND without a token;
 * FAULT_NOMEM, FAULT_INTERNAL.
 */
enum fault flow_revoke_start(const struct flow_target *target,
    const struct secret *refresh_token, const struct secret *access_token,
    struct flow **flow_out) MUST_CHECK;

/*
 * flow_revoke_is_done - whether the grant has ended already, of a flow that
 * flow_revoke_start() made: only its access token may be left.
 */
bool flow_revoke_is_done(const struct flow *flow);

#endif
