/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * doctor - the way that a mail takes, link by link
 *
 * A check is a function of its own that looks at one link; it runs in a
 * process of its own, so that it may hang, give up rights or load what is
 * broken, side by side with those that do not need it.
 */
#ifndef MAILTOKEN_OPERATOR_DOCTOR_H
#define MAILTOKEN_OPERATOR_DOCTOR_H

#include "cli/command.h"
#include "operator/postfix.h"

enum verdict {
	VERDICT_GOOD,
	VERDICT_WRONG,
	VERDICT_NONE /* does not concern this machine */
};

/* Small enough for one write to a pipe (PIPE_BUF). */
struct finding {
	enum verdict verdict;
	char text[1500]; /* what was seen, one sentence */
	char type[1500]; /* what mends it, line by line; or empty */
};

/* What the checks share; all is there before the first one starts. */
struct doctor {
	struct command *command;
	const char *account; /* NULL: all that there are */
	bool has_postfix;
	struct postfix postfix;
};

/* check_fn - look, and fill the finding by one of these. */
typedef void check_fn(struct doctor *doctor, struct finding *finding);

void finding_good(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
void finding_none(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
void finding_wrong(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* finding_type - one more line to type, after finding_wrong(). */
void finding_type(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* A row: needs names the checks (words) without which this one is not run. */
struct check {
	const char *name, *needs;
	check_fn *look;
};

/* The checks by theme, in the order of a mail's way. */
check_fn doctor_helper, doctor_postfix;

verb_fn doctor_run;

#endif
