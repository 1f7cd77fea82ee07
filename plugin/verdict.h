/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verdict - what the server says after the token was sent
 *
 * Pure: a challenge in, our reply and a text for the helper and the host's
 * log out.  The challenge is the server's and may be anything: it has a
 * length and no end, is never parsed, and leaves here escaped and cut.
 * XOAUTH2: Google's page.  OAUTHBEARER: RFC 7628 section 3.2.3.
 */
#ifndef MAILTOKEN_PLUGIN_VERDICT_H
#define MAILTOKEN_PLUGIN_VERDICT_H

#include "wire/fault.h"
#include "wire/words.h"

struct verdict {
	bool rejected;	   /* the server said so, in JSON */
	struct span reply; /* static storage, never NULL */
	char challenge[CHALLENGE_MAX_BYTES + 1]; /* printable ASCII */
};

/*
 * verdict_read
 *
 * challenge    in: 0..any number of bytes of any value
 * error_reply  in: what the mechanism answers to an error: "" or one 0x01;
 *              static storage
 * token        in: what was sent; a challenge that repeats it (wire/echo.h) is
 *              not shown
 *
 * rejected is set for a challenge that starts with '{' after blanks: Gmail
 * and Dovecot reject that way, and some host programs hand us the remains of
 * another line after a login that succeeded.  challenge is empty otherwise.
 */
void verdict_read(struct span challenge, const char *error_reply,
    struct span token, struct verdict *verdict_out);

#endif
