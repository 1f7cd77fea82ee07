/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * outcome - what the command's exit status says
 */
#ifndef MAILTOKEN_CLI_OUTCOME_H
#define MAILTOKEN_CLI_OUTCOME_H

#include "wire/fault.h"

enum outcome {
	OUTCOME_DONE = 0,
	OUTCOME_NO = 1,
	OUTCOME_USAGE = 2,
	OUTCOME_LATER = 75, /* EX_TEMPFAIL */
	OUTCOME_DENIED = 77 /* EX_NOPERM */
};

/* outcome_of - the exit status of a fault. */
enum outcome outcome_of(enum fault fault);

/* outcome_worse - the worse of two: no before later before done. */
enum outcome outcome_worse(enum outcome a, enum outcome b);

#endif
