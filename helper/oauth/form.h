/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * form - application/x-www-form-urlencoded (WHATWG URL, section 5.2)
 */
#ifndef MAILTOKEN_OAUTH_FORM_H
#define MAILTOKEN_OAUTH_FORM_H

#include "wire/buf.h"

/*
 * form_add - append "name=value", with '&' before it unless out is empty;
 * every byte but ALPHA DIGIT "-._~" is percent-encoded.  Faults stick to out.
 */
void form_add(struct buf *out, const char *name, struct span value);

#endif
