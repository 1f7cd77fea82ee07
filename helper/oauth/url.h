/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * url - addresses of endpoints (RFC 3986), and names of hosts
 *
 * An address is read by the libcurl that goes there, so that the host that is
 * compared is the one that is asked.  Letters' case and one dot at the end of
 * a name do not matter.
 */
#ifndef MAILTOKEN_OAUTH_URL_H
#define MAILTOKEN_OAUTH_URL_H

#include "wire/fault.h"
#include "wire/span.h"

#define URL_MAX_BYTES 2048

/*
 * url_host - host of an https URL, lower case, and its port unless 443
 * ("login.example", "localhost:8443", "[::1]"); the caller's, for free()
 *
 * FAULT_GRAMMAR for another scheme, a user name, a host that can be none;
 * FAULT_NOMEM.
 */
enum fault url_host(const char *url, char **host_out) MUST_CHECK;

/* url_host_clear - the same; http:// will do as well (port unless 80). */
enum fault url_host_clear(const char *url, char **host_out) MUST_CHECK;

/*
 * url_is_endpoint - whether it can be one: what url_host() takes, at most
 * URL_MAX_BYTES of printable ASCII, no fragment
 */
bool url_is_endpoint(const char *url);

/*
 * url_server - whether it is "https://HOST[:PORT]" with nothing behind; or with
 * http, to a loopback address
 *
 * FAULT_GRAMMAR; FAULT_UNSAFE for http to another address; FAULT_NOMEM.
 */
enum fault url_server(const char *url) MUST_CHECK;

/* url_is_in - whether host is domain or a name below it. */
bool url_is_in(struct span host, struct span domain);

/*
 * url_is_listed - whether host is one of list: names with blanks between them;
 * "*.x" stands for all below x, not for x.  NULL is an empty list.
 */
bool url_is_listed(struct span host, const char *list);

#endif
