/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hosts: of endpoints (RFC 3986 section 3.2), of the mail servers that may see
 * a token, and of the presets, by which an address or an endpoint is known.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/provider_impl.h"
#include "wire/attr.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_folded(struct span a, struct span b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

/* authority = host [ ":" port ]; a user name in front is refused. */
static bool split_authority(struct span authority, struct span *host_out,
    struct span *port_out)
{
	struct span host = authority, port = { "443", 3 };
	int64_t number;
	size_t i;

	if (host.n > 0 && host.p[0] == '[') {
		for (i = 1; i < host.n && host.p[i] != ']'; i++)
			if (strchr("0123456789abcdefABCDEF:.", host.p[i]) ==
			    NULL)
				return false;
		if (i < 3 || i == host.n)
			return false;
		i++;
	} else {
		for (i = 0; i < host.n && host.p[i] != ':'; i++)
			;
		if (!attr_is_host((struct span){ host.p, i }))
			return false;
	}
	if (i < host.n) {
		port = (struct span){ host.p + i + 1, host.n - i - 1 };
		if (host.p[i] != ':' || port.n > 5 ||
		    attr_number(port, 1, 65535, &number) != FAULT_NONE)
			return false;
		host.n = i;
	}
	*host_out = host;
	*port_out = port;
	return true;
}

static bool split_url(const char *url, struct span *authority_out,
    struct span *host_out, struct span *port_out)
{
	static const char scheme[] = "https://";

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authority_out->p = url + sizeof(scheme) - 1;
	authority_out->n = strcspn(authority_out->p, "/?#");
	return split_authority(*authority_out, host_out, port_out);
}

bool provider_is_url(const char *url)
{
	struct span authority, host, port;

	return attr_is_token(span_of(url), PROVIDER_URL_MAX_BYTES) &&
	    strchr(url, '#') == NULL &&
	    split_url(url, &authority, &host, &port);
}

enum fault provider_url_host(const char *url, char **host_out)
{
	struct span authority, host, port;
	char *text;
	size_t i;

	if (!split_url(url, &authority, &host, &port))
		return FAULT_GRAMMAR;
	text = calloc(1, authority.n + 1);
	if (text == NULL)
		return FAULT_NOMEM;
	for (i = 0; i < (span_is(port, "443") ? host.n : authority.n); i++)
		text[i] = lower(authority.p[i]);
	*host_out = text;
	return FAULT_NONE;
}

enum fault provider_token_host(const struct provider *provider, char **host_out)
{
	if (provider->token_endpoint == NULL)
		return FAULT_NOT_FOUND;
	return provider_url_host(provider->token_endpoint, host_out);
}

static struct span without_dot(struct span name)
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

/* Whether server is below domain; neither has a dot at its end. */
static bool is_below(struct span server, struct span domain)
{
	struct span tail;

	if (domain.n == 0 || server.n < domain.n + 2)
		return false;
	tail = (struct span){ server.p + server.n - domain.n, domain.n };
	return tail.p[-1] == '.' && same_folded(tail, domain);
}

static bool matches(struct span pattern, struct span server)
{
	pattern = without_dot(pattern);
	if (pattern.n > 2 && memcmp(pattern.p, "*.", 2) == 0)
		return is_below(server,
		    (struct span){ pattern.p + 2, pattern.n - 2 });
	return same_folded(pattern, server);
}

static bool in_list(const char *list, struct span server)
{
	size_t n;

	for (; list != NULL && *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n > 0 && matches((struct span){ list, n }, server))
			return true;
	}
	return false;
}

static bool is_in_or_below(struct span host, struct span domain)
{
	return same_folded(host, domain) || is_below(host, domain);
}

static bool in_account_domain(struct span account, struct span server)
{
	size_t i;

	for (i = account.n; i > 0; i--)
		if (account.p[i - 1] == '@')
			return is_in_or_below(server,
			    without_dot(
				(struct span){ account.p + i, account.n - i }));
	return false;
}

enum fault provider_add_server(struct provider *provider, const char *server,
    struct why *why)
{
	const char *name = strncmp(server, "*.", 2) == 0 ? server + 2 : server;

	if (!attr_is_host(span_of(name)) || name[0] == '.')
		return provider_bad(provider, "servers",
		    "has a name that is neither a host name nor '*.' and a "
		    "domain",
		    why);
	if (provider->n_servers == PROVIDER_SERVERS_MAX) {
		why_set(why, 0, "provider '%s': servers has more than %d names",
		    provider->name, PROVIDER_SERVERS_MAX);
		return FAULT_TOO_BIG;
	}
	if (provider_put(&provider->servers[provider->n_servers], server))
		return FAULT_NOMEM;
	provider->n_servers++;
	return FAULT_NONE;
}

bool provider_serves(const struct provider *provider, struct span account,
    const char *extra_servers, struct span server)
{
	size_t i;

	server = without_dot(server);
	if (!attr_is_host(server))
		return false;
	for (i = 0; i < provider->n_servers; i++)
		if (matches(span_of(provider->servers[i]), server))
			return true;
	if (in_list(extra_servers, server))
		return true;
	return provider->n_servers == 0 && in_account_domain(account, server);
}

static bool is_of(const struct preset *row, struct span domain, struct span mx)
{
	size_t i;

	for (i = 0;
	     domain.n > 0 && i < PRESET_DOMAINS_MAX && row->domains[i] != NULL;
	     i++)
		if (same_folded(domain, span_of(row->domains[i])))
			return true;
	for (i = 0; mx.n > 0 && i < PRESET_MX_MAX && row->mx[i] != NULL; i++)
		if (is_in_or_below(without_dot(mx), span_of(row->mx[i])))
			return true;
	return false;
}

const char *provider_known_by(struct span domain, struct span mx)
{
	const struct preset *row;
	size_t i;

	for (i = 0; (row = preset_at(i)) != NULL; i++)
		if (is_of(row, domain, mx))
			return row->name;
	return NULL;
}

/* Both are as provider_url_host() makes them. */
static bool is_token_host(const struct preset *row, const char *host)
{
	struct span authority, known, port;

	if (row->old_token_host != NULL &&
	    strcmp(row->old_token_host, host) == 0)
		return true;
	return row->token_endpoint != NULL &&
	    split_url(row->token_endpoint, &authority, &known, &port) &&
	    span_is(known, host);
}

const char *provider_preset_of(const char *host)
{
	const struct preset *row;
	size_t i;

	for (i = 0; (row = preset_at(i)) != NULL; i++)
		if (is_token_host(row, host))
			return row->name;
	return NULL;
}
