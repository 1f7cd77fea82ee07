/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sink - where log lines go; never waits
 *
 * stderr with "<N>" prefixes under a supervisor that reads it
 * (JOURNAL_STREAM names it, or there is no /dev/log), else syslog LOG_MAIL;
 * never both.
 */
#ifndef MAILTOKEN_DAEMON_SINK_H
#define MAILTOKEN_DAEMON_SINK_H

#include <stddef.h>

#include "wire/fault.h"

#define SINK_LINE_MAX_BYTES 2048

/* sink_open - choose it; once, after stray descriptors are closed. */
void sink_open(void);

/* sink_write - a line without its LF, of syslog's level; false when it
 * cannot be taken at once. */
bool sink_write(int level, const char *text, size_t n) MUST_CHECK;

#endif
