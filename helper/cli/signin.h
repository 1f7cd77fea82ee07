/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin - what a human sees while the helper waits for the provider
 *
 * Owns the screen during a sign-in: link, code, picture, the time left.
 */
#ifndef MAILTOKEN_CLI_SIGNIN_H
#define MAILTOKEN_CLI_SIGNIN_H

#include "cli/command.h"

#define SIGNIN_LINK_BYTES 8192

struct signin {
	bool shown;	/* a code or a link is on the screen */
	bool prompted;	/* and below it a prompt, in place of the
				   time left */
	int64_t end_ms; /* when it lapses; clock of peerio_now_ms() */
	int64_t said_s; /* the time left that stands on the screen */
};

/*
 * signin_link - the most useful link of an event, printable ASCII; false
 * where it has none
 */
bool signin_link(const struct attrs *event, char link[SIGNIN_LINK_BYTES]);

/*
 * signin_show - a show-code or show-url event: a picture of the link where
 * all the rest stays on the screen below it, then the link and the code
 */
void signin_show(struct signin *signin, const char *account,
    const struct attrs *event);

/* signin_prompt - the words of an ask event for an address, and a prompt. */
void signin_prompt(struct signin *signin, const struct attrs *event);

/* signin_waiting - the time left, from a waiting event. */
void signin_waiting(struct signin *signin, const struct attrs *event);

/* signin_tick - bring the time left up to date. */
void signin_tick(struct signin *signin);

/* signin_wake_ms - when signin_tick() is due next. */
int64_t signin_wake_ms(const struct signin *signin);

/* signin_clear - take the time left off the screen. */
void signin_clear(struct signin *signin);

/* signin_done - what happens from now on. */
void signin_done(const struct command *command, const char *account,
    const struct attrs *done);

/* signin_catch_signals - let ^C and SIGTERM end the program with a sentence;
 * the kernel closes the connection, which cancels. */
void signin_catch_signals(void);

#endif
