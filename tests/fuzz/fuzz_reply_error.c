/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Error answers, and the advice that follows from them: short printable
 * texts whatever was sent.
 */
#include "oauth/advice.h"

#include "fuzz.h"

const char fuzz_name[] = "reply_error";

static void check_text(const char *text, size_t room)
{
	FUZZ_CHECK(strnlen(text, room) < room);
	FUZZ_CHECK(fuzz_is_printable(text));
}

static void check_error(const struct reply_error *error)
{
	size_t i;

	check_text(error->error, sizeof(error->error));
	check_text(error->description, sizeof(error->description));
	check_text(error->suberror, sizeof(error->suberror));
	check_text(error->correlation_id, sizeof(error->correlation_id));
	check_text(error->trace_id, sizeof(error->trace_id));
	FUZZ_CHECK(error->n_codes <= REPLY_ERRORS_MAX);
	for (i = 0; i < error->n_codes; i++)
		FUZZ_CHECK(error->codes[i] > 0);
}

static void check_advice(const struct reply_error *error)
{
	static const struct provider servers[] = {
		{ .family = PROVIDER_MICROSOFT },
		{ .family = PROVIDER_STANDARD },
	};
	char text[200];
	size_t i;

	for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		advice_text(&servers[i], 400, error, text, sizeof(text));
		check_text(text, sizeof(text));
		FUZZ_CHECK(text[0] != '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct reply_error error;
	enum fault fault;

	reply_setup();
	fault = reply_error_parse(fuzz_span(bytes, n), NULL, &error);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GARBLED);
	FUZZ_CHECK((fault == FAULT_NONE) == (error.error[0] != '\0'));
	check_error(&error);
	check_advice(&error);
	return 0;
}
