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

#define EXPIRY_LOOK_MS 86400000 /* how often a helper looks */

/* expiry_tell - say for each secret and certificate that has ended, or will
 * within 30 days. */
typedef void expiry_say_fn(void *ctx, const char *text);
void expiry_tell(const struct config *config, expiry_say_fn *say, void *ctx);

/* expiry_log - say it to the log; a configuration of NULL has none. */
void expiry_log(const struct config *config);

#endif
