/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * choose - which provider a sign-in is with, and why
 *
 * In this order: the one that was named, the account's block, the earlier
 * sign-in, the preset that knows the mail domain, the one that the mail
 * exchangers point to (only proposed), the only one configured.  Owns no
 * state; mail exchangers lead to presets alone, never to servers or URLs.
 */
#ifndef MAILTOKEN_DAEMON_CHOOSE_H
#define MAILTOKEN_DAEMON_CHOOSE_H

#include "daemon/config.h"
#include "store/entry.h"

struct choose_from {
	const struct config *config;
	const char *account;	   /* folded */
	const struct entry *entry; /* its record, or NULL */
	struct span provider;	   /* empty: not named */
	struct span issuer;	   /* likewise */
	struct span mx;		   /* names with blanks between them */
};

struct choice {
	struct provider *provider; /* the caller's share */
	bool must_ask;		   /* proposed: a human has to agree */
	char reason[200];	   /* "the only one configured" */
};

/*
 * choose_provider - FAULT_CONFIG_ERROR, FAULT_BAD_REQUEST with what to do in
 * why; FAULT_NOMEM
 */
enum fault choose_provider(const struct choose_from *from,
    struct choice *choice_out, struct why *why) MUST_CHECK;

#endif
