/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * refused - who refused which token of an account, and since when
 *
 * A token that a mail server refused is not served to that server's service
 * again; to others it is, because one mailbox without a permission must not
 * stop the rest.  Server and service may be empty: that counts for questions
 * that name none, or nobody could be sure of a token.
 */
#ifndef MAILTOKEN_DAEMON_REFUSED_H
#define MAILTOKEN_DAEMON_REFUSED_H

#include "daemon/plan.h"
#include "store/entry.h"

struct refused; /* a list, for free(3); NULL is an empty one */

/* refused_resume - what a record knows, for a list that is empty. */
void refused_resume(struct refused **list, const struct entry *entry,
    int64_t now_s);

/*
 * refused_add - that the token of entry was refused; entry notes it, too
 *
 * again  in: what is known already counts once more
 *
 * False when it was known, or there is no memory.
 */
struct refused_by {
	struct span server;
	struct span service;
	bool again;
	struct now now;
};
bool refused_add(struct refused **list, struct entry *entry,
    const struct refused_by *by);

/* refused_forbids - whether the token of entry must not go there. */
bool refused_forbids(const struct refused *list, const struct entry *entry,
    struct span server, struct span service);

/* refused_served - the token of entry goes there: five minutes without a
 * complaint, and it is over. */
void refused_served(struct refused *list, const struct entry *entry,
    struct span server, struct span service, int64_t boot_ms);

/* refused_say - the last that is not over, with what to do; or nothing. */
void refused_say(struct refused *list, const char *account, int64_t boot_ms,
    char *out, size_t out_bytes);

/* refused_date - unix seconds for humans. */
void refused_date(int64_t when_s, char out[40]);

#endif
