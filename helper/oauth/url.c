/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libcurl forgives what it can; what it would forgive in an endpoint is
 * refused before.
 */
#include "oauth/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "wire/attr.h"

#define SCHEME "https://"
#define CLEAR  "http://"

static bool has_scheme(const char *url, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(url, scheme, n) == 0 && url[n] != '/';
}

static enum fault host_of(const char *url, bool allowed, char **host_out)
{
	char *host = NULL, *port = NULL, *text = NULL, *p;
	CURLUcode code = CURLUE_UNSUPPORTED_SCHEME;
	enum fault fault = FAULT_GRAMMAR;
	CURLU *parsed = curl_url();

	if (allowed)
		code = curl_url_set(parsed, CURLUPART_URL, url,
		    CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
	if (code == CURLUE_OK)
		code = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(parsed, CURLUPART_PORT, &port,
		    CURLU_NO_DEFAULT_PORT);
	curl_url_cleanup(parsed);
	if (parsed == NULL || code == CURLUE_OUT_OF_MEMORY) {
		fault = FAULT_NOMEM;
	} else if ((code == CURLUE_OK || code == CURLUE_NO_PORT) &&
	    /* "[::1]" has been read; a name may have had anything in it. */
	    (host[0] == '[' || attr_is_host(span_of(host))) &&
	    (port == NULL || strcmp(port, "0") != 0)) {
		fault = FAULT_NONE;
		if (asprintf(&text, "%s%s%s", host, port != NULL ? ":" : "",
			port != NULL ? port : "") < 0)
			fault = FAULT_NOMEM;
	}
	curl_free(host);
	curl_free(port);
	if (fault)
		return fault;
	for (p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	*host_out = text;
	return FAULT_NONE;
}

enum fault url_host(const char *url, char **host_out)
{
	return host_of(url, has_scheme(url, SCHEME), host_out);
}

enum fault url_host_clear(const char *url, char **host_out)
{
	return host_of(url, has_scheme(url, SCHEME) || has_scheme(url, CLEAR),
	    host_out);
}

bool url_is_endpoint(const char *url)
{
	char *host = NULL;
	bool good = attr_is_token(span_of(url), URL_MAX_BYTES) &&
	    strchr(url, '#') == NULL && url_host(url, &host) == FAULT_NONE;

	free(host);
	return good;
}

/* host as url_host() gives it; its port is cut away. */
static bool is_loopback(char *host)
{
	struct in_addr address;

	if (strcmp(host, "[::1]") == 0 || strncmp(host, "[::1]:", 6) == 0)
		return true;
	host[strcspn(host, ":")] = '\0';
	return strcmp(host, "localhost") == 0 ||
	    (inet_pton(AF_INET, host, &address) == 1 &&
		ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

enum fault url_server(const char *url)
{
	bool clear = has_scheme(url, CLEAR);
	char *host = NULL;
	enum fault fault = url_host_clear(url, &host);

	if (fault == FAULT_NONE &&
	    (!attr_is_token(span_of(url), URL_MAX_BYTES) ||
		strpbrk(url + strlen(clear ? CLEAR : SCHEME), "/?#") != NULL))
		fault = FAULT_GRAMMAR;
	if (fault == FAULT_NONE && clear && !is_loopback(host))
		fault = FAULT_UNSAFE;
	free(host);
	return fault;
}

static struct span without_dot(struct span name)
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

/* Whether host is name, or below it. */
static bool matches(struct span host, struct span name, bool same, bool below)
{
	size_t head;

	host = without_dot(host);
	name = without_dot(name);
	head = host.n - name.n;
	if (name.n == 0 || host.n < name.n ||
	    strncasecmp(host.p + head, name.p, name.n) != 0)
		return false;
	return head == 0 ? same : below && head > 1 && host.p[head - 1] == '.';
}

bool url_is_in(struct span host, struct span domain)
{
	return matches(host, domain, true, true);
}

bool url_is_listed(struct span host, const char *list)
{
	struct span name;
	bool star;

	while ((name = span_next(&list)).n > 0) {
		star = name.n > 2 && memcmp(name.p, "*.", 2) == 0;
		if (star)
			name = (struct span){ name.p + 2, name.n - 2 };
		if (matches(host, name, !star, star))
			return true;
	}
	return false;
}
