/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pasted - what a person copied out of a browser, understood
 *
 * Pure.  Forgives what copying does: line ends, blanks, quotes, brackets, a
 * beginning that is missing.  Whether it is from our sign-in is the flow's
 * question.
 */
#ifndef MAILTOKEN_OAUTH_PASTED_H
#define MAILTOKEN_OAUTH_PASTED_H

#include "wire/buf.h"

#define PASTED_MAX_BYTES      16384
#define PASTED_CODE_MAX_BYTES 4096

enum pasted {
	PASTED_ADDRESS, /* out has its query, still encoded */
	PASTED_CODE	/* out has the bare code, decoded */
};

/*
 * pasted_read - append the query or the code
 *
 * out  in/out: holds a secret afterwards
 *
 * FAULT_GRAMMAR, why saying what it is not; FAULT_NOMEM.
 */
enum fault pasted_read(struct span text, enum pasted *pasted_out,
    struct buf *out, struct why *why) MUST_CHECK;

#endif
