/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * profile - from a provider as chosen to one that a sign-in can work with
 *
 * Learns the endpoints of an issuer, takes the protocols that were wished
 * for, and registers a client where there is none.  Owns what is under way;
 * the result is a copy, the chosen provider does not change.
 */
#ifndef MAILTOKEN_DAEMON_PROFILE_H
#define MAILTOKEN_DAEMON_PROFILE_H

#include "daemon/engine.h"

struct profile;

struct profile_wish {
	struct engine *engine;
	struct provider *provider;
	const struct entry *entry; /* whose client may be used again */
	const char *anew;	   /* why it may not, or NULL */
	const char *protocols;	   /* NULL: as the provider says */
};

struct profile_end {
	struct provider *provider; /* the receiver's share; NULL: none */
	int64_t registered_s;	   /* of its client; 0: configured */
	int64_t secret_expires_s;  /* likewise; 0: never */
	bool reused;		   /* an earlier sign-in registered it */
	const char *anew;	   /* why another one was registered, or NULL */
	enum fault fault;	   /* without a provider */
	const char *text;
};
typedef void profile_fn(void *ctx, const struct profile_end *end);

/*
 * profile_start - fn is called once, now or later; profile_free() may be
 * called in it.  *profile_out is NULL when it was called already.
 *
 * FAULT_NOMEM: fn is not called.
 */
enum fault profile_start(const struct profile_wish *wish, profile_fn *fn,
    void *ctx, struct profile **profile_out) MUST_CHECK;

/* profile_free - cancel it if it has not ended; NULL is allowed. */
void profile_free(struct profile *profile);

#endif
