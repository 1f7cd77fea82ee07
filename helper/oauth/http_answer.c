/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What came of an exchange.  Sentences name the host of our own URL, or the
 * proxy that was configured; of what a stranger sent, only the host of a
 * redirect, and only if it is one.
 */
#include "oauth/http_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "oauth/reply.h"
#include "wire/attr.h"

/* Copy the value of a header field if line is that field. */
static void keep_field(struct span line, const char *name, char *value,
    size_t value_bytes)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != ':' ||
	    strncasecmp(line.p, name, n) != 0)
		return;
	line.p += n + 1;
	line.n -= n + 1;
	while (line.n > 0 && strchr(" \t", line.p[0]) != NULL) {
		line.p++;
		line.n--;
	}
	while (line.n > 0 && strchr(" \t\r\n", line.p[line.n - 1]) != NULL)
		line.n--;
	if (line.n >= value_bytes)
		return;
	memcpy(value, line.p, line.n);
	value[line.n] = '\0';
}

size_t http_header_cb(char *p, size_t one, size_t n, void *ctx)
{
	struct http_exchange *exchange = ctx;
	struct span line = { p, one * n };
	char scheme[HTTP_HEADER_MAX_BYTES] = "";

	/* A status line begins the fields of another answer. */
	if (line.n >= 5 && memcmp(line.p, "HTTP/", 5) == 0) {
		exchange->retry_after[0] = '\0';
		exchange->date[0] = '\0';
		exchange->wants_basic = false;
	}
	keep_field(line, "www-authenticate", scheme, sizeof(scheme));
	if (strncasecmp(scheme, "Basic", 5) == 0)
		exchange->wants_basic = true;
	keep_field(line, "retry-after", exchange->retry_after,
	    sizeof(exchange->retry_after));
	keep_field(line, "date", exchange->date, sizeof(exchange->date));
	return line.n;
}

/* Retry-After = HTTP-date / delay-seconds (RFC 9110 section 10.2.3) */
static int64_t retry_after_s(const struct http_exchange *exchange)
{
	int64_t seconds;
	time_t when, now;

	if (exchange->retry_after[0] == '\0')
		return -1;
	if (attr_number(span_of(exchange->retry_after), 0, INT32_MAX,
		&seconds) == FAULT_NONE)
		return seconds;
	/* The server's clock, not ours, or no clock at all. */
	when = curl_getdate(exchange->retry_after, NULL);
	now = curl_getdate(exchange->date, NULL);
	if (when == -1 || now == -1)
		return -1;
	return when > now ? (int64_t)(when - now) : 0;
}

/* The host a redirect leads to, or words if it is none. */
static void redirect_host(CURL *easy, char *out, size_t out_bytes)
{
	CURLU *url = curl_url();
	char *target = NULL, *host = NULL;

	(void)snprintf(out, out_bytes, "another place");
	if (url != NULL &&
	    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &target) ==
		CURLE_OK &&
	    target != NULL &&
	    curl_url_set(url, CURLUPART_URL, target, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    attr_is_host(span_of(host)))
		attr_plain(span_of(host), out, out_bytes);
	curl_free(host);
	curl_url_cleanup(url);
}

static void say(struct http_answer *answer, const char *format, ...)
    PRINTF_LIKE(2, 3);

static void say(struct http_answer *answer, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	(void)vsnprintf(answer->text, sizeof(answer->text), format, words);
	va_end(words);
}

static void answered(const struct http_exchange *exchange,
    struct http_answer *answer)
{
	char target[96];

	answer->trouble = HTTP_ANSWERED;
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE,
	    &answer->status);
	answer->body = buf_span(&exchange->body);
	answer->retry_after_s = retry_after_s(exchange);
	answer->wants_basic = exchange->wants_basic;
	answer->redirect = answer->status >= 300 && answer->status < 400;
	if (!answer->redirect) {
		say(answer, "%s answered with status %ld", exchange->host,
		    answer->status);
		return;
	}
	redirect_host(exchange->easy, target, sizeof(target));
	say(answer,
	    "%.100s answered with a redirect to %s, which is not followed",
	    exchange->host, target);
}

static enum http_trouble trouble_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST: return HTTP_DNS;
	case CURLE_PROXY: /* it speaks SOCKS, and refuses */
	case CURLE_COULDNT_CONNECT: return HTTP_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_USE_SSL_FAILED: return HTTP_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS: return HTTP_CERTIFICATE;
	case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMEOUT;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CIPHER:
	case CURLE_FAILED_INIT:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_BAD_FUNCTION_ARGUMENT: return HTTP_LOCAL;
	default: return HTTP_CUT;
	}
}

/*
 * Why a certificate is refused, in the words of the TLS library about the
 * chain; what stands in the certificate itself is not repeated.
 */
static void certificate_reason(const char *reason, char *out, size_t out_bytes)
{
	static const char chain[] = "SSL certificate problem: ";
	char plain[72];

	out[0] = '\0';
	if (strncmp(reason, chain, sizeof(chain) - 1) == 0) {
		attr_plain(span_of(reason + sizeof(chain) - 1), plain,
		    sizeof(plain));
		(void)snprintf(out, out_bytes, " (%s)", plain);
	} else if (strstr(reason, "subject name") != NULL) {
		(void)snprintf(out, out_bytes, " (it is for another name)");
	}
}

/*
 * libcurl tells no proxy of the environment from the provider but in words:
 * "Failed to connect to 10.0.0.1 port 3128 after 5 ms", or, newer,
 * "Failed to connect to provider port 443 via 10.0.0.1 after 5 ms".
 */
static bool is_of_proxy(const struct http_exchange *exchange)
{
	static const char failed[] = "Failed to connect to ";
	const char *name = exchange->reason + sizeof(failed) - 1;
	const char *host = exchange->host;
	size_t n;

	if (strncmp(exchange->reason, failed, sizeof(failed) - 1) != 0)
		return false;
	if (strstr(name, " via ") != NULL)
		return true;
	host += host[0] == '[' ? 1 : 0;
	n = strcspn(name, " ");
	return strncasecmp(name, host, n) != 0 || strchr(":]", host[n]) == NULL;
}

static void connect_text(const struct http_exchange *exchange, long proxy,
    struct http_answer *answer)
{
	struct why why = { 0, "" };
	long os = 0;

	if (proxy != 0) {
		say(answer,
		    "the proxy refused to connect to %.100s (status %ld)%s",
		    exchange->host, proxy,
		    proxy == 407 ?
			": it wants a name and a password, in \"proxy\"" :
			"");
		return;
	}
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os);
	why_set(&why, (int)os, "cannot connect to %s%.100s",
	    is_of_proxy(exchange) ? "the proxy on the way to " : "",
	    exchange->host);
	attr_plain(span_of(why.text), answer->text, sizeof(answer->text));
}

static void timeout_text(const struct http_exchange *exchange,
    struct http_answer *answer)
{
	if (!answer->reached)
		say(answer, "no connection to %.100s within %d seconds",
		    exchange->host, HTTP_CONNECT_MAX_MS / 1000);
	else
		say(answer, "%.100s did not answer within %d seconds",
		    exchange->host,
		    (exchange->patient ? HTTP_PATIENT_MAX_MS :
					 HTTP_TOTAL_MAX_MS) /
			1000);
}

static void local_text(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer)
{
	const char *host = exchange->host;

	if (code == CURLE_SSL_CACERT_BADFILE && !exchange->named_trust)
		say(answer,
		    "this system has no CA certificates, so %.100s cannot be "
		    "asked: install the package ca-certificates",
		    host);
	else if (code == CURLE_SSL_CACERT_BADFILE)
		say(answer,
		    "the certificates that ca_file or ca_path names cannot be "
		    "read, so %.100s cannot be asked",
		    host);
	else if (code == CURLE_OUT_OF_MEMORY)
		say(answer, "out of memory while asking %.100s", host);
	else
		say(answer,
		    "libcurl on this machine cannot ask %.100s (curl error %d)",
		    host, (int)code);
}

/* HTTP/0.9, to libcurl: whatever does not begin as an answer does. */
static bool is_no_http(CURLcode code)
{
	return code == CURLE_UNSUPPORTED_PROTOCOL ||
	    code == CURLE_WEIRD_SERVER_REPLY;
}

static void trouble_text(const struct http_exchange *exchange, CURLcode code,
    long proxy, struct http_answer *answer)
{
	const char *host = exchange->host;
	char reason[80];

	switch (answer->trouble) {
	case HTTP_DNS:
		say(answer, "the name %s%.100s could not be resolved",
		    code == CURLE_COULDNT_RESOLVE_PROXY ? "of the proxy to " :
							  "",
		    host);
		break;
	case HTTP_CONNECT: connect_text(exchange, proxy, answer); break;
	case HTTP_TLS:
		say(answer,
		    "no TLS connection with %.100s could be made: it must "
		    "speak TLS 1.2 or newer, and no firewall may stand between",
		    host);
		break;
	case HTTP_CERTIFICATE:
		certificate_reason(exchange->reason, reason, sizeof(reason));
		say(answer,
		    "the certificate of %.64s is not accepted%s: check %s, a "
		    "TLS-inspecting proxy, and the clock of this machine",
		    host, reason,
		    exchange->named_trust ? "ca_file" :
					    "the package ca-certificates");
		break;
	case HTTP_TIMEOUT: timeout_text(exchange, answer); break;
	case HTTP_TOO_BIG:
		say(answer, "the answer of %.100s is longer than %d bytes",
		    host, HTTP_BODY_MAX_BYTES);
		break;
	case HTTP_LOCAL: local_text(exchange, code, answer); break;
	case HTTP_ANSWERED:
	case HTTP_CUT:
		say(answer,
		    is_no_http(code) ?
			"%.100s did not answer in HTTP: check the address" :
			"the connection to %.100s was closed before the whole "
			"answer had come",
		    host);
		break;
	}
}

void http_answer_make(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer_out)
{
	enum fault body = buf_fault(&exchange->body);
	curl_off_t ready_us = 0;
	long proxy = 0;

	memset(answer_out, 0, sizeof(*answer_out));
	answer_out->retry_after_s = -1;
	answer_out->sent = buf_span(&exchange->sent);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME_T,
	    &ready_us);
	answer_out->reached = ready_us > 0;
	/* What is whole counts, however its connection ended: the refresh
	 * token may be spent for it. */
	if (code == CURLE_OK || reply_is_whole(buf_span(&exchange->body))) {
		answered(exchange, answer_out);
		return;
	}
	if (body == FAULT_NOMEM)
		code = CURLE_OUT_OF_MEMORY;
	answer_out->trouble = body == FAULT_TOO_BIG ? HTTP_TOO_BIG :
						      trouble_of(code);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE,
	    &proxy);
	if (answer_out->trouble == HTTP_CUT && proxy != 0 && proxy != 200)
		answer_out->trouble = HTTP_CONNECT;
	trouble_text(exchange, code, proxy, answer_out);
}
