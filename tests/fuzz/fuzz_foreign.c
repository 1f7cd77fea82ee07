/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Token files of other programs: the first line is the token file, the rest
 * its defaults; what is taken is enough to renew, and no reason quotes it.
 */
#include "operator/foreign.h"

#include "fuzz.h"
#include "oauth/reply.h"

const char fuzz_name[] = "foreign";

static void check(struct foreign *foreign, enum fault fault,
    const struct why *why)
{
	size_t i;

	if (fault != FAULT_NONE) {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why->text[0] != '\0');
		FUZZ_CHECK(fuzz_is_printable(why->text));
	} else {
		FUZZ_CHECK(foreign->texts[FOREIGN_REFRESH_TOKEN] != NULL);
		FUZZ_CHECK(foreign->texts[FOREIGN_CLIENT_ID] != NULL);
		FUZZ_CHECK(foreign->texts[FOREIGN_TOKEN_ENDPOINT] != NULL);
		for (i = 0; i < FOREIGN_TEXTS; i++)
			FUZZ_CHECK(foreign->texts[i] == NULL ||
			    foreign->texts[i][0] != '\0');
		FUZZ_CHECK(foreign->margin_s >= 0);
		FUZZ_CHECK(foreign->margin_s <= FOREIGN_MARGIN_MAX_S);
	}
	foreign_drop(foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct foreign foreign;
	struct span defaults = fuzz_span(bytes, n);
	struct span token = fuzz_line(&defaults);
	struct why why = { 0, "" };

	reply_setup();
	check(&foreign, foreign_sasl_xoauth2(token, defaults, &foreign, &why),
	    &why);
	why.text[0] = '\0';
	check(&foreign,
	    foreign_mutt_oauth2(fuzz_span(bytes, n), &foreign, &why), &why);
	return 0;
}
