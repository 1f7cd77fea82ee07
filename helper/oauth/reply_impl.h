/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * reply_impl - from bytes to a JSON object (RFC 8259) and its members
 *
 * For files that read answers.  What repeats a secret is gone from an object
 * that reply_answer() made.
 */
#ifndef MAILTOKEN_OAUTH_REPLY_IMPL_H
#define MAILTOKEN_OAUTH_REPLY_IMPL_H

#include <jansson.h>

#include "oauth/reply.h"
#include "wire/buf.h"

#define REPLY_BODY_MAX_BYTES  262144
#define REPLY_SCOPE_MAX_BYTES 8192

/*
 * reply_object - body as a JSON object; the caller's, for json_decref()
 *
 * FAULT_GARBLED when it is none, or has a member twice, why saying which;
 * FAULT_NOMEM.
 */
enum fault reply_object(struct span body, json_t **object_out,
    struct why *why) MUST_CHECK;

/*
 * reply_answer - what is good in body, member by member: one that cannot be
 * read is left out, of one that stands twice the last counts that is a token,
 * or the last if none is, and neither a byte order mark nor what comes behind
 * the object does harm; one that repeats a secret of asked or of the object is
 * as struct reply_asked says
 *
 * FAULT_GARBLED when body does not begin an object, why saying what it is;
 * FAULT_NOMEM.
 */
enum fault reply_answer(struct span body, const struct reply_asked *asked,
    json_t **object_out, struct why *why) MUST_CHECK;

/*
 * reply_hush - the last part of reply_answer(): no string of object repeats a
 * secret of asked or of answer, which may be object itself; FAULT_NOMEM
 */
enum fault reply_hush(json_t *object, const struct reply_asked *asked,
    const json_t *answer) MUST_CHECK;

/*
 * reply_text - a string member; the empty span when there is none of that
 * name.  Valid as long as the object.
 */
struct span reply_text(const json_t *object, const char *name);

/* reply_string - the same; FAULT_GARBLED for what is neither one nor null. */
enum fault reply_string(const json_t *object, const char *name,
    struct span *text_out, struct why *why) MUST_CHECK;

/* reply_dump - append object, which may be NULL for no memory, as compact
 * JSON in ASCII; the faults of out. */
enum fault reply_dump(const json_t *object, struct buf *out) MUST_CHECK;

/* reply_seconds - a number member or a numeric string; over the maximum it is
 * that, odd, absent or too small the other. */
struct reply_range {
	int64_t min, max, other;
};
int64_t reply_seconds(const json_t *object, const char *name,
    struct reply_range range);

#endif
