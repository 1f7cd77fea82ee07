/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * share - the accounts of a helper that shares its keyring with others: what
 * the fleet asks of them, and what it tells
 */
#ifndef MAILTOKEN_DAEMON_SHARE_H
#define MAILTOKEN_DAEMON_SHARE_H

#include "daemon/engine.h"

/* share_start - engine->fleet, as its configuration says, which stays in force
 * until the end; its accounts are read.  FAULT_NOMEM. */
enum fault share_start(struct engine *engine, struct why *why) MUST_CHECK;

#endif
