/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * answer - the lists a helper sends; mailtoken-protocol(7)
 *
 * Each appends one list to a buf.  A list that cannot be written becomes
 * "internal", so that a peer always hears something.
 */
#ifndef MAILTOKEN_DAEMON_ANSWER_H
#define MAILTOKEN_DAEMON_ANSWER_H

#include "daemon/account.h"
#include "daemon/forget.h"
#include "daemon/signin.h"

void answer_ok(struct buf *out);

/* answer_fault - text NULL: the fault's own; retry_after_s below 0: none. */
struct answer_refusal {
	enum fault fault;
	const char *text;
	int64_t retry_after_s;
	bool password_as_token;
};
void answer_fault(struct buf *out, const struct answer_refusal *refusal);

void answer_token(struct buf *out, const struct account_answer *answer,
    struct span login);
void answer_app(struct buf *out, const char *account,
    const struct provider *provider, const struct account_answer *answer);
void answer_refreshed(struct buf *out, const char *account,
    const struct account_answer *answer);
void answer_due(struct buf *out, const char *account,
    const struct account_answer *answer);
struct answer_warnings {
	const char *const *at;
	size_t n;
};
/* answer_ok_but - the end of an answer that went well, with what is not. */
void answer_ok_but(struct buf *out, struct answer_warnings warnings);
void answer_import(struct buf *out, const char *account, const char *provider,
    struct answer_warnings warnings);
void answer_export(struct buf *out, const char *account, struct span record);
void answer_forgotten(struct buf *out, const struct forget_end *end);

/* answer_view - provider NULL: its servers are not known. */
void answer_view(struct buf *out, const struct account_view *view,
    const struct provider *provider);
void answer_watching(struct buf *out);
void answer_version(struct buf *out, const char *keyring);
void answer_signin(struct buf *out, const struct signin_event *event);

#endif
