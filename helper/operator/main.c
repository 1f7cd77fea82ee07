/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken-operator: what mailtoken does not do itself.  It is executed with
 * the same arguments, and says what mailtoken would.
 */
#include "cli/screen.h"
#include "oauth/reply.h"
#include "operator/doctor.h"
#include "operator/run.h"
#include "operator/verbs.h"

static const struct {
	const char *name;
	verb_fn *run;
} verbs[] = {
	{ "doctor", doctor_run },
	{ "explain", explain_run },
	{ "import", import_foreign },
	{ "metrics", serve_metrics },
	{ "setup", setup_run },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int main(int argc, char **argv)
{
	struct command command;
	enum outcome outcome;
	struct why why;
	size_t i;

	if (argc < 1)
		return OUTCOME_NO;
	screen_init();
	reply_setup();
	if (command_parse(&command, argc, argv, &why) != FAULT_NONE)
		return (int)command_usage(&command, why.text);
	for (i = 0; i < VERBS && command.verb != NULL; i++)
		if (strcmp(command.verb, verbs[i].name) == 0)
			break;
	if (i == VERBS || command.verb == NULL)
		return (int)command_usage(&command,
		    "this program is run by mailtoken");
	run_setup();
	outcome = verbs[i].run(&command);
	screen_flush();
	return (int)outcome;
}
