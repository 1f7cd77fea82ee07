/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The two maps of faults, each one full switch, and reasons in words.
 */

/* The GNU strerror_r has the same name and another contract. */
#undef _GNU_SOURCE
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "wire/fault.h"

#include <stdarg.h>
#include <stdio.h>

const char *fault_word(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return "ok";
	case FAULT_LOGIN_NEEDED: return "login-needed";
	case FAULT_UNKNOWN_ACCOUNT: return "unknown-account";
	case FAULT_WRONG_SERVER: return "wrong-server";
	case FAULT_TRY_LATER: return "try-later";
	case FAULT_CONFIG_ERROR: return "config-error";
	case FAULT_DENIED: return "denied";
	case FAULT_BUSY: return "busy";
	case FAULT_TIMEOUT: return "timeout";
	case FAULT_BAD_REQUEST:
	case FAULT_GRAMMAR:
	case FAULT_TOO_BIG: return "bad-request";
	case FAULT_INTERNAL:
	case FAULT_NO_HELPER:
	case FAULT_UNTRUSTED:
	case FAULT_GARBLED:
	case FAULT_NOMEM:
	case FAULT_IO:
	case FAULT_UNSAFE:
	case FAULT_NOT_FOUND:
	case FAULT_LOCKED:
	case FAULT_READ_ONLY: return "internal";
	}
	return "internal";
}

const char *fault_text(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return "done";
	case FAULT_LOGIN_NEEDED: return "the account must sign in again";
	case FAULT_UNKNOWN_ACCOUNT:
		return "not signed in, or not allowed for this user";
	case FAULT_WRONG_SERVER:
		return "the server does not belong to the account's provider";
	case FAULT_TRY_LATER: return "no token can be had at the moment";
	case FAULT_CONFIG_ERROR:
		return "the configuration of the helper is wrong";
	case FAULT_DENIED: return "this user may not ask for that";
	case FAULT_BAD_REQUEST:
		return "the helper did not understand the request";
	case FAULT_BUSY: return "the helper has too much to do";
	case FAULT_TIMEOUT: return "the time for an answer ran out";
	case FAULT_INTERNAL:
		return "something failed inside the helper; its log says what";
	case FAULT_NO_HELPER: return "no helper answers on the socket";
	case FAULT_UNTRUSTED: return "the socket belongs to somebody else";
	case FAULT_GARBLED: return "the helper's answer breaks the protocol";
	case FAULT_NOMEM: return "out of memory";
	case FAULT_GRAMMAR: return "a byte that is not allowed there";
	case FAULT_TOO_BIG: return "longer than the limit";
	case FAULT_IO: return "a system call failed";
	case FAULT_UNSAFE: return "a file has the wrong owner, mode or type";
	case FAULT_NOT_FOUND: return "no such thing";
	case FAULT_LOCKED: return "another process holds it";
	case FAULT_READ_ONLY: return "the keyring cannot be written";
	}
	return "unknown fault";
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
