/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One table of verbs and what each needs; one function a kind of value.
 */
#include "daemon/request.h"

#include "store/keyring.h"

#define MIN_VALIDITY_MAX_S 86400
#define SERVERS_MAX_BYTES  4096
#define ISSUER_MAX_BYTES   512
#define MX_MAX_BYTES	   1024
#define COUNT(array)	   (sizeof(array) / sizeof((array)[0]))

enum need {
	ACCOUNT_NEVER,
	ACCOUNT_MAYBE,
	ACCOUNT_MUST
};

static const struct verb_row {
	const char *word;
	enum request_verb verb;
	enum need account;
} verbs[] = {
	{ VERB_TOKEN, REQUEST_TOKEN, ACCOUNT_MUST },
	{ VERB_REJECTED, REQUEST_REJECTED, ACCOUNT_MUST },
	{ VERB_SIGN_IN, REQUEST_SIGN_IN, ACCOUNT_MUST },
	{ VERB_FORGET, REQUEST_FORGET, ACCOUNT_MUST },
	{ VERB_STATUS, REQUEST_STATUS, ACCOUNT_MAYBE },
	{ VERB_WATCH, REQUEST_WATCH, ACCOUNT_MAYBE },
	{ VERB_REFRESH, REQUEST_REFRESH, ACCOUNT_MAYBE },
	{ VERB_IMPORT, REQUEST_IMPORT, ACCOUNT_MAYBE },
	{ VERB_EXPORT, REQUEST_EXPORT, ACCOUNT_MAYBE },
	{ VERB_REKEY, REQUEST_REKEY, ACCOUNT_MUST },
	{ VERB_RELOAD, REQUEST_RELOAD, ACCOUNT_NEVER },
	{ VERB_VERSION, REQUEST_VERSION, ACCOUNT_NEVER },
};

const char *request_verb_word(enum request_verb verb)
{
	return verbs[verb].word;
}

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_BAD_REQUEST;
}

static const struct verb_row *find_verb(struct span word)
{
	size_t i;

	for (i = 0; i < COUNT(verbs); i++)
		if (span_is(word, verbs[i].word))
			return &verbs[i];
	return NULL;
}

static enum fault read_account(const struct attrs *attrs, enum need need,
    struct request *request, struct why *why)
{
	if (need == ACCOUNT_NEVER || !attr_has(attrs, ATTR_ACCOUNT)) {
		if (need != ACCOUNT_MUST)
			return FAULT_NONE;
		return bad(why, "the request names no account");
	}
	request->account = attr_get(attrs, ATTR_ACCOUNT);
	if (keyring_fold(request->account, request->folded) != FAULT_NONE) {
		why_set(why, 0,
		    "an account is 1 to %d bytes of UTF-8 without control "
		    "characters",
		    ACCOUNT_MAX_BYTES);
		return FAULT_BAD_REQUEST;
	}
	return FAULT_NONE;
}

static enum fault read_span(const struct attrs *attrs, const char *name,
    size_t max_bytes, struct span *span, struct why *why)
{
	*span = attr_get(attrs, name);
	if (span->n <= max_bytes)
		return FAULT_NONE;
	why_set(why, 0, "%s is longer than %zu bytes", name, max_bytes);
	return FAULT_BAD_REQUEST;
}

static enum fault read_flag(const struct attrs *attrs, const char *name,
    bool *flag, struct why *why)
{
	if (!attr_has(attrs, name))
		return FAULT_NONE;
	if (!attr_is(attrs, name, "yes") && !attr_is(attrs, name, "no")) {
		why_set(why, 0, "%s is yes or no", name);
		return FAULT_BAD_REQUEST;
	}
	*flag = attr_is(attrs, name, "yes");
	return FAULT_NONE;
}

static bool is_serial(struct span serial)
{
	size_t i;

	for (i = 0; i < serial.n; i++)
		if (serial.p[i] == '\0' ||
		    strchr("0123456789abcdef", serial.p[i]) == NULL)
			return false;
	return serial.n > 0 && serial.n <= SERIAL_MAX_BYTES;
}

/* A server list becomes part of a record, so each name is checked here. */
static bool are_hosts(struct span servers)
{
	const char *blank;
	struct span host;

	for (;;) {
		blank = memchr(servers.p, ' ', servers.n);
		host = servers;
		if (blank != NULL)
			host.n = (size_t)(blank - servers.p);
		servers.n -= host.n;
		servers.p += host.n;
		if (host.n > 2 && memcmp(host.p, "*.", 2) == 0) {
			host.p += 2;
			host.n -= 2;
		}
		if (!attr_is_host(host))
			return false;
		if (blank == NULL)
			return true;
		servers.n--;
		servers.p++;
	}
}

/* "smtp,imap" or "smtp imap"; the words themselves are provider.c's. */
static enum fault read_protocols(const struct attrs *attrs,
    struct request *request, struct why *why)
{
	struct span text = attr_get(attrs, ATTR_PROTOCOLS);
	size_t i;

	if (text.n >= sizeof(request->protocols))
		return bad(why, "protocols is one or more of smtp, imap, pop");
	for (i = 0; i < text.n; i++)
		request->protocols[i] = text.p[i] == ',' ? ' ' : text.p[i];
	return FAULT_NONE;
}

/* What any verb may bring; most are of use to a few. */
static enum fault read_values(const struct attrs *attrs,
    struct request *request, struct why *why)
{
	const struct {
		const char *name;
		size_t max_bytes;
		struct span *span;
	} spans[] = {
		{ ATTR_SERVER, SERVER_MAX_BYTES, &request->server },
		{ ATTR_SERVICE, SERVICE_MAX_BYTES, &request->service },
		{ ATTR_MECHANISM, MECHANISM_MAX_BYTES, &request->mechanism },
		{ ATTR_SERIAL, SERIAL_MAX_BYTES, &request->serial },
		{ ATTR_CHALLENGE, CHALLENGE_MAX_BYTES, &request->challenge },
		{ ATTR_PROVIDER, SERVER_MAX_BYTES, &request->provider },
		{ ATTR_SERVERS, SERVERS_MAX_BYTES, &request->servers },
		{ ATTR_ISSUER, ISSUER_MAX_BYTES, &request->issuer },
		{ ATTR_MX, MX_MAX_BYTES, &request->mx },
		{ ATTR_FORMAT, SERVICE_MAX_BYTES, &request->format },
	};
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ ATTR_AS_DELEGATE, &request->as_delegate },
		{ ATTR_REVOKE, &request->revoke },
		{ ATTR_KEEP_LOCAL, &request->keep_local },
		{ ATTR_DUE, &request->due },
		{ ATTR_REPLACE, &request->replace },
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; fault == FAULT_NONE && i < COUNT(spans); i++)
		fault = read_span(attrs, spans[i].name, spans[i].max_bytes,
		    spans[i].span, why);
	for (i = 0; fault == FAULT_NONE && i < COUNT(flags); i++)
		fault = read_flag(attrs, flags[i].name, flags[i].flag, why);
	return fault;
}

static enum fault check_values(const struct attrs *attrs,
    struct request *request, struct why *why)
{
	enum fault fault;

	if (request->server.n > 0 && !attr_is_host(request->server))
		return bad(why, "server is not a host name");
	if (request->servers.n > 0 && !are_hosts(request->servers))
		return bad(why,
		    "servers is a list of host names, or *.suffix, separated "
		    "by one blank");
	fault = attr_get_int(attrs, ATTR_MIN_VALIDITY, 0, MIN_VALIDITY_MAX_S,
	    &request->min_validity_s);
	if (fault == FAULT_GRAMMAR) {
		why_set(why, 0,
		    "min-validity is a number of seconds from 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return FAULT_BAD_REQUEST;
	}
	if (attr_has(attrs, ATTR_FLOW) &&
	    flow_kind_from_word(attr_get(attrs, ATTR_FLOW), &request->flow) !=
		FAULT_NONE)
		return bad(why,
		    "there is no such flow: there are device, browser, "
		    "client-credentials and service-account, and with the "
		    "first two somebody signs in");
	if (request->verb == REQUEST_REJECTED && !is_serial(request->serial))
		return bad(why, "serial is missing or not a serial");
	return FAULT_NONE;
}

enum fault request_read(const struct attrs *attrs, struct request *request_out,
    struct why *why)
{
	struct request request = { .revoke = true, .flow = FLOW_NONE };
	const struct verb_row *row = find_verb(attr_get(attrs, ATTR_VERB));
	enum fault fault;

	if (row == NULL) {
		why_set(why, 0,
		    "this helper (version %s) does not know that verb",
		    MAILTOKEN_VERSION);
		return FAULT_BAD_REQUEST;
	}
	request.verb = row->verb;
	fault = read_account(attrs, row->account, &request, why);
	if (fault == FAULT_NONE)
		fault = read_values(attrs, &request, why);
	if (fault == FAULT_NONE)
		fault = read_protocols(attrs, &request, why);
	if (fault == FAULT_NONE)
		fault = check_values(attrs, &request, why);
	if (fault == FAULT_NONE && request.verb == REQUEST_REFRESH &&
	    request.due == (request.account.n > 0))
		fault = bad(why, "refresh takes an account, or due=yes");
	if (fault == FAULT_NONE)
		*request_out = request;
	return fault;
}
