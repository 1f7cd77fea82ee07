/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * verbs - what mailtoken-operator does for mailtoken
 */
#ifndef MAILTOKEN_OPERATOR_VERBS_H
#define MAILTOKEN_OPERATOR_VERBS_H

#include "cli/command.h"

/*
 * import_foreign - sasl-xoauth2's and mutt_oauth2.py's files, read with the
 * rights of who runs this, to the helper, one record each
 * serve_metrics - metrics --listen, until it is killed
 * setup_run - its words say which part
 */
verb_fn explain_run, import_foreign, serve_metrics, setup_run;

#endif
