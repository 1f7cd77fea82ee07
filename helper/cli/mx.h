/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mx - the mail exchangers of a domain (RFC 5321 section 5.1)
 *
 * A hint of who runs the mail and no more: DNS may fail and may lie.  Blocks,
 * a few seconds at most.
 */
#ifndef MAILTOKEN_CLI_MX_H
#define MAILTOKEN_CLI_MX_H

#include "wire/buf.h"

/*
 * mx_find - append the names with blanks between them, best first; nothing
 * when there are none or the resolver does not answer
 *
 * domain  in: terminated; one that is no host name finds nothing
 * out     in/out: what does not fit its limit is left out
 */
void mx_find(const char *domain, struct buf *out);

/* mx_parse - the same from a DNS message of n bytes (RFC 1035 section 4). */
void mx_parse(const unsigned char *message, size_t n, struct buf *out);

#endif
