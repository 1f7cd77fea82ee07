/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * flow_impl - what every grant has, and the functions that it brings
 *
 * Included by flow*.c only.  A grant's own struct begins with struct flow.
 * After flow_end() or flow_fail() the flow may be gone: each of them is the
 * last thing a function does.
 */
#ifndef MAILTOKEN_OAUTH_FLOW_IMPL_H
#define MAILTOKEN_OAUTH_FLOW_IMPL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "oauth/flow.h"

#define FLOW_FORM_MAX_BYTES 131072

/* Called by the event loop; those that are not needed may be NULL. */
struct flow_grant {
	/* The endpoint that was asked last has answered; what was good in that
	 * is in token ... title. */
	void (*answered)(struct flow *flow, const struct http_answer *answer);
	/* a timer; not late while an answer is outstanding */
	void (*woken)(struct flow *flow);
	void (*late)(struct flow *flow);
	/* before the receiver hears the end; failure NULL: it worked */
	void (*ended)(struct flow *flow, const char *failure);
	/* wipe and free what is the grant's own, not the flow itself */
	void (*drop)(struct flow *flow);
	bool signs_in; /* a person does, so it matters who it was */
};

/* How the client names itself. */
enum flow_client {
	FLOW_NO_CLIENT, /* without the provider's extra fields, too */
	FLOW_WITH_SECRET,
	FLOW_WITHOUT_SECRET
};

struct flow {
	const struct flow_grant *grant;
	struct flow_target target;
	struct http_exchange *exchange;
	struct event wake;
	struct event limit; /* of waiting for a person */

	/* What is sent, and may be once more. */
	struct buf form;
	const char *url;
	const char *endpoint; /* what is there, in words */
	char *scope;	      /* one more field, or NULL */
	enum flow_client client;
	bool basic;   /* the secret goes by HTTP Basic */
	bool guessed; /* ... or not, and nothing told which */
	bool patient; /* what is lost with its answer is not had again */

	/* What came back, until the next answer. */
	struct reply_asked asked; /* what it answers, while it is there */
	struct reply_token token;
	enum fault fault; /* of that: FAULT_NONE, it can be used */
	struct why why;
	struct reply_error error;      /* all empty: no OAuth error */
	bool is_page;		       /* HTML in place of that, ... */
	char title[REPLY_TITLE_BYTES]; /* ... and its title */
	struct flow_failure failure;   /* what flow_fail() tells */
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
 * flow_form - an empty form, for fields, of what is sent next; flow_send
 * sends it, with what names the client, and grant.answered follows
 *
 * endpoint, url  in: stay the caller's, as long as the flow
 *
 * flow_send: the fault of form, url or http_start().
 */
struct buf *flow_form(struct flow *flow, enum flow_client client,
    const char *endpoint, const char *url);
struct buf *flow_token_form(struct flow *flow, enum flow_client client);
enum fault flow_send(struct flow *flow) MUST_CHECK;

/*
 * flow_timer - call grant.woken (wake) or grant.late (limit) after so many
 * seconds; with 0 in the next turn of the loop, and without a fault
 *
 * FAULT_NOMEM.
 */
enum fault flow_timer(const struct flow *flow, struct event *timer,
    int64_t after_s) MUST_CHECK;

/* flow_tell - an event that is not the last, or FLOW_REVOKED. */
void flow_tell(struct flow *flow, const struct flow_event *event);

/*
 * The last event.  flow_fail - failure, with a new refresh token if there is
 * one; flow_end - as the answer of a token endpoint wants it: tokens, after
 * their owner is known if that can be asked, or failure
 */
void flow_fail(struct flow *flow);
void flow_end(struct flow *flow, const struct http_answer *answer);

/* Into failure: flow_judge - what an answer means that cannot be used; flow_say
 * - what no answer told; flow_say_fault - of this machine. */
void flow_judge(struct flow *flow, const struct http_answer *answer);
void flow_say(struct flow *flow, enum advice_class class, const char *format,
    ...) PRINTF_LIKE(3, 4);
void flow_say_fault(struct flow *flow, enum fault fault);

/* flow_succeeded - a status of 2xx. */
bool flow_succeeded(const struct http_answer *answer);

#endif
