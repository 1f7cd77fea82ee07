/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The reply depends on whether there is a challenge, never on what it says.
 */
#include "verdict.h"

#include "wire/attr.h"
#include "wire/echo.h"

static bool is_error_object(struct span challenge)
{
	size_t i = 0;

	while (i < challenge.n && challenge.p[i] != '\0' &&
	    strchr(" \t\r\n", challenge.p[i]) != NULL)
		i++;
	return i < challenge.n && challenge.p[i] == '{';
}

void verdict_read(struct span challenge, const char *error_reply,
    struct span token, struct verdict *verdict_out)
{
	verdict_out->rejected = is_error_object(challenge);
	verdict_out->reply = span_of(challenge.n > 0 ? error_reply : "");
	verdict_out->challenge[0] = '\0';
	if (!verdict_out->rejected)
		return;
	if (echo_holds(challenge, token))
		challenge = span_of(ECHO_HIDDEN);
	attr_plain(challenge, verdict_out->challenge,
	    sizeof(verdict_out->challenge));
}
