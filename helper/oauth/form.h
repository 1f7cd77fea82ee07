/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * form - how fields are written: application/x-www-form-urlencoded (WHATWG
 * URL, section 5.2), and base64url as JOSE and PKCE use it
 */
#ifndef MAILTOKEN_OAUTH_FORM_H
#define MAILTOKEN_OAUTH_FORM_H

#include "wire/buf.h"

/*
 * form_add - append "name=value", with '&' before it unless out is empty;
 * every byte but ALPHA DIGIT "-._~" is percent-encoded.  Faults stick to out.
 */
void form_add(struct buf *out, const char *name, struct span value);

/* form_add_form - the fields of another, which may be NULL. */
void form_add_form(struct buf *out, const char *form);

/* form_encode - the same of a value alone. */
void form_encode(struct buf *out, struct span text);

/* form_decode - append text decoded; the faults of form_get(). */
enum fault form_decode(struct buf *out, struct span text) MUST_CHECK;

/*
 * form_get - append the decoded value of a name of form (or of a query)
 *
 * FAULT_NOT_FOUND when it is not there; FAULT_GRAMMAR when it stands there
 * twice, has a broken escape or decodes to a control byte; then out may hold
 * some of it.  Other faults stick to out and are given back.
 */
enum fault form_get(struct span form, const char *name,
    struct buf *out) MUST_CHECK;

/* form_has - whether that name, which needs no encoding, is in form (may be
 * NULL). */
bool form_has(const char *form, struct span name);

/* form_base64url - append n bytes as RFC 4648 section 5 has it, without
 * padding; faults stick to out. */
void form_base64url(struct buf *out, const void *bytes, size_t n);

/*
 * form_unbase64url - append what text stands for; padding does no harm
 *
 * FAULT_GRAMMAR, FAULT_TOO_BIG, FAULT_NOMEM.
 */
enum fault form_unbase64url(struct span text, struct buf *out) MUST_CHECK;

#endif
