/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Profiles of providers.  The first line of the input is the preset, or
 * empty; the others are KEY=VALUE, with the keys "server", "extra" (a pair)
 * and "ask" (whether it serves that name) besides the profile's.  A profile
 * that can be finished has an https token endpoint on one host, or an issuer
 * that will tell it.
 */
#include "oauth/provider.h"
#include "oauth/url.h"

#include "fuzz.h"
#include "wire/attr.h"

const char fuzz_name[] = "provider";

static void check_url(const char *url)
{
	char *host = NULL, *again = NULL, text[512];

	if (url_host(url, &host) != FAULT_NONE)
		return;
	FUZZ_CHECK(host[0] != '\0' && fuzz_is_printable(host));
	FUZZ_CHECK(strpbrk(host, "/?#@\\ ") == NULL);
	FUZZ_CHECK((size_t)snprintf(text, sizeof(text), "https://%s/", host) <
	    sizeof(text));
	FUZZ_CHECK(url_host(text, &again) == FAULT_NONE);
	FUZZ_CHECK(strcmp(host, again) == 0);
	free(again);
	free(host);
}

static void set_line(struct provider *provider, char *line)
{
	struct why why = { 0, "" };
	char *value = strchr(line, '=');
	enum fault fault;

	if (value == NULL)
		return;
	*value++ = '\0';
	fault = provider_set(provider,
	    strcmp(line, "server") == 0 ? "servers" : line, value, &why);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GRAMMAR ||
	    fault == FAULT_NOT_FOUND);
	FUZZ_CHECK(fuzz_is_plain(why.text));
	check_url(value);
	if (strcmp(line, "ask") == 0)
		(void)provider_serves(provider, span_of("a@example.org"),
		    "*.more.example x.example", span_of(value));
}

static void check_finished(const struct provider *provider)
{
	char *host = NULL;

	FUZZ_CHECK(!provider_serves(provider, span_of("a@example.org"), NULL,
	    (struct span){ NULL, 0 }));
	if (provider->incomplete) {
		FUZZ_CHECK(url_host(provider->issuer, &host) == FAULT_NONE);
		free(host);
		return;
	}
	FUZZ_CHECK(provider->token_host != NULL);
	FUZZ_CHECK(provider->token_host[0] != '\0');
	FUZZ_CHECK(strncmp(provider->token_endpoint, "https://", 8) == 0);
	FUZZ_CHECK(fuzz_is_printable(provider->token_endpoint));
	FUZZ_CHECK(provider->scope != NULL);
	FUZZ_CHECK(provider->flow != FLOW_NONE || provider->untried);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span rest = fuzz_span(bytes, n);
	char *line = fuzz_string(fuzz_line(&rest));
	struct provider *provider = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	fault = provider_new("own", line[0] != '\0' ? line : NULL, &provider);
	free(line);
	if (fault != FAULT_NONE)
		return 0;
	while (rest.n > 0) {
		line = fuzz_string(fuzz_line(&rest));
		set_line(provider, line);
		free(line);
	}
	fault = provider_finish(provider, NULL, &why);
	if (fault == FAULT_NONE) {
		check_finished(provider);
	} else {
		FUZZ_CHECK(fault == FAULT_CONFIG_ERROR);
		FUZZ_CHECK(why.text[0] != '\0' && fuzz_is_plain(why.text));
	}
	provider_release(provider);
	return 0;
}
