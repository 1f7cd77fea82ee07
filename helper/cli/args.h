/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * args - options and words of a command line
 *
 * Long options only, "--name value" or "--name=value", in any order with the
 * words; "--" ends them.  Owns no storage: values point into argv, and the
 * words are moved to its beginning.
 */
#ifndef MAILTOKEN_CLI_ARGS_H
#define MAILTOKEN_CLI_ARGS_H

#include "wire/fault.h"

#define ARGS_LIST_MAX 32

struct args_list {
	size_t n;
	const char *at[ARGS_LIST_MAX];
};

/* As many as the system allows. */
struct args_words {
	size_t n;
	char **at;
};

/* Exactly one of the three addresses is set; it tells the kind. */
struct args_option {
	const char *name;	/* without the dashes */
	bool *flag;		/* takes no value */
	const char **value;	/* at most once */
	struct args_list *list; /* may be repeated */
};

struct args_table {
	const struct args_option *at;
	size_t n;
};

#define ARGS_TABLE(options) \
	((struct args_table){ (options), \
	    sizeof(options) / sizeof((options)[0]) })
#define ARGS_NONE ((struct args_table){ NULL, 0 })

struct args {
	int argc;
	char **argv; /* from the first one to read */
	struct args_table tables[2];
	bool first_word_ends;	 /* stop behind the first word */
	int used;		 /* out: how many were read */
	struct args_words words; /* out */
};

/*
 * args_parse - fill in the options and words.  FAULT_GRAMMAR, why having the
 * sentence.
 */
enum fault args_parse(struct args *args, struct why *why) MUST_CHECK;

#endif
