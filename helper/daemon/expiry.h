/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * expiry - a word in time when a client secret or a certificate runs out
 *
 * Their ends are known when a configuration is read; a helper runs for
 * months after that.
 */
#ifndef MAILTOKEN_DAEMON_EXPIRY_H
#define MAILTOKEN_DAEMON_EXPIRY_H

#include "daemon/config.h"

#define EXPIRY_LOOK_MS 86400000

struct event_base;
struct expiry;

/* expiry_tell - say for each secret and certificate that has ended, or will
 * within 30 days. */
typedef void expiry_say_fn(void *ctx, const char *text);
void expiry_tell(const struct config *config, expiry_say_fn *say, void *ctx);

/*
 * expiry_new - log that at each expiry_watch() and expiry_look() and every
 * so many milliseconds (tests: fewer than EXPIRY_LOOK_MS)
 *
 * FAULT_NOMEM.
 */
enum fault expiry_new(struct event_base *base, int64_t every_ms,
    struct expiry **expiry_out) MUST_CHECK;

/* expiry_watch - config is in force now; it is shared. */
void expiry_watch(struct expiry *expiry, struct config *config);
void expiry_look(struct expiry *expiry);
void expiry_free(struct expiry *expiry);

#endif
