/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a server says of itself: the first line is the issuer, the rest the
 * document; every endpoint that is taken can be asked.
 */
#include "oauth/issuer.h"

#include "fuzz.h"
#include "oauth/reply.h"
#include "oauth/url.h"

const char fuzz_name[] = "discovery";

static void check_endpoint(const char *url)
{
	char *host = NULL;

	if (url == NULL)
		return;
	FUZZ_CHECK(fuzz_is_printable(url) && strchr(url, '#') == NULL);
	FUZZ_CHECK(url_host(url, &host) == FAULT_NONE);
	free(host);
}

static void check_document(struct span body, const char *issuer)
{
	struct provider *found = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	fault = issuer_read_metadata(body, issuer, &found, &why);
	if (fault != FAULT_NONE) {
		FUZZ_CHECK(fault == FAULT_GARBLED);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_printable(why.text));
		FUZZ_CHECK(found == NULL);
		return;
	}
	FUZZ_CHECK(found->token_endpoint != NULL);
	check_endpoint(found->authorization_endpoint);
	check_endpoint(found->token_endpoint);
	check_endpoint(found->device_authorization_endpoint);
	check_endpoint(found->revocation_endpoint);
	check_endpoint(found->registration_endpoint);
	FUZZ_CHECK(found->scopes_supported == NULL ||
	    fuzz_is_printable(found->scopes_supported));
	provider_release(found);
}

static void check_place(const char *issuer, enum issuer_place place)
{
	struct buf url = BUF_INIT(URL_MAX_BYTES + 64);

	FUZZ_CHECK(issuer_place(issuer, place, &url) == FAULT_NONE);
	FUZZ_CHECK(strstr(url.p, "/.well-known/") != NULL);
	buf_drop(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span body = fuzz_span(bytes, n);
	char *issuer = fuzz_string(fuzz_line(&body));

	reply_setup();
	if (url_is_endpoint(issuer) && strchr(issuer, '?') == NULL) {
		check_place(issuer, ISSUER_OPENID);
		check_place(issuer, ISSUER_RFC8414);
		check_document(body, issuer);
	}
	free(issuer);
	return 0;
}
