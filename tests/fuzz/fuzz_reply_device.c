/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of device endpoints: what is taken is an https address, a code to
 * type, and a pace.
 */
#include "oauth/reply.h"

#include <strings.h>

#include "fuzz.h"
#include "wire/attr.h"

const char fuzz_name[] = "reply_device";

static bool is_uri(const char *uri)
{
	return strncasecmp(uri, "https://", 8) == 0 &&
	    attr_is_token(span_of(uri), 4096);
}

static void check_device(const struct reply_device *device)
{
	FUZZ_CHECK(device->device_code != NULL);
	FUZZ_CHECK(attr_is_token(secret_reveal(device->device_code, "checked"),
	    REFRESH_TOKEN_MAX_BYTES));
	FUZZ_CHECK(device->user_code[0] != '\0');
	FUZZ_CHECK(fuzz_is_printable(device->user_code));
	FUZZ_CHECK(is_uri(device->verification_uri));
	FUZZ_CHECK(device->verification_uri_complete == NULL ||
	    is_uri(device->verification_uri_complete));
	FUZZ_CHECK(device->expires_in_s >= 1);
	FUZZ_CHECK(device->expires_in_s <= REPLY_EXPIRES_IN_MAX_S);
	FUZZ_CHECK(device->interval_s >= 1 && device->interval_s <= 3600);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct reply_device device = { 0 };
	struct why why = { 0, "" };
	enum fault fault;

	reply_setup();
	fault = reply_device_parse(fuzz_span(bytes, n), NULL, &device, &why);
	if (fault == FAULT_NONE) {
		check_device(&device);
	} else {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
		FUZZ_CHECK(device.device_code == NULL);
	}
	reply_device_drop(&device);
	return 0;
}
