/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests: what is understood is within the limits of the protocol, and
 * what is not comes back with a sentence.
 */
#include "daemon/request.h"

#include "fuzz.h"

const char fuzz_name[] = "request";

static void check_request(const struct request *request)
{
	FUZZ_CHECK(strlen(request->folded) == request->account.n);
	FUZZ_CHECK(request->account.n == 0 ||
	    attr_is_account(span_of(request->folded)));
	FUZZ_CHECK(request->server.n == 0 || attr_is_host(request->server));
	FUZZ_CHECK(request->service.n <= SERVICE_MAX_BYTES);
	FUZZ_CHECK(request->mechanism.n <= MECHANISM_MAX_BYTES);
	FUZZ_CHECK(request->challenge.n <= CHALLENGE_MAX_BYTES);
	FUZZ_CHECK(request->serial.n <= SERIAL_MAX_BYTES);
	FUZZ_CHECK(request->min_validity_s >= 0);
}

static void check(const struct attrs *attrs, enum request_needs needs)
{
	struct why why = { 0, "" };
	struct request request;
	enum fault fault = request_read(attrs, needs, &request, &why);

	if (fault == FAULT_NONE) {
		check_request(&request);
		FUZZ_CHECK(needs != NEEDS_ACCOUNT || request.account.n > 0);
		return;
	}
	FUZZ_CHECK(fault == FAULT_BAD_REQUEST);
	FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct attrs attrs;
	int needs;

	if (attr_parse(fuzz_span(bytes, n), WIRE_FIRST, &attrs) != FAULT_NONE)
		return 0;
	for (needs = NEEDS_NOTHING; needs <= ACCOUNT_OR_DUE; needs++)
		check(&attrs, (enum request_needs)needs);
	return 0;
}
