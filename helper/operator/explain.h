/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * explain - what an error means, who must act, and how: the rows of
 * oauth/advice.conf and operator/explain.conf
 */
#ifndef MAILTOKEN_OPERATOR_EXPLAIN_H
#define MAILTOKEN_OPERATOR_EXPLAIN_H

#include "cli/command.h"

#define EXPLAIN_ACCOUNT	  "ACCOUNT" /* stands for it in type and click */
#define EXPLAIN_MAX_BYTES 4096	    /* of a text; the rest is not looked at */

/* Constant; each line of type is a command, none ends with a newline. */
struct explained {
	struct span name;     /* as mailtoken-errors(7) has it */
	struct span meaning;  /* one sentence without capital and full stop */
	struct span who;      /* "you", "relay admin", "tenant admin", "Exchange
				admin", "provider", "nobody": it passes */
	struct span type;     /* commands; may be empty, then click is not */
	struct span click;    /* what else to do, in words; may be empty */
	struct span page;     /* a URL or a manual page */
	bool click_first;     /* before type */
	const char *patterns; /* of explain.c */
};

/*
 * explain_find - what a line of a log, a server's reply or one of our sentences
 * means; false: nothing is known of it
 */
bool explain_find(struct span text, struct explained *out);

/*
 * explain_account - the account that such a text is about, safe to be typed
 * in a shell; empty where it names none.  Recipients and senders of messages
 * are none.
 */
struct span explain_account(struct span text);

/* explain_fill - append a text with the account, if any, for its word. */
void explain_fill(struct buf *out, struct span text, struct span account);

/*
 * explain_log - the end of the mail log: where Postfix writes it, else where
 * syslog mostly does, else of the journal
 *
 * config_dir  in: Postfix's; NULL: its own choice
 * bytes       in: about how much; whole lines
 * out         out: to be dropped
 * from        in/out: what it was, in words, is appended; may be NULL
 *
 * False: none can be read.
 */
bool explain_log(const char *config_dir, size_t bytes, struct buf *out,
    struct buf *from);

#endif
