/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of the helper.
 */
#include "cli/talk.h"
#include "operator/doctor.h"

void doctor_helper(struct doctor *doctor, struct finding *finding)
{
	enum fault fault;
	struct talk talk;

	talk_begin(&talk, doctor->command, VERB_VERSION, NULL);
	talk.as_it_is = true;
	fault = talk_open(&talk);
	if (fault == FAULT_NONE)
		fault = talk_next(&talk, ask_now_ms() + STEP_MAX_MS);
	if (fault)
		finding_wrong(finding, "no helper answers at %s: %s",
		    doctor->command->address.path, why_text(&talk.why, fault));
	else
		finding_good(finding, "mailtokend %.*s answers at %s",
		    SPAN(attr_get(&talk.list, ATTR_VERSION)),
		    doctor->command->address.path);
	if (fault && doctor->command->helper == COMMAND_SYSTEM)
		finding_type(finding, "systemctl restart mailtokend.service");
	talk_close(&talk);
}
