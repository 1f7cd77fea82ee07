/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * engine - what the parts of a working helper share
 *
 * The keeper's, who makes it work when configuration, keyring and lock are
 * good, and replaces config; before that only what is marked is of use.  The
 * members outlive every account and sign-in.
 */
#ifndef MAILTOKEN_DAEMON_ENGINE_H
#define MAILTOKEN_DAEMON_ENGINE_H

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/metrics.h"
#include "daemon/plan.h"
#include "daemon/slices.h"
#include "fleet/fleet.h"
#include "oauth/http.h"
#include "store/keyring.h"

struct account;
struct accounts;
struct conn;
struct issuers;
struct keeper;
struct refreshes;
struct signin;

struct engine {
	struct keeper *keeper;	 /* always */
	bool working;		 /* ... */
	int64_t started_s;	 /* ... unix seconds */
	char sandbox[64];	 /* what it is in, in words; or empty */
	int64_t look_ms;	 /* ... boot time from which on a request has
				    the files looked at */
	struct event_base *base; /* ... */
	struct http *http;
	struct keyring *keyring;
	const char *seed;      /* NULL, or to be imported when in step */
	struct fleet *fleet;   /* NULL: this relay has its keyring for itself */
	struct config *config; /* NULL: there never was a good one */
	unsigned edition;      /* of config, for accounts to look at it */
	const char *config_path;    /* for messages */
	const char *config_trouble; /* always: why nothing works, or of an
				       edited file; else empty */
	struct accounts *accounts;
	struct issuers *issuers;
	struct refreshes *refreshes;
	struct slices slices;
	struct conn *watchers; /* who is told of a changed account ... */
	void (*changed)(struct engine *engine, struct account *account);
	struct signin *signins;
	struct metrics metrics;
	unsigned probes; /* under way */
	bool stopping;
};

#endif
