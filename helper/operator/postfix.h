/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * postfix - what a Postfix says of itself, by postconf(1)
 *
 * Read once, changed by nobody; the spans point into it and end with a NUL.
 */
#ifndef MAILTOKEN_OPERATOR_POSTFIX_H
#define MAILTOKEN_OPERATOR_POSTFIX_H

#include "wire/buf.h"

struct postfix {
	struct buf parameters; /* of postconf -x and -Px: "name = value" and
				* "smtp/unix/name = value" a line */
	struct buf services;   /* of postconf -M: one a line */
};

/*
 * postfix_read - all parameters, expanded, and all services
 *
 * config_dir  in: as of postconf -c; NULL: MAIL_CONFIG or the default
 *
 * FAULT_IO with why: there is no Postfix, or it has no configuration or a
 * broken one.  Then there is nothing to drop.
 */
enum fault postfix_read(const char *config_dir, struct postfix *postfix_out,
    struct why *why) MUST_CHECK;
void postfix_drop(struct postfix *postfix);

/* postfix_value - of a parameter; empty where it is, or is not known. */
struct span postfix_value(const struct postfix *postfix, const char *name);

/* postfix_override - likewise, as -o in master.cf sets it for a unix service; p
 * is NULL where none does. */
struct span postfix_override(const struct postfix *postfix, const char *service,
    const char *name);

/* postfix_is - whether a parameter is yes. */
bool postfix_is(const struct postfix *postfix, const char *name);

/*
 * postfix_service - the line of a service in master.cf, fields and arguments
 * with single blanks between; empty: there is none
 *
 * name  in: of a unix service, such as "smtp" or "relay"
 */
struct span postfix_service(const struct postfix *postfix, const char *name);

/* postfix_chrooted - whether a service runs in the queue directory. */
bool postfix_chrooted(const struct postfix *postfix, const char *name);

/* postfix_next - the next of a list in a value, with its braces; empty after
 * the last. */
struct span postfix_next(struct span *list);

#endif
