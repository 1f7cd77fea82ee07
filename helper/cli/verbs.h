/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verbs - what can stand behind "mailtoken"
 *
 * Each verb has a file of its own: it builds a request, asks, prints the
 * answer and returns the exit status.
 */
#ifndef MAILTOKEN_CLI_VERBS_H
#define MAILTOKEN_CLI_VERBS_H

#include "cli/command.h"
#include "cli/outcome.h"

typedef enum outcome verb_fn(struct command *command);

verb_fn login_run, logout_run, status_run, token_run, refresh_run, watch_run,
    import_run, export_run, reload_run, version_run;

#endif
