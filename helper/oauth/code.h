/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * code - what a person copies out of a browser
 */
#ifndef MAILTOKEN_OAUTH_CODE_H
#define MAILTOKEN_OAUTH_CODE_H

#include "wire/buf.h"

#define CODE_PASTED_MAX_BYTES 16384
#define CODE_MAX_BYTES	      4096

enum code_pasted {
	CODE_ADDRESS, /* out has its query, still encoded */
	CODE_ALONE    /* out has the bare code, decoded */
};

/*
 * code_read_pasted - the query or the code that a person copied
 *
 * Forgives what copying does: line ends, blanks, quotes, brackets, a beginning
 * that is missing.  Whether it is from our sign-in is the flow's question.
 *
 * out  in/out: empty; holds a secret afterwards
 *
 * FAULT_GRAMMAR, why saying what it is not; FAULT_NOMEM.
 */
enum fault code_read_pasted(struct span text, enum code_pasted *pasted_out,
    struct buf *out, struct why *why) MUST_CHECK;

#endif
