/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of Postfix's settings.
 */
#include "cli/screen.h"
#include "operator/doctor.h"

void doctor_postfix(struct doctor *doctor, struct finding *finding)
{
	const struct postfix *postfix = &doctor->postfix;

	if (!doctor->has_postfix) {
		finding_none(finding, "there is no Postfix here");
	} else if (!postfix_is(postfix, "smtp_sasl_auth_enable")) {
		finding_wrong(finding,
		    "Postfix does not log in at other servers: "
		    "smtp_sasl_auth_enable is not yes");
		finding_type(finding,
		    "postconf -e smtp_sasl_auth_enable=yes && postfix reload");
	} else {
		finding_good(finding,
		    "Postfix logs in at other servers; smtp(8) is %schrooted, "
		    "mechanisms: %.*s",
		    postfix_chrooted(postfix, "smtp") ? "" : "not ",
		    SPAN(postfix_value(postfix, "smtp_sasl_mechanism_filter")));
	}
}
