/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * supervise - what the helper tells its supervisor (sd_notify(3))
 *
 * Without a supervisor nobody is told and nothing is handed over.  One that
 * does not read costs a second at most, at the start, a reload and no more.
 */
#ifndef MAILTOKEN_DAEMON_SUPERVISE_H
#define MAILTOKEN_DAEMON_SUPERVISE_H

#include <stdint.h>

/* supervise_fds - how many descriptors were handed over (from 3 on); the
 * variables that said so are unset. */
int supervise_fds(void);

void supervise_ready(void);
void supervise_status(const char *sentence);
void supervise_reloading(void);
void supervise_stopping(void);
void supervise_alive(void);

/* supervise_watchdog_ms - how often to call supervise_alive(); 0: never. */
int64_t supervise_watchdog_ms(void);

#endif
