/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * forget - signing an account out: the provider is told where it can be, then
 * the record is deleted
 *
 * Whatever the provider says, the record goes, unless only the provider was
 * to be told.  A forget that is freed before its end deletes nothing.
 */
#ifndef MAILTOKEN_DAEMON_FORGET_H
#define MAILTOKEN_DAEMON_FORGET_H

#include "daemon/account.h"

struct forget;

enum forget_revoked {
	FORGET_REVOKED,
	FORGET_NOT_REVOKED,
	FORGET_UNSUPPORTED /* it cannot be told */
};

struct forget_end {
	enum fault fault;
	enum forget_revoked revoked;
	bool deleted;
	const char *text; /* a sentence for the user, or NULL */
};
typedef void forget_fn(void *ctx, const struct forget_end *end);

/* forget_start - fn is called once, from the loop; forget_free() may be called
 * in it.  FAULT_NOMEM. */
struct forget_wish {
	struct account *account;
	bool revoke;
	bool keep_local; /* do not delete */
	forget_fn *fn;
	void *ctx;
};
enum fault forget_start(const struct forget_wish *wish,
    struct forget **forget_out) MUST_CHECK;

/* forget_free - leave it at that; NULL is allowed. */
void forget_free(struct forget *forget);

#endif
