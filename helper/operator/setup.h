/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * setup - what all of mailtoken setup shares: what is done is said, what has
 * to be known is asked for, what is written is written whole
 *
 * Every part can be run again: it looks what is there, and does and says only
 * what is lacking.
 */
#ifndef MAILTOKEN_OPERATOR_SETUP_H
#define MAILTOKEN_OPERATOR_SETUP_H

#include <sys/types.h>

#include "cli/command.h"

struct setup {
	struct command *command;
	const char *account; /* NULL: none is named */
	bool dry_run;	     /* change nothing */
	bool yes;	     /* do not ask */
	bool root;	     /* the system's is set up, else this user's */
	bool changed;	     /* something was done, or would be */
	struct buf left;     /* by setup_left(), and how often */
	int n_left;
};

/*
 * setup_step - say what is done now, in the imperative, one line; false with
 * --dry-run, when that is all
 */
bool setup_step(struct setup *setup, const char *format, ...) PRINTF_LIKE(2, 3);

/* setup_left - what the reader has yet to do, one line; told at the end, by
 * setup_say_left(). */
void setup_left(struct setup *setup, const char *format, ...) PRINTF_LIKE(2, 3);
void setup_say_left(const struct setup *setup);

/*
 * setup_ask - a question for yes or no
 *
 * by_default  in: what an empty line means, and what is taken with --yes and
 *             --dry-run
 *
 * ANSWER_NONE: nobody can be asked; that was told.
 */
enum answer {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_NONE
} setup_ask(struct setup *setup, bool by_default, const char *format, ...)
    PRINTF_LIKE(3, 4);

/*
 * setup_input - a line that is typed
 *
 * out     in/out: empty; without the line's end, and without blanks around
 * what    in: what it is, as in "client id"
 * option  in: what gives it where nobody can be asked
 * usual   in: what an empty line means; NULL: it is asked for again;
 *         setup_hidden: likewise, and what is typed is not shown
 *
 * False when there is none, which was told.
 */
extern const char setup_hidden[];
bool setup_input(struct setup *setup, struct buf *out, const char *what,
    const char *option, const char *usual);

/*
 * setup_write - have a file with that content, mode and owner
 *
 * What was there is kept beside it as PATH.before-mailtoken-N, once a change; a
 * symbolic link is followed.  Does and says nothing when all is so already;
 * only says it with --dry-run.  It is on the disk, whole, when this returns.
 *
 * False when that cannot be, which was told.
 */
struct setup_file {
	const char *path;
	struct span content;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool overwrite; /* what was there is not kept */
	/* Whether the content, which stands in path, may have that name; it
	 * tells if not.  NULL: it may. */
	bool (*check)(const char *path, const char *name);
};
bool setup_write(struct setup *setup, const struct setup_file *file);

#endif
