/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * asking - questions to an account, and who waits for an exchange, for how
 * long
 *
 * Waiters of one account share one refresh.  An exchange has its time from
 * its own beginning; but whoever asks goes away after 35 seconds, and is to
 * hear why before.
 */
#ifndef MAILTOKEN_DAEMON_ASKING_H
#define MAILTOKEN_DAEMON_ASKING_H

#include "daemon/account.h"

typedef void account_answer_fn(void *ctx, struct account *account,
    const struct account_answer *answer);

/* server and service must stay until fn is called; empty: not said. */
struct account_question {
	struct span server;
	struct span service;
	const char *mailbox; /* who asks, where several share a token; folded;
				not kept; NULL: the account's own name */
	int64_t min_validity_s;
	bool force;   /* renew now, whatever is left */
	bool renewal; /* no mail waits for it, and it may wait its turn */
	account_answer_fn *fn;
	void *ctx;
};

/* asking_ask - for the access token; fn is called once, now or later.
 * asking_leave - the asker goes away: fn is not called any more for ctx. */
void asking_ask(struct account *account,
    const struct account_question *question);
void asking_leave(struct account *account, const void *ctx);

/*
 * asking_answer - all who wait get answer; with NULL each his own, and who
 * would wait goes on waiting
 *
 * fresh  in: the token has just come: it is served whatever its life is
 */
void asking_answer(struct account *account, const struct account_answer *answer,
    bool fresh);

/* asking_begins - the exchange has its turn. */
void asking_begins(struct account *account);

/* asking_is_shared - one mailbox's complaint is not the others', who share
 * the token. */
bool asking_is_shared(const struct account *account);

#endif
