/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of registration endpoints: what is taken can be sent in a form and
 * kept in the keyring.
 */
#include "oauth/issuer.h"

#include "fuzz.h"
#include "oauth/reply.h"

const char fuzz_name[] = "registration";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct provider *made = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	reply_setup();
	fault = issuer_read_client(fuzz_span(bytes, n), &made, &why);
	if (fault == FAULT_NONE) {
		FUZZ_CHECK(made->client_id[0] != '\0');
		FUZZ_CHECK(fuzz_is_printable(made->client_id));
		FUZZ_CHECK(made->client_secret == NULL ||
		    secret_bytes(made->client_secret) > 0);
	} else {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
		FUZZ_CHECK(made == NULL);
	}
	provider_release(made);
	return 0;
}
