/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A reader of options that can be given two tables, so that the options of
 * the command may stand before or behind the verb; getopt_long cannot.
 */
#include "cli/args.h"

static const struct args_option *find(const struct args *args, struct span name)
{
	size_t t, i;

	for (t = 0; t < 2; t++)
		for (i = 0; i < args->tables[t].n; i++)
			if (span_is(name, args->tables[t].at[i].name))
				return &args->tables[t].at[i];
	return NULL;
}

static enum fault take_value(const struct args_option *option,
    const char *value, struct why *why)
{
	if (option->list != NULL && option->list->n == ARGS_LIST_MAX) {
		why_set(why, 0, "--%s stands more than %d times", option->name,
		    ARGS_LIST_MAX);
		return FAULT_GRAMMAR;
	}
	if (option->list != NULL) {
		option->list->at[option->list->n++] = value;
		return FAULT_NONE;
	}
	if (*option->value != NULL) {
		why_set(why, 0, "--%s stands twice", option->name);
		return FAULT_GRAMMAR;
	}
	*option->value = value;
	return FAULT_NONE;
}

/* argv[used] begins with two dashes and more. */
static enum fault take_option(struct args *args, struct why *why)
{
	const char *arg = args->argv[args->used++];
	const char *eq = strchr(arg, '=');
	struct span name = { arg + 2, strlen(arg + 2) };
	const struct args_option *option;

	if (eq != NULL)
		name.n = (size_t)(eq - name.p);
	option = find(args, name);
	if (option == NULL) {
		why_set(why, 0, "there is no option --%.*s", (int)name.n,
		    name.p);
		return FAULT_GRAMMAR;
	}
	if (option->flag != NULL) {
		if (eq != NULL) {
			why_set(why, 0, "--%s takes no value", option->name);
			return FAULT_GRAMMAR;
		}
		*option->flag = true;
		return FAULT_NONE;
	}
	if (eq != NULL)
		return take_value(option, eq + 1, why);
	if (args->used == args->argc) {
		why_set(why, 0, "--%s needs a value", option->name);
		return FAULT_GRAMMAR;
	}
	return take_value(option, args->argv[args->used++], why);
}

enum fault args_parse(struct args *args, struct why *why)
{
	bool only_words = false;
	enum fault fault = FAULT_NONE;

	args->used = 0;
	args->words = (struct args_words){ .at = args->argv };
	while (args->used < args->argc) {
		char *arg = args->argv[args->used];

		if (!only_words && strcmp(arg, "--") == 0) {
			only_words = true;
			args->used++;
			continue;
		}
		if (!only_words && arg[0] == '-' && arg[1] == '-') {
			fault = take_option(args, why);
		} else if (!only_words && strcmp(arg, "-h") == 0) {
			static char help[] = "--help";

			args->argv[args->used] = help;
			fault = take_option(args, why);
		} else if (!only_words && arg[0] == '-' && arg[1] != '\0') {
			why_set(why, 0, "there is no option %s", arg);
			fault = FAULT_GRAMMAR;
		} else {
			args->used++;
			args->words.at[args->words.n++] = arg;
		}
		if (fault != FAULT_NONE)
			return fault;
		if (args->first_word_ends && args->words.n > 0)
			break;
	}
	return FAULT_NONE;
}
