/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * redirect_http - the HTTP of the loopback listener: one request understood,
 * one page written
 *
 * Pure: no socket.  As much of RFC 9112 as a browser's GET needs.  The pages
 * need no script, load nothing, and tell nobody where they were.
 */
#ifndef MAILTOKEN_OAUTH_REDIRECT_HTTP_H
#define MAILTOKEN_OAUTH_REDIRECT_HTTP_H

#include "wire/buf.h"

#define REDIRECT_PAGE_MAX_BYTES 16384

/* What a visitor gets. */
enum redirect_page {
	REDIRECT_PAGE_NONE,  /* nothing yet: more has to come */
	REDIRECT_PAGE_QUERY, /* what the receiver of the query decides */
	REDIRECT_PAGE_SIGNED_IN,
	REDIRECT_PAGE_FAILED, /* text: why */
	REDIRECT_PAGE_LEFT,   /* text: what the address lacks */
	REDIRECT_PAGE_HOST,   /* another name was made to lead here */
	REDIRECT_PAGE_ELSEWHERE,
	REDIRECT_PAGE_METHOD,
	REDIRECT_PAGE_HEAD, /* the same without a body */
	REDIRECT_PAGE_GARBAGE,
	REDIRECT_PAGE_LONG
};

/*
 * redirect_request_read - what the bytes that have come so far deserve
 *
 * Host must be 127.0.0.1, localhost or [::1] with our port: a page of
 * somebody else's, whose name leads here (DNS rebinding), comes with that
 * name.
 *
 * query_out  out: with REDIRECT_PAGE_QUERY, what follows '?'; points into
 *            bytes
 */
enum redirect_page redirect_request_read(struct span bytes, const char *path,
    uint16_t port, struct span *query_out);

/* redirect_page_write - status line, header and body; text may be NULL. */
void redirect_page_write(struct buf *out, enum redirect_page page,
    const char *text);

#endif
