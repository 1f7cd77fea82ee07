/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What came of an exchange.  Sentences name the host of our own URL; of what
 * a stranger sent, only the host of a redirect, and only if it is one.
 */
#include "oauth/http_impl.h"

#include <stdarg.h>
#include <stdio.h>

#include "oauth/reply.h"
#include "wire/attr.h"

PRINTF_LIKE(2, 3)
static void say(struct http_answer *answer, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	(void)vsnprintf(answer->text, sizeof(answer->text), format, words);
	va_end(words);
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

static void answered(const struct http_exchange *exchange,
    struct http_answer *answer)
{
	curl_off_t retry_after_s = 0;
	CURL *easy = exchange->easy;
	char target[96];
	long schemes = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
	(void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	(void)curl_easy_getinfo(easy, CURLINFO_HTTPAUTH_AVAIL, &schemes);
	/* What no clock can reach is not said. */
	if (retry_after_s > 0 && retry_after_s <= INT32_MAX)
		answer->retry_after_s = retry_after_s;
	answer->wants_basic = (schemes & (long)CURLAUTH_BASIC) != 0;
	answer->body = buf_span(&exchange->body);
	answer->redirect = answer->status >= 300 && answer->status < 400;
	if (answer->redirect) {
		redirect_host(easy, target, sizeof(target));
		say(answer,
		    "%.100s answered with a redirect to %s, which is not "
		    "followed",
		    exchange->host, target);
	} else {
		say(answer, "%s answered with status %ld", exchange->host,
		    answer->status);
	}
}

/* Of a chain that is not accepted; newer ones number it. */
static struct span reason_of(const char *text)
{
	static const char *const ahead[] = { "SSL certificate problem: ",
		"SSL certificate OpenSSL verify result: " };
	const char *end = strstr(text, " (");
	size_t i, n, all = end != NULL ? (size_t)(end - text) : strlen(text);

	for (i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		n = strlen(ahead[i]);
		if (strncmp(text, ahead[i], n) == 0)
			return (struct span){ text + n, all - n };
	}
	return (struct span){ NULL, 0 };
}

/*
 * Why a certificate is refused, in the words of the TLS library about the
 * chain; what stands in the certificate itself is not repeated.
 */
static void say_certificate(const struct http_exchange *exchange,
    struct http_answer *answer)
{
	struct span chain = reason_of(exchange->reason);
	char reason[72] = "";

	if (chain.n > 0)
		attr_plain(chain, reason, sizeof(reason));
	else if (strstr(exchange->reason, "subject name") != NULL)
		(void)snprintf(reason, sizeof(reason),
		    "it is for another name");
	say(answer,
	    "the certificate of %.64s is not accepted%s%s%s: check %s, a "
	    "TLS-inspecting proxy, and the clock of this machine",
	    exchange->host, reason[0] != '\0' ? " (" : "", reason,
	    reason[0] != '\0' ? ")" : "",
	    exchange->named_trust ? "ca_file" : "the package ca-certificates");
}

/* What a reader can do more about than the words of libcurl say. */
static bool say_hint(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer)
{
	const char *host = exchange->host;
	long proxy = 0;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE,
	    &proxy);
	if (exchange->held)
		say(answer, "the request to %.100s was held back", host);
	else if (answer->trouble == HTTP_TOO_BIG)
		say(answer, "the answer of %.100s is longer than %d bytes",
		    host, HTTP_BODY_MAX_BYTES);
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		say_certificate(exchange, answer);
	else if (code == CURLE_SSL_CACERT_BADFILE)
		say(answer,
		    exchange->named_trust ?
			"the certificates that ca_file or ca_path names cannot "
			"be read, so %.100s cannot be asked" :
			"this system has no CA certificates, so %.100s cannot "
			"be asked: install the package ca-certificates",
		    host);
	else if (code == CURLE_SSL_CERTPROBLEM)
		say(answer,
		    "the client certificate for %.100s, or its key, cannot be "
		    "used: check both files",
		    host);
	else if (strstr(exchange->reason, "alert") != NULL &&
	    strstr(exchange->reason, "certificate") != NULL)
		say(answer,
		    "%.100s wants a client certificate, or another one than "
		    "it got",
		    host);
	else if (proxy != 0 && proxy != 200)
		say(answer,
		    "the proxy refused to connect to %.100s (status %ld)%s",
		    host, proxy,
		    proxy == 407 ?
			": it wants a name and a password, in \"proxy\"" :
			"");
	else if (code == CURLE_OPERATION_TIMEDOUT && answer->reached)
		say(answer, "%.100s did not answer within %ld %s", host,
		    exchange->max_ms <= 1000 ? exchange->max_ms :
					       (exchange->max_ms + 999) / 1000,
		    exchange->max_ms <= 1000 ? "ms" : "seconds");
	else
		return false;
	return true;
}

static void failed(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer)
{
	/* Of this machine: nobody was asked. */
	static const CURLcode local[] = { CURLE_OUT_OF_MEMORY,
		CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ENGINE_INITFAILED,
		CURLE_SSL_CIPHER, CURLE_FAILED_INIT, CURLE_URL_MALFORMAT,
		CURLE_NOT_BUILT_IN, CURLE_BAD_FUNCTION_ARGUMENT,
		CURLE_SSL_CERTPROBLEM };
	enum fault body = buf_fault(&exchange->body);
	struct why why = { 0, "" };
	long os = 0, status = 0;
	size_t i;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE,
	    &status);
	if (status >= 200 && status <= 299)
		answer->body = buf_span(&exchange->body);
	if (body == FAULT_NOMEM)
		code = CURLE_OUT_OF_MEMORY;
	answer->trouble = body == FAULT_TOO_BIG ? HTTP_TOO_BIG : HTTP_LOST;
	for (i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (code == local[i] || exchange->held)
			answer->trouble = HTTP_LOCAL;
	if (say_hint(exchange, code, answer))
		return;
	if (code == CURLE_COULDNT_CONNECT)
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os);
	why_set(&why, (int)os, "asking %.100s failed: %s", exchange->host,
	    curl_easy_strerror(code));
	attr_plain(span_of(why.text), answer->text, sizeof(answer->text));
}

/*
 * libcurl 7.88 has no time of a connection whose TLS failed, 8.14 no port
 * either.
 */
static enum http_stage stage_of(CURL *easy, CURLcode code)
{
	curl_off_t name_us = 0, tls_us = 0;
	long port = 0, proxy = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &name_us);
	(void)curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
	(void)curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (tls_us > 0)
		return HTTP_ANSWER;
	if (code == CURLE_PEER_FAILED_VERIFICATION ||
	    (port > 0 && code != CURLE_COULDNT_CONNECT &&
		(proxy == 0 || proxy == 200)))
		return HTTP_TLS;
	return name_us > 0 ? HTTP_CONNECT : HTTP_NAME;
}

void http_answer_make(const struct http_exchange *exchange, CURLcode code,
    struct http_answer *answer_out)
{
	const char *address = NULL;
	curl_off_t ready_us = 0;

	memset(answer_out, 0, sizeof(*answer_out));
	answer_out->retry_after_s = -1;
	answer_out->host = exchange->host;
	answer_out->sent = buf_span(&exchange->sent);
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME_T,
	    &ready_us);
	answer_out->stage = stage_of(exchange->easy, code);
	/* libcurl 8.23 has that time of a connection whose TLS failed; of one
	 * that was kept, or is without TLS, no stage is known. */
	answer_out->reached = ready_us > 0 && !exchange->held &&
	    (answer_out->stage == HTTP_ANSWER ||
		(exchange->clear && code != CURLE_PEER_FAILED_VERIFICATION &&
		    code != CURLE_SSL_CONNECT_ERROR));
	answer_out->date_s = exchange->date_s;
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_PRIMARY_IP, &address);
	(void)snprintf(answer_out->address, sizeof(answer_out->address), "%s",
	    address != NULL ? address : "");
	/* What is whole counts, however its connection ended: the refresh
	 * token may be spent for it. */
	if (code == CURLE_OK || reply_is_whole(buf_span(&exchange->body)))
		answered(exchange, answer_out);
	else
		failed(exchange, code, answer_out);
}
