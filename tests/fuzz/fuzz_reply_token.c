/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of token endpoints, id_token included: what is taken can be sent
 * to a mail server, kept in the keyring and shown.
 */
#include "oauth/reply.h"

#include "fuzz.h"
#include "wire/attr.h"

const char fuzz_name[] = "reply_token";

static void check_secret(const struct secret *secret, size_t max_bytes)
{
	if (secret != NULL)
		FUZZ_CHECK(
		    attr_is_token(secret_reveal(secret, "checked"), max_bytes));
}

static void check_token(const struct reply_token *token)
{
	FUZZ_CHECK(token->access_token != NULL);
	check_secret(token->access_token, ACCESS_TOKEN_MAX_BYTES);
	check_secret(token->refresh_token, REFRESH_TOKEN_MAX_BYTES);
	FUZZ_CHECK(token->scope == NULL || fuzz_is_printable(token->scope));
	FUZZ_CHECK(token->identity == NULL ||
	    (token->identity[0] != '\0' && fuzz_is_plain(token->identity)));
	FUZZ_CHECK(token->expires_in_s >= 1);
	FUZZ_CHECK(token->expires_in_s <= REPLY_EXPIRES_IN_MAX_S);
	FUZZ_CHECK(token->refresh_in_s >= 0);
	FUZZ_CHECK(token->refresh_in_s <= REPLY_EXPIRES_IN_MAX_S);
	FUZZ_CHECK(token->refresh_expires_in_s >= 0);
	FUZZ_CHECK(token->refresh_expires_in_s <= REPLY_EXPIRES_IN_MAX_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct reply_token token = { 0 };
	struct why why = { 0, "" };
	enum fault fault;

	reply_setup();
	fault = reply_token_parse(fuzz_span(bytes, n), NULL, &token, &why);
	if (fault == FAULT_NONE) {
		check_token(&token);
	} else {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
		FUZZ_CHECK(token.access_token == NULL);
	}
	reply_token_drop(&token);
	return 0;
}
