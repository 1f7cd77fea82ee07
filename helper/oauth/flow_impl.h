/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * flow_impl - what every grant has, and what it must bring
 *
 * Included by flow*.c only.  A grant's own struct begins with struct flow.
 * After flow_tell_*() of the last event the flow may be gone: each of them
 * is the last thing a function does.
 */
#ifndef MAILTOKEN_OAUTH_FLOW_IMPL_H
#define MAILTOKEN_OAUTH_FLOW_IMPL_H

#include "oauth/flow.h"

#define FLOW_FORM_MAX_BYTES 131072

struct flow_grant {
	/* an answer of the endpoint that was asked last */
	void (*answered)(struct flow *flow, const struct http_answer *answer);
	/* wipe and free what is the grant's own, not the flow itself; NULL:
	 * nothing is */
	void (*drop)(struct flow *flow);
	bool signs_in; /* a person does, so it matters who it was */
};

enum flow_client {
	FLOW_NO_CLIENT,
	FLOW_WITH_SECRET,
	FLOW_WITHOUT_SECRET
};

struct flow {
	const struct flow_grant *grant;
	struct flow_target target;
	struct http_exchange *exchange;
	struct reply_token *kept; /* a refresh token in an answer that is of no
				     use otherwise, or NULL */
	struct reply_token *signed_in; /* while it is asked who did */
	bool patient;		       /* see struct http_request */
	enum flow_client client;       /* how it names itself in the form */
	bool basic;		       /* the secret goes by HTTP Basic */
	bool guessed;		       /* ... or not, and nothing told which */
	const char *url;	       /* what was sent last, and where */
	struct buf form;
	const char *endpoint; /* what is asked, in words */
	char *host;	      /* its host */
	struct event *end;    /* of waiting for a person, or NULL; no more
				 after the last event */
};

/*
 * flow_new - a grant's own struct of so many bytes, all zero behind the flow
 * that it begins with; takes a share of the provider.  NULL: no memory.
 */
struct flow *flow_new(size_t bytes, const struct flow_grant *grant,
    const struct flow_target *target);

/*
 * flow_started - the end of a start function: hand the flow over, or free it
 * and give the fault, FAULT_INTERNAL for those no start function has
 */
enum fault flow_started(struct flow *flow, enum fault fault,
    struct flow **flow_out) MUST_CHECK;

/*
 * flow_add_client - how the client is to name itself when form is sent (its
 * secret, if it has one and may say it), and the provider's extra fields
 */
void flow_add_client(struct flow *flow, enum flow_client client,
    struct buf *form);

/* flow_is_basic - whether its secret went by HTTP Basic. */
bool flow_is_basic(const struct flow *flow);

/* flow_send - what flow_post() keeps, with what names the client. */
enum fault flow_send(struct flow *flow) MUST_CHECK;

/* flow_add_extra - the provider's extra fields alone. */
void flow_add_extra(const struct flow *flow, struct buf *form);

/*
 * flow_post - send form to url, called endpoint in sentences, and take it;
 * grant.answered is called in the end.  flow_post_token: to the token endpoint.
 *
 * The fault of form, or of http_start().
 */
enum fault flow_post(struct flow *flow, const char *endpoint, const char *url,
    struct buf *form) MUST_CHECK;
enum fault flow_post_token(struct flow *flow, struct buf *form) MUST_CHECK;

/* flow_tell - one event. */
void flow_tell(struct flow *flow, const struct flow_event *event);

/* flow_tell_failed - the last event: why, with only that filled in. */
void flow_tell_failed(struct flow *flow, const struct flow_failure *failure);

/* flow_tell_fault - the last event: a fault of this machine. */
void flow_tell_fault(struct flow *flow, enum fault fault);

/* flow_tell_tokens - the last event, from the answer of a token endpoint. */
void flow_tell_tokens(struct flow *flow, const struct http_answer *answer);

/*
 * flow_ask_who - where the tokens of a sign-in do not say who it was, and the
 * issuer's metadata has a userinfo endpoint, ask there; whatever comes of
 * that, FLOW_TOKENS is told in the end (OpenID Connect Core 1.0 section 5.3)
 *
 * token  in/out: taken (all zero then) when true is returned
 */
bool flow_ask_who(struct flow *flow, struct reply_token *token);

/* flow_asked - what answer answers; valid as long as answer. */
struct reply_asked flow_asked(const struct flow *flow,
    const struct http_answer *answer);

/* flow_succeeded - a status of 2xx; flow_has_tokens - and a usable token. */
bool flow_succeeded(const struct http_answer *answer);
bool flow_has_tokens(const struct http_answer *answer);

/* flow_is_page - an HTML page stands where the provider's answer should. */
bool flow_is_page(const struct http_answer *answer);

/* flow_tell_unusable - the last event: 200, but with a body we refuse. */
void flow_tell_unusable(struct flow *flow, const struct http_answer *answer,
    enum fault fault, const struct why *why);

/* flow_tell_refused - the last event: flow_failure_from() as it is. */
void flow_tell_refused(struct flow *flow, const struct http_answer *answer,
    const struct reply_error *error);

/* flow_refused - whether the answer has an OAuth error; error_out is all
 * empty otherwise. */
bool flow_refused(const struct flow *flow, const struct http_answer *answer,
    struct reply_error *error_out);

/* flow_failure_from - what an answer other than success means. */
void flow_failure_from(const struct flow *flow,
    const struct http_answer *answer, const struct reply_error *error,
    struct flow_failure *failure_out);

/* flow_failure_advise - its sentence anew: the advice, and the provider's own
 * words behind it. */
void flow_failure_advise(const struct flow *flow,
    const struct reply_error *error, const char *advice,
    struct flow_failure *failure);

/* flow_failure_of - a fault of this machine. */
void flow_failure_of(enum fault fault, struct flow_failure *failure_out);

/* flow_failure_say - a failure that no answer told. */
void flow_failure_say(struct flow_failure *failure_out, enum advice_class class,
    const char *format, ...) PRINTF_LIKE(3, 4);

#endif
