/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * answer - what the lists of a helper have in common; mailtoken-protocol(7)
 *
 * Each verb writes its own between answer_begin() and answer_end(), with
 * attr_put*() and these.
 */
#ifndef MAILTOKEN_DAEMON_ANSWER_H
#define MAILTOKEN_DAEMON_ANSWER_H

#include "oauth/provider.h"
#include "wire/attr.h"

/* answer_begin - a list in out, with its first attribute. */
void answer_begin(struct attr_writer *writer, struct buf *out, const char *name,
    const char *value);

/* answer_text - a sentence, foreign bytes escaped; NULL or empty:
 * none. */
void answer_text(struct attr_writer *writer, const char *name,
    const char *text);

/* answer_servers - where tokens of an account (in any spelling) may go: to
 * those of provider, and to more, or NULL.  The end of a long list is cut. */
void answer_servers(struct attr_writer *writer, const struct provider *provider,
    const char *account, const char *more);

/* answer_end - a list that cannot be written becomes "internal", so that a
 * peer always hears something; which answer_failed() does alone. */
void answer_end(struct attr_writer *writer);
void answer_failed(struct buf *out);

/* answer_fault - text NULL or empty: the fault's own; retry_after_s below 0:
 * none. */
void answer_fault(struct buf *out, enum fault fault, const char *text,
    int64_t retry_after_s);

#endif
