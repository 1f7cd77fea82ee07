/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * request - an attribute list understood; requests are understood nowhere
 * else
 *
 * Spans point into the bytes of the list.
 */
#ifndef MAILTOKEN_DAEMON_REQUEST_H
#define MAILTOKEN_DAEMON_REQUEST_H

#include "oauth/provider.h"
#include "wire/attr.h"

enum request_verb {
	REQUEST_TOKEN,
	REQUEST_REJECTED,
	REQUEST_SIGN_IN,
	REQUEST_FORGET,
	REQUEST_STATUS,
	REQUEST_WATCH,
	REQUEST_REFRESH,
	REQUEST_IMPORT,
	REQUEST_EXPORT,
	REQUEST_REKEY,
	REQUEST_RELOAD,
	REQUEST_VERSION
};

#define REQUEST_PROTOCOLS_BYTES 40

struct request {
	enum request_verb verb;
	struct span account; /* empty: none was named */
	char folded[ACCOUNT_MAX_BYTES + 1];
	struct span server;
	struct span service;
	struct span mechanism;
	int64_t min_validity_s;
	struct span serial;
	struct span challenge;
	struct span provider;
	enum flow_kind flow;
	struct span issuer;
	char protocols[REQUEST_PROTOCOLS_BYTES]; /* with blanks between */
	struct span mx;
	struct span servers;
	bool as_delegate;
	bool revoke;
	bool keep_local;
	bool due;
	struct span format;
	bool replace;
};

/*
 * request_read - FAULT_BAD_REQUEST with one sentence in why for anything
 * mailtoken-protocol(7) does not allow
 */
enum fault request_read(const struct attrs *attrs, struct request *request_out,
    struct why *why) MUST_CHECK;

/* request_verb_word - for the log. */
const char *request_verb_word(enum request_verb verb);

#endif
