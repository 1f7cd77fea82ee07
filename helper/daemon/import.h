/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * import - a record from what another program, or another helper, kept
 *
 * The record brings its client itself where the configuration does not know
 * it (grant_provider()), so that mail goes on without a sign-in.
 */
#ifndef MAILTOKEN_DAEMON_IMPORT_H
#define MAILTOKEN_DAEMON_IMPORT_H

#include "daemon/config.h"
#include "store/entry.h"

struct import_source {
	const struct config *config;
	struct span format; /* FORMAT_... */
	struct span data;
	struct span defaults; /* the other program's configuration */
	struct span account;  /* empty: data says it */
	struct span servers;  /* more mail servers, blanks between */
	int64_t now_s;
};

/*
 * import_read - one record; the caller's
 *
 * why  out: with FAULT_NONE what had to be assumed, or nothing (why_set()
 *         was not called)
 *
 * FAULT_BAD_REQUEST for data that is not of that format, or that does not say
 * what it takes; FAULT_CONFIG_ERROR when the configuration has another
 * provider for the account; why says which; FAULT_NOMEM.
 */
enum fault import_read(const struct import_source *source,
    struct entry **entry_out, struct why *why) MUST_CHECK;

#endif
