/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * reply - JSON bodies of token and device endpoints, checked
 *
 * RFC 6749 section 5, RFC 8628 section 3.2.  Answers are read for what is
 * good in them: only a member without which they are of no use can make them
 * so, any other that is odd is clamped or ignored; numbers may be numeric
 * strings.  jansson gets wiping allocators (reply_setup).
 */
#ifndef MAILTOKEN_OAUTH_REPLY_H
#define MAILTOKEN_OAUTH_REPLY_H

#include "wire/buf.h"

#define REPLY_EXPIRES_IN_DEFAULT_S	  3600
#define REPLY_EXPIRES_IN_MAX_S		  (366 * 86400)
#define REPLY_DEVICE_INTERVAL_DEFAULT_S	  5
#define REPLY_DEVICE_INTERVAL_MAX_S	  300
#define REPLY_DEVICE_EXPIRES_IN_DEFAULT_S 600
#define REPLY_ERRORS_MAX		  8
#define REPLY_TITLE_BYTES		  96

/* A successful token response. */
struct reply_token {
	struct secret *access_token;
	struct secret *refresh_token; /* NULL: keep the old one */
	char *scope;		      /* NULL: as asked */
	char *identity;		      /* names in an id_token (email,
					   preferred_username, upn,
					   unique_name), separated by blanks,
					   each once; NULL: none */
	char *subject;		      /* of an id_token; NULL: none */
	char *misnamed;		      /* one that is no account's name, as
					   JSON, cut; NULL: none, or there
					   is an identity */
	int64_t expires_in_s;	      /* 1..REPLY_EXPIRES_IN_MAX_S */
	int64_t refresh_in_s;	      /* 0: not said */
	int64_t refresh_expires_in_s; /* 0: not said */
	bool by_basic; /* the client's secret went by HTTP Basic */
};

/* A device authorization response. */
struct reply_device {
	struct secret *device_code;
	char *user_code;		 /* printable ASCII */
	char *verification_uri;		 /* https, printable ASCII */
	char *verification_uri_complete; /* may be NULL */
	int64_t expires_in_s;
	int64_t interval_s;
};

/* An error response; all fields plain ASCII (attr_plain), cut to fit. */
struct reply_error {
	char error[64];	       /* "" when there was none */
	char description[256]; /* its first words; "..." for long ones */
	char suberror[64];     /* Google: error_subtype */
	int64_t codes[REPLY_ERRORS_MAX]; /* Microsoft's error_codes, or the
					    AADSTS number of the text */
	size_t n_codes;
	char correlation_id[64];
	char trace_id[64];
};

/*
 * What was asked, whose secrets an answer may repeat: where it has a text for
 * people that does, ECHO_HIDDEN stands instead (wire/echo.h), and any other
 * such member counts as absent.  The same with the secrets in the answer.
 */
struct reply_asked {
	struct span form; /* application/x-www-form-urlencoded */
	const struct secret *client_secret; /* wherever it was sent; or NULL */
};

/* reply_repeats - whether text, of no JSON, repeats a secret of asked. */
bool reply_repeats(const struct reply_asked *asked, struct span text);

/* reply_is_whole - whether body is one JSON object from end to end. */
bool reply_is_whole(struct span body);

/* reply_setup - give jansson wiping allocators; once, before any parse. */
void reply_setup(void);

/*
 * asked  in: what body answers; NULL: no secret was sent
 *
 * reply_token_parse - FAULT_NONE; FAULT_GARBLED when body is not such an
 * object, has no usable access token or another token_type than bearer, why
 * saying which; FAULT_NOMEM.  Whatever it returns: what was good is in
 * token_out, a new refresh_token above all, and has to be dropped.
 */
enum fault reply_token_parse(struct span body, const struct reply_asked *asked,
    struct reply_token *token_out, struct why *why) MUST_CHECK;
void reply_token_drop(struct reply_token *token);

/*
 * reply_userinfo - identity and misnamed of token from what the userinfo
 * endpoint answered (OpenID Connect Core 1.0 section 5.3); as they were when
 * that is of no use, as one about another subject is
 */
void reply_userinfo(struct span body, struct reply_token *token);

/* reply_device_parse - likewise. */
enum fault reply_device_parse(struct span body, const struct reply_asked *asked,
    struct reply_device *device_out, struct why *why) MUST_CHECK;
void reply_device_drop(struct reply_device *device);

/*
 * reply_error_parse - FAULT_NONE; FAULT_GARBLED when body is no JSON object
 * with a string "error"; error_out is all empty then.
 */
enum fault reply_error_parse(struct span body, const struct reply_asked *asked,
    struct reply_error *error_out) MUST_CHECK;

/*
 * reply_page - whether body, terminated, is an HTML page, and its title in
 * quotes and brackets, " (\"Blocked\")", or "" if it has none; asked may be
 * NULL
 */
bool reply_page(struct span body, const struct reply_asked *asked,
    char title_out[REPLY_TITLE_BYTES]);

/* reply_error_of - the same from an error that a browser brought. */
void reply_error_of(struct span word, struct span description,
    const struct reply_asked *asked, struct reply_error *error_out);

#endif
