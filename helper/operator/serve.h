/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * serve - `mailtoken metrics --listen`: the page over HTTP, for who scrapes
 */
#ifndef MAILTOKEN_OPERATOR_SERVE_H
#define MAILTOKEN_OPERATOR_SERVE_H

#include "cli/command.h"

/* serve_metrics - until it is killed; returns where it cannot listen. */
verb_fn serve_metrics;

#endif
