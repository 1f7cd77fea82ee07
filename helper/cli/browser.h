/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * browser - opens a link in the user's browser
 *
 * $BROWSER, else xdg-open(1); the first of a list with colons.  The child is
 * nobody's: its own session, no terminal, never waited for.
 */
#ifndef MAILTOKEN_CLI_BROWSER_H
#define MAILTOKEN_CLI_BROWSER_H

#include "wire/fault.h"

/*
 * browser_open - link is https and nothing but printable ASCII
 *
 * FAULT_IO with errno in why when no process could be made.  What the
 * browser makes of it cannot be known.
 */
enum fault browser_open(const char *link, struct why *why) MUST_CHECK;

#endif
