/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The null version, for systems whose headers do not know Landlock.
 */
#include "daemon/harden.h"

#include <stdio.h>

enum fault landlock_apply(const struct harden_paths *paths, char *state_out,
    size_t state_bytes, struct why *why)
{
	(void)paths;
	(void)why;
	(void)snprintf(state_out, state_bytes, "no-landlock");
	return FAULT_NONE;
}
