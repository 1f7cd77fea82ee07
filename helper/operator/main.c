/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken-operator: what mailtoken does not do itself.  It is executed with
 * the same arguments, and says what mailtoken would.
 */
#include "cli/screen.h"
#include "oauth/reply.h"
#include "operator/import.h"

int main(int argc, char **argv)
{
	struct command command;
	enum outcome outcome;
	struct why why;

	if (argc < 1)
		return OUTCOME_NO;
	screen_init();
	reply_setup();
	if (command_parse(&command, argc, argv, &why) != FAULT_NONE)
		return (int)command_usage(&command, why.text);
	if (command.verb == NULL || strcmp(command.verb, "import") != 0)
		return (int)command_usage(&command,
		    "this program is run by mailtoken");
	outcome = import_foreign(&command);
	screen_flush();
	return (int)outcome;
}
