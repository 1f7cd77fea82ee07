/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The only map from faults to exit statuses: mailtoken(1), EXIT STATUS.
 */
#include "cli/outcome.h"

enum outcome outcome_of(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return OUTCOME_DONE;
	case FAULT_TRY_LATER:
	case FAULT_BUSY:
	case FAULT_TIMEOUT:
	case FAULT_INTERNAL:
	case FAULT_NO_HELPER:
	case FAULT_NOMEM: return OUTCOME_LATER;
	case FAULT_DENIED: return OUTCOME_DENIED;
	case FAULT_BAD_REQUEST:
	case FAULT_GRAMMAR:
	case FAULT_TOO_BIG: return OUTCOME_USAGE;
	case FAULT_LOGIN_NEEDED:
	case FAULT_UNKNOWN_ACCOUNT:
	case FAULT_WRONG_SERVER:
	case FAULT_CONFIG_ERROR:
	case FAULT_UNTRUSTED:
	case FAULT_GARBLED:
	case FAULT_IO:
	case FAULT_UNSAFE:
	case FAULT_NOT_FOUND:
	case FAULT_LOCKED:
	case FAULT_READ_ONLY: return OUTCOME_NO;
	}
	return OUTCOME_NO;
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	if (a == OUTCOME_DONE)
		return b;
	if (b == OUTCOME_DONE || a == b)
		return a;
	return OUTCOME_NO;
}
