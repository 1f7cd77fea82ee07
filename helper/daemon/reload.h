/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * reload - what a reload has changed, for who asked and for the log
 */
#ifndef MAILTOKEN_DAEMON_RELOAD_H
#define MAILTOKEN_DAEMON_RELOAD_H

struct buf;
struct config;

/* reload_tell - append the answer to out; old is NULL when there was none,
 * mended what was wrong until now. */
void reload_tell(const struct config *old, const struct config *config,
    const char *mended, struct buf *out);

#endif
