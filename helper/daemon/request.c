/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One pass over the list, with a table of what each attribute is.
 */
#include "daemon/request.h"

#include <stddef.h>

#include "store/keyring.h"

#define MIN_VALIDITY_MAX_S 86400

enum kind {
	BYTES,	   /* a span of at most max_bytes */
	HOST,	   /* ... which is the name of one */
	HOSTS,	   /* ... or of many, or *.suffix, with single blanks between */
	FLAG,	   /* yes or no */
	SECONDS,   /* 0..MIN_VALIDITY_MAX_S */
	FLOW,	   /* a word of oauth's */
	PROTOCOLS, /* "smtp,imap"; the words themselves are provider.c's */
};

#define AT(member) offsetof(struct request, member)

/* What any verb may bring; most are of use to a few. */
static const struct field {
	const char *name;
	enum kind kind;
	size_t at; /* in the request */
	size_t max_bytes;
} fields[] = {
	{ ATTR_ACCOUNT, BYTES, AT(account), WIRE_LINE_MAX_BYTES },
	{ ATTR_SERVER, HOST, AT(server), SERVER_MAX_BYTES },
	{ ATTR_SERVICE, BYTES, AT(service), SERVICE_MAX_BYTES },
	{ ATTR_MECHANISM, BYTES, AT(mechanism), MECHANISM_MAX_BYTES },
	{ ATTR_MIN_VALIDITY, SECONDS, AT(min_validity_s), 0 },
	{ ATTR_SERIAL, BYTES, AT(serial), SERIAL_MAX_BYTES },
	{ ATTR_CHALLENGE, BYTES, AT(challenge), CHALLENGE_MAX_BYTES },
	{ ATTR_PROVIDER, BYTES, AT(provider), SERVER_MAX_BYTES },
	{ ATTR_FLOW, FLOW, AT(flow), 0 },
	{ ATTR_ISSUER, BYTES, AT(issuer), 512 },
	{ ATTR_PROTOCOLS, PROTOCOLS, AT(protocols), 0 },
	{ ATTR_MX, BYTES, AT(mx), 1024 },
	{ ATTR_SERVERS, HOSTS, AT(servers), 4096 },
	{ ATTR_AS_DELEGATE, FLAG, AT(as_delegate), 0 },
	{ ATTR_REVOKE, FLAG, AT(revoke), 0 },
	{ ATTR_KEEP_LOCAL, FLAG, AT(keep_local), 0 },
	{ ATTR_DUE, FLAG, AT(due), 0 },
	{ ATTR_FORMAT, BYTES, AT(format), SERVICE_MAX_BYTES },
	{ ATTR_REPLACE, FLAG, AT(replace), 0 },
};

static const struct field *find_field(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (span_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}

static bool is_serial(struct span serial)
{
	size_t i;

	for (i = 0; i < serial.n; i++)
		if (serial.p[i] == '\0' ||
		    strchr("0123456789abcdef", serial.p[i]) == NULL)
			return false;
	return serial.n > 0;
}

/* A server list becomes part of a record, so each name is checked here. */
static bool are_hosts(struct span servers)
{
	const char *end = servers.p + servers.n, *blank;
	struct span host = servers;

	for (;; host.p = blank + 1) {
		host.n = (size_t)(end - host.p);
		blank = host.n > 0 ? memchr(host.p, ' ', host.n) : NULL;
		if (blank != NULL)
			host.n = (size_t)(blank - host.p);
		if (host.n > 2 && memcmp(host.p, "*.", 2) == 0) {
			host.p += 2;
			host.n -= 2;
		}
		if (!attr_is_host(host))
			return false;
		if (blank == NULL)
			return true;
	}
}

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_BAD_REQUEST;
}

static enum fault read_bytes(const struct field *field, struct span value,
    struct span *to, struct why *why)
{
	if (value.n > field->max_bytes) {
		why_set(why, 0, "%s is longer than %zu bytes", field->name,
		    field->max_bytes);
		return FAULT_BAD_REQUEST;
	}
	if (field->kind == HOST && value.n > 0 && !attr_is_host(value))
		return bad(why, "server is not a host name");
	if (field->kind == HOSTS && value.n > 0 && !are_hosts(value))
		return bad(why,
		    "servers is a list of host names, or *.suffix, separated "
		    "by one blank");
	*to = value;
	return FAULT_NONE;
}

static enum fault read_protocols(struct span value, char *to, struct why *why)
{
	size_t i;

	if (value.n >= REQUEST_PROTOCOLS_BYTES)
		return bad(why, "protocols is one or more of smtp, imap, pop");
	for (i = 0; i < value.n; i++)
		to[i] = value.p[i] == ',' ? ' ' : value.p[i];
	return FAULT_NONE;
}

static enum fault read_field(const struct field *field, struct span value,
    struct request *request, struct why *why)
{
	void *to = (char *)request + field->at;

	switch (field->kind) {
	case BYTES:
	case HOST:
	case HOSTS: return read_bytes(field, value, to, why);
	case FLAG:
		*(bool *)to = span_is(value, "yes");
		if (*(bool *)to || span_is(value, "no"))
			return FAULT_NONE;
		why_set(why, 0, "%s is yes or no", field->name);
		return FAULT_BAD_REQUEST;
	case SECONDS:
		if (attr_number(value, 0, MIN_VALIDITY_MAX_S, to) == FAULT_NONE)
			return FAULT_NONE;
		why_set(why, 0,
		    "min-validity is a number of seconds from 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return FAULT_BAD_REQUEST;
	case FLOW:
		return flow_kind_from_word(value, to) == FAULT_NONE ?
		    FAULT_NONE :
		    bad(why,
			"there is no such flow: there are device, browser, "
			"client-credentials and service-account, and with the "
			"first two somebody signs in");
	case PROTOCOLS: return read_protocols(value, to, why);
	}
	return FAULT_NONE;
}

/* What the verb needs is there, and the account is one. */
static enum fault check(enum request_needs needs, struct request *request,
    const struct attrs *attrs, struct why *why)
{
	bool named = attr_has(attrs, ATTR_ACCOUNT);

	if (needs == NEEDS_NOTHING)
		request->account.n = 0;
	else if (!named && (needs == NEEDS_ACCOUNT || needs == NEEDS_SERIAL))
		return bad(why, "the request names no account");
	else if (named &&
	    keyring_fold(request->account, request->folded) != FAULT_NONE) {
		why_set(why, 0,
		    "an account is 1 to %d bytes of UTF-8 without control "
		    "characters",
		    ACCOUNT_MAX_BYTES);
		return FAULT_BAD_REQUEST;
	}
	if (needs == NEEDS_SERIAL && !is_serial(request->serial))
		return bad(why, "serial is missing or not a serial");
	if (needs == ACCOUNT_OR_DUE && request->due == (request->account.n > 0))
		return bad(why, "refresh takes an account, or due=yes");
	return FAULT_NONE;
}

enum fault request_read(const struct attrs *attrs, enum request_needs needs,
    struct request *request_out, struct why *why)
{
	struct request request = { .revoke = true, .flow = FLOW_NONE };
	const struct field *field;
	enum fault fault;
	size_t i;

	for (i = 0; i < attrs->n; i++) {
		field = find_field(attrs->at[i].name);
		if (field == NULL)
			continue;
		fault = read_field(field, attrs->at[i].value, &request, why);
		if (fault != FAULT_NONE)
			return fault;
	}
	fault = check(needs, &request, attrs, why);
	if (fault == FAULT_NONE)
		*request_out = request;
	return fault;
}
