/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * request - an attribute list understood, which verbs.c does and nobody else
 *
 * Spans point into the bytes of the list.
 */
#ifndef MAILTOKEN_DAEMON_REQUEST_H
#define MAILTOKEN_DAEMON_REQUEST_H

#include "oauth/provider.h"
#include "wire/attr.h"

/* What a verb is asked about. */
enum request_needs {
	NEEDS_NOTHING, /* an account is not looked at */
	MAY_HAVE_ACCOUNT,
	NEEDS_ACCOUNT,
	NEEDS_SERIAL,  /* ... of an account's token */
	NEEDS_RECORD,  /* ... of one, whose attributes are not looked at */
	ACCOUNT_OR_DUE /* one of the two */
};

#define REQUEST_PROTOCOLS_BYTES 40

struct request {
	const char *verb;    /* its word; NULL: it was not understood */
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
	struct span client_id;
	struct span tenant;
	char protocols[REQUEST_PROTOCOLS_BYTES]; /* with blanks between */
	struct span mx;
	struct span servers;
	bool as_delegate;
	bool revoke;
	bool keep_local;
	bool due;
	bool replace;
	bool accounts;
};

/*
 * request_read - all but verb, which is NULL then
 *
 * FAULT_BAD_REQUEST with one sentence in why for anything
 * mailtoken-protocol(7) does not allow.
 */
enum fault request_read(const struct attrs *attrs, enum request_needs needs,
    struct request *request_out, struct why *why) MUST_CHECK;

#endif
