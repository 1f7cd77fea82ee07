/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a server says of itself: the first line is the issuer, the rest the
 * document; every endpoint that is taken can be asked.
 */
#include "oauth/discovery.h"

#include "fuzz.h"
#include "oauth/reply.h"

const char fuzz_name[] = "discovery";

static void check_endpoint(const char *url)
{
	char *host = NULL;

	if (url == NULL)
		return;
	FUZZ_CHECK(fuzz_is_printable(url) && strchr(url, '#') == NULL);
	FUZZ_CHECK(provider_url_host(url, &host) == FAULT_NONE);
	free(host);
}

static void check_document(struct span body, const char *issuer)
{
	struct discovery found = { 0 };
	struct why why = { 0, "" };
	enum fault fault;

	fault = discovery_parse(body, issuer, &found, &why);
	if (fault != FAULT_NONE) {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
		FUZZ_CHECK(found.issuer == NULL);
		return;
	}
	FUZZ_CHECK(strcmp(found.issuer, issuer) == 0);
	FUZZ_CHECK(found.token_endpoint != NULL);
	check_endpoint(found.authorization_endpoint);
	check_endpoint(found.token_endpoint);
	check_endpoint(found.device_authorization_endpoint);
	check_endpoint(found.revocation_endpoint);
	check_endpoint(found.registration_endpoint);
	FUZZ_CHECK(found.scopes_supported == NULL ||
	    fuzz_is_printable(found.scopes_supported));
	discovery_drop(&found);
}

static void check_place(const char *issuer, enum discovery_form form)
{
	char *url = NULL;
	enum fault fault = discovery_url(issuer, form, &url);

	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GRAMMAR);
	FUZZ_CHECK((fault == FAULT_NONE) == (url != NULL));
	FUZZ_CHECK(url == NULL || strstr(url, "/.well-known/") != NULL);
	free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span body = fuzz_span(bytes, n);
	char *issuer = fuzz_string(fuzz_line(&body));

	reply_setup();
	check_place(issuer, DISCOVERY_OPENID);
	check_place(issuer, DISCOVERY_RFC8414);
	check_document(body, issuer);
	free(issuer);
	return 0;
}
