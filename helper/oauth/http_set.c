/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What libcurl is told of an exchange, and what it asks meanwhile.
 */
#include "oauth/http_impl.h"

#include <stdio.h>
#include <strings.h>

#ifndef MAILTOKEN_VERSION
#define MAILTOKEN_VERSION "0"
#endif

#define AUTHORITIES_KEPT_S 5L
#define OTHER_FAMILY_MS	   1000L /* RFC 8305 section 5: at most 2 s */
#define APART_MS	   16L
#define APART_N		   32

static size_t body_cb(char *p, size_t one, size_t n, void *ctx)
{
	struct http_exchange *exchange = ctx;
	struct span piece = { p, one * n };

	if (exchange->piece != NULL)
		return exchange->piece(exchange->ctx, piece) ? piece.n : 0;
	buf_add(&exchange->body, piece);
	return buf_fault(&exchange->body) == FAULT_NONE ? piece.n : 0;
}

/* The body of a request that may have to stay here. */
static size_t send_cb(char *p, size_t one, size_t n, void *ctx)
{
	struct http_exchange *exchange = ctx;
	size_t left = exchange->sent.n - exchange->sent_n;

	n *= one;
	if (exchange->sent_n == 0 &&
	    !exchange->may_send(exchange->may_send_ctx)) {
		exchange->held = true;
		return CURL_READFUNC_ABORT;
	}
	if (n > left)
		n = left;
	if (n > 0)
		memcpy(p, exchange->sent.p + exchange->sent_n, n);
	exchange->sent_n += n;
	return n;
}

/* Date (RFC 9110 section 6.6.1). */
static size_t header_cb(char *p, size_t one, size_t n, void *ctx)
{
	static const char name[] = "date:";
	struct http_exchange *exchange = ctx;
	char date[64];
	time_t date_s;

	n *= one;
	if (n > sizeof(name) && n < sizeof(date) &&
	    strncasecmp(p, name, sizeof(name) - 1) == 0) {
		(void)snprintf(date, sizeof(date), "%.*s",
		    (int)(n - sizeof(name) + 1), p + sizeof(name) - 1);
		date_s = curl_getdate(date, NULL);
		exchange->date_s = date_s > 0 ? (int64_t)date_s : 0;
	}
	return n;
}

/*
 * A connection an exchange: on a kept one that closes early libcurl sends the
 * request again by itself, and a refresh token or a code must be on the wire
 * once.  HTTP/1.1: so it does with a stream of HTTP/2 that was refused.
 *
 * QUICK_EXIT leaves a resolver thread that hangs on a dead name server to
 * itself; otherwise ending its exchange waits for it, and the whole helper
 * with it.
 */
static const struct {
	CURLoption option;
	long value;
} always[] = {
	{ CURLOPT_FOLLOWLOCATION, 0L },
	{ CURLOPT_FRESH_CONNECT, 1L },
	{ CURLOPT_FORBID_REUSE, 1L },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1L },
	{ CURLOPT_SSL_VERIFYHOST, 2L },
	{ CURLOPT_NETRC, (long)CURL_NETRC_IGNORED },
	{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1L },
	{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L },
	{ CURLOPT_NOSIGNAL, 1L },
	{ CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MAX_MS },
	{ CURLOPT_TCP_KEEPALIVE, 1L },
#if LIBCURL_VERSION_NUM >= 0x075700
	{ CURLOPT_QUICK_EXIT, 1L },
#endif
};

/* An option of an exchange; the first that cannot be set is what counts. */
#define SET(exchange, option, value) \
	do { \
		if (!(exchange)->set) \
			(exchange)->set = curl_easy_setopt((exchange)->easy, \
			    option, value); \
	} while (0)

#if LIBCURL_VERSION_NUM >= 0x075500
static void allow(struct http_exchange *exchange, bool clear)
{
	SET(exchange, CURLOPT_PROTOCOLS_STR, clear ? "http,https" : "https");
}
#else
static void allow(struct http_exchange *exchange, bool clear)
{
	SET(exchange, CURLOPT_PROTOCOLS,
	    (long)CURLPROTO_HTTPS | (clear ? (long)CURLPROTO_HTTP : 0L));
}
#endif

/*
 * To read a system's file of authorities costs some 20 ms: what was read is
 * kept for a few seconds, which is what many exchanges at once need.  libcurl
 * keeps what a file said, not a folder, so its built-in folder, which on
 * every system holds the same, is left out beside its built-in file.  After
 * a failed verification the file is read anew: a mended one counts at once.
 * A TLS library that keeps nothing does not know the option.
 */
#if LIBCURL_VERSION_NUM >= 0x075700
static void keep_authorities(struct http_exchange *exchange)
{
	if (curl_version_info(CURLVERSION_NOW)->cainfo != NULL)
		SET(exchange, CURLOPT_CAPATH, NULL);
	SET(exchange, CURLOPT_CA_CACHE_TIMEOUT,
	    exchange->doubts ? 0L : AUTHORITIES_KEPT_S);
	if (exchange->set == CURLE_NOT_BUILT_IN)
		exchange->set = CURLE_OK;
}
#else
static void keep_authorities(struct http_exchange *exchange)
{
	(void)exchange;
}
#endif

static void add_field(struct http_exchange *exchange, const char *field)
{
	struct curl_slist *fields = exchange->fields;

	if (field == NULL)
		return;
	fields = curl_slist_append(fields, field);
	if (fields != NULL)
		exchange->fields = fields;
	else
		exchange->set = CURLE_OUT_OF_MEMORY;
}

/* The header, and what most requests do without. */
static void set_more(struct http_exchange *exchange,
    const struct http_request *request)
{
	/* Of a form libcurl says so itself. */
	if (request->method == HTTP_POST_JSON)
		add_field(exchange, "Content-Type: application/json");
	add_field(exchange, "Accept: application/json");
	add_field(exchange, "Expect:"); /* no wait for "100 Continue" */
	add_field(exchange, request->fields[0]);
	add_field(exchange, request->fields[1]);
	SET(exchange, CURLOPT_HTTPHEADER, exchange->fields);
	if (request->certificate != NULL)
		SET(exchange, CURLOPT_SSLCERT, request->certificate);
	if (request->certificate_key != NULL)
		SET(exchange, CURLOPT_SSLKEY, request->certificate_key);
	if (request->keeps) {
		SET(exchange, CURLOPT_FRESH_CONNECT, 0L);
		SET(exchange, CURLOPT_FORBID_REUSE, 0L);
	}
	if (request->may_send != NULL) {
		SET(exchange, CURLOPT_POST, 1L);
		SET(exchange, CURLOPT_POSTFIELDS, NULL);
		SET(exchange, CURLOPT_READFUNCTION, send_cb);
		SET(exchange, CURLOPT_READDATA, exchange);
	}
}

void http_set(struct http_exchange *exchange,
    const struct http_request *request)
{
	/*
	 * When a family of addresses has been tried for so long, the other is
	 * tried, too.  libcurl looks at an exchange then, connected or not,
	 * and in one call at all whose time has come.  After its own 200 ms
	 * thirty that had begun together made 30 ms of TLS in one turn; most
	 * are over after a second.
	 */
	long other_family_ms = OTHER_FAMILY_MS +
	    exchange->number % APART_N * APART_MS;
	enum http_method method = request->method;
	size_t i;

	allow(exchange, request->clear);
	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		SET(exchange, always[i].option, always[i].value);
	SET(exchange, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, other_family_ms);
	keep_authorities(exchange);
	/* Who names authorities names all of them: the built-in file or folder
	 * must not stay beside. */
	if (exchange->named_trust) {
		SET(exchange, CURLOPT_CAINFO, request->ca_file);
		SET(exchange, CURLOPT_CAPATH, request->ca_path);
	}
	if (request->proxy != NULL)
		SET(exchange, CURLOPT_PROXY, request->proxy);
	SET(exchange, CURLOPT_PRIVATE, exchange);
	SET(exchange, CURLOPT_WRITEFUNCTION, body_cb);
	SET(exchange, CURLOPT_WRITEDATA, exchange);
	SET(exchange, CURLOPT_HEADERFUNCTION, header_cb);
	SET(exchange, CURLOPT_HEADERDATA, exchange);
	SET(exchange, CURLOPT_ERRORBUFFER, exchange->reason);
	SET(exchange, CURLOPT_URL, request->url);
	if (exchange->max_ms != HTTP_ENDLESS)
		SET(exchange, CURLOPT_TIMEOUT_MS, exchange->max_ms);
	SET(exchange, CURLOPT_USERAGENT, "mailtoken/" MAILTOKEN_VERSION);
	/* Unless it is named, servers may compress (RFC 9110 section 12.5.3);
	 * who does all the same is understood. */
	SET(exchange, CURLOPT_ACCEPT_ENCODING, "identity");
	if (request->basic != NULL)
		SET(exchange, CURLOPT_USERPWD, request->basic);
	if (method == HTTP_GET_BEARER) {
		SET(exchange, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(exchange, CURLOPT_XOAUTH2_BEARER, exchange->sent.p);
	} else if (method != HTTP_GET) {
		SET(exchange, CURLOPT_POSTFIELDSIZE, (long)exchange->sent.n);
		SET(exchange, CURLOPT_POSTFIELDS, exchange->sent.p);
	}
	set_more(exchange, request);
}
