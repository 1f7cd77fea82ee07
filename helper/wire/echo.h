/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * echo - whether a stranger's text repeats a secret
 *
 * Servers quote what they were sent.  A text that holds a secret, or enough
 * of one, is shown to nobody; ECHO_HIDDEN stands in its place.
 */
#ifndef MAILTOKEN_WIRE_ECHO_H
#define MAILTOKEN_WIRE_ECHO_H

#include "wire/span.h"

#define ECHO_HIDDEN "(hidden: it repeats a secret)"

/*
 * echo_holds - whether text holds any 12 letters and digits in a row of
 * secret, which 16 of its bytes have, or 8 of one that has fewer than 12
 *
 * Case, blanks, punctuation and other bytes between them do not count, and
 * %HH, \xHH and \uHHHH are the bytes they stand for.  So are found a part, a
 * copy with a byte changed, one in pieces, and all that in base64 of either
 * alphabet (RFC 4648 sections 4, 5), beginning anywhere, or in hexadecimal.
 * A secret with less than 8 letters and digits is found byte for byte, if it
 * has 4 bytes; shorter ones are words.
 *
 * Any bytes, any number of them; takes time for secret.n as often as text has
 * 2,000 bytes, allocates nothing.
 */
bool echo_holds(struct span text, struct span secret);

#endif
