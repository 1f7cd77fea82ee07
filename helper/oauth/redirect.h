/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * redirect - the one loopback request that carries a code
 *
 * Listens on 127.0.0.1 and ::1, one port, only while somebody signs in (RFC
 * 8252 section 7.3); owns the sockets and the pages that a browser shows.
 * Takes a GET of one exact path, and of those the first that its receiver
 * accepts; all else is answered plainly and changes nothing.  Its bounds:
 * REDIRECT_LINE_MAX_BYTES, 10 s a connection, 16 connections.
 */
#ifndef MAILTOKEN_OAUTH_REDIRECT_H
#define MAILTOKEN_OAUTH_REDIRECT_H

#include "wire/buf.h"

struct event_base;
struct redirect;

#define REDIRECT_LINE_MAX_BYTES	   8192
#define REDIRECT_REQUEST_MAX_BYTES 16384 /* browsers send cookies */
#define REDIRECT_PAGE_MAX_BYTES	   16384
#define REDIRECT_VISITORS_MAX	   16
#define REDIRECT_VISIT_MAX_S	   10

/*
 * What the receiver does with a query: FAULT_NONE takes it, and the browser
 * waits for redirect_finish(); a fault leaves it, why saying in one sentence
 * what it lacks.  May not free the redirect.
 */
typedef enum fault redirect_came_fn(void *ctx, struct span query,
    struct why *why);

struct redirect_wish {
	struct event_base *base;
	const char *path; /* begins with '/'; kept by the caller */
	uint16_t port;	  /* 0: the kernel chooses */
	redirect_came_fn *came;
	void *ctx;
};

/*
 * redirect_new - listen
 *
 * A machine without IPv6 does without ::1.
 *
 * FAULT_BUSY when somebody has the port; FAULT_CONFIG_ERROR when this user
 * may not have it; FAULT_IO; FAULT_NOMEM; why says what to do.
 */
enum fault redirect_new(const struct redirect_wish *wish,
    struct redirect **redirect_out, struct why *why) MUST_CHECK;

/* redirect_port - where it listens. */
uint16_t redirect_port(const struct redirect *redirect);

/*
 * redirect_finish - the page for the browser that waits, if one does: that
 * it is signed in, or the reason why not, one sentence, made harmless here
 */
void redirect_finish(struct redirect *redirect, const char *reason);

/* redirect_free - a browser that still waits is told of the end; NULL ok. */
void redirect_free(struct redirect *redirect);

/* The HTTP of it (redirect_http.c), without a socket. */

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
 * redirect_request_read - what the bytes that have come so far deserve; as
 * much of RFC 9112 as a browser's GET needs
 *
 * bytes  in: terminated
 * Host must be 127.0.0.1, localhost or [::1] with our port: a page of
 * somebody else's, whose name leads here (DNS rebinding), comes with that
 * name.
 *
 * query_out  out: with REDIRECT_PAGE_QUERY, what follows '?'; points into
 *            bytes
 */
enum redirect_page redirect_request_read(struct span bytes, const char *path,
    uint16_t port, struct span *query_out);

/* redirect_page_write - status line, header and body, which needs no script,
 * loads nothing and tells nobody where it was; text may be NULL. */
void redirect_page_write(struct buf *out, enum redirect_page page,
    const char *text);

#endif
