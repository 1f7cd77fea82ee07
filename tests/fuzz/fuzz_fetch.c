/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of a helper, in the plugin: a token that is taken can be sent, and
 * every refusal is one sentence.  What reads them is not exported, so the
 * source itself is part of this program.
 */
#include "fetch.c"
#include "response.h"

#include "fuzz.h"

const char fuzz_name[] = "fetch";

static void check_fetched(const struct fetched *fetched)
{
	struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct span token = secret_reveal(fetched->token, "checked");

	FUZZ_CHECK(strlen(fetched->serial) <= SERIAL_MAX_BYTES);
	FUZZ_CHECK(attr_is_login(span_of(fetched->login)));
	FUZZ_CHECK(response_xoauth2(span_of(fetched->login), token, &out) ==
	    FAULT_NONE);
	buf_drop(&out);
	FUZZ_CHECK(response_oauthbearer(span_of(fetched->login), token, &out) ==
	    FAULT_NONE);
	buf_drop(&out);
}

static void check_refusal(const struct talk *talk,
    const struct question *question)
{
	struct why why = { 0, "" };

	say(talk, NULL, question, &why);
	FUZZ_CHECK(strncmp(why.text, "mailtoken: ", 11) == 0);
	FUZZ_CHECK(fuzz_is_printable(why.text));
	FUZZ_CHECK(fetch_code(talk->fault) != SASL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct question question = { "alice@example.org",
		"mail.example.org", "smtp", "XOAUTH2" };
	struct talk talk = { .address = { .path = "/run/socket" },
		.answered = true };
	struct fetched fetched = { .token = NULL };

	if (attr_parse(fuzz_span(bytes, n), WIRE_FIRST, &talk.attrs) !=
	    FAULT_NONE)
		return 0;
	talk.fault = ask_result(&talk.attrs);
	if (talk.fault == FAULT_GARBLED)
		talk.answered = false;
	if (talk.fault == FAULT_NONE)
		talk.fault = take_answer(&talk, &question, &fetched);
	if (talk.fault == FAULT_NONE)
		check_fetched(&fetched);
	else
		check_refusal(&talk, &question);
	fetch_drop(&fetched);
	return 0;
}
