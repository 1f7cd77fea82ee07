/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * engine - what the parts of a working helper share
 *
 * Made by main when configuration, keyring and lock are good; the members
 * outlive every account and sign-in.  Only main and reload replace config.
 */
#ifndef MAILTOKEN_DAEMON_ENGINE_H
#define MAILTOKEN_DAEMON_ENGINE_H

#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/life.h"
#include "oauth/http.h"
#include "store/keyring.h"

struct accounts;
struct apps;
struct issuers;
struct signin;
struct slices;
struct slots;
struct watchers;

struct engine {
	struct event_base *base;
	struct http *http;
	struct keyring *keyring;
	struct config *config;
	unsigned edition;	    /* of config, for accounts to look at it */
	const char *config_path;    /* for messages */
	const char *config_trouble; /* of an edited file; else empty */
	struct accounts *accounts;
	struct apps *apps;
	struct issuers *issuers;
	struct slices *slices;
	struct slots *slots;
	struct watchers *watchers;
	struct signin *signins;
	bool stopping;
};

/* engine_now - both clocks. */
static inline struct now engine_now(void)
{
	struct now now = { clock_wall_s(), clock_boot_ms() };

	return now;
}

#endif
