/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words and sentences of faults, and reasons in words.
 */

/* The GNU strerror_r has the same name and another contract. */
#undef _GNU_SOURCE
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "wire/fault.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *word, *text;
} faults[] = {
	[FAULT_NONE] = { "ok", "done" },
	[FAULT_LOGIN_NEEDED] = { "login-needed",
	    "the account must sign in again" },
	[FAULT_UNKNOWN_ACCOUNT] = { "unknown-account",
	    "not signed in, or not allowed for this user" },
	[FAULT_WRONG_SERVER] = { "wrong-server",
	    "the server does not belong to the account's provider" },
	[FAULT_TRY_LATER] = { "try-later",
	    "no token can be had at the moment" },
	[FAULT_CONFIG_ERROR] = { "config-error",
	    "the configuration of the helper is wrong" },
	[FAULT_DENIED] = { "denied", "this user may not ask for that" },
	[FAULT_BAD_REQUEST] = { "bad-request",
	    "the helper did not understand the request" },
	[FAULT_BUSY] = { "busy", "the helper has too much to do" },
	[FAULT_TIMEOUT] = { "timeout", "the time for an answer ran out" },
	[FAULT_INTERNAL] = { "internal",
	    "something failed inside the helper; its log says what" },
	[FAULT_NO_HELPER] = { "internal", "no helper answers on the socket" },
	[FAULT_UNTRUSTED] = { "internal",
	    "the socket belongs to somebody else" },
	[FAULT_GARBLED] = { "internal",
	    "the helper's answer breaks the protocol" },
	[FAULT_NOMEM] = { "internal", "out of memory" },
	[FAULT_GRAMMAR] = { "bad-request", "a byte that is not allowed there" },
	[FAULT_TOO_BIG] = { "bad-request", "longer than the limit" },
	[FAULT_IO] = { "internal", "a system call failed" },
	[FAULT_UNSAFE] = { "internal",
	    "a file has the wrong owner, mode or type" },
	[FAULT_NOT_FOUND] = { "internal", "no such thing" },
	[FAULT_LOCKED] = { "internal", "another process holds it" },
	[FAULT_READ_ONLY] = { "internal", "the keyring cannot be written" },
};

_Static_assert(sizeof(faults) / sizeof(faults[0]) == FAULT_READ_ONLY + 1,
    "every fault has its row");

const char *fault_word(enum fault fault)
{
	return faults[fault].word;
}

const char *fault_text(enum fault fault)
{
	return faults[fault].text;
}

enum fault fault_from_word(struct span word)
{
	unsigned outcome;

	for (outcome = FAULT_NONE; outcome <= FAULT_INTERNAL; outcome++)
		if (span_is(word, fault_word((enum fault)outcome)))
			return (enum fault)outcome;
	return FAULT_GARBLED;
}

void why_set(struct why *why, int err, const char *format, ...)
{
	char reason[128];
	va_list args;
	size_t used, i;
	int n;

	if (why == NULL)
		return;
	why->err = err;
	va_start(args, format);
	n = vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	if (n < 0)
		why->text[0] = '\0';

	used = strlen(why->text);
	if (err != 0 && strerror_r(err, reason, sizeof(reason)) == 0)
		(void)snprintf(why->text + used, sizeof(why->text) - used,
		    ": %s", reason);
	for (i = 0; why->text[i] != '\0'; i++)
		if ((unsigned char)why->text[i] < 0x20 || why->text[i] == 0x7f)
			why->text[i] = '?';
}

const char *why_text(const struct why *why, enum fault fault)
{
	return why->text[0] != '\0' ? why->text : fault_text(fault);
}
