/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * metrics - what the helper counts, as a page that is scraped
 */
#ifndef MAILTOKEN_CLI_METRICS_H
#define MAILTOKEN_CLI_METRICS_H

#include "cli/command.h"

enum metrics_format {
	METRICS_OPEN, /* OpenMetrics 1.0 */
	METRICS_TEXT  /* Prometheus's text format 0.0.4 */
};

/*
 * metrics_page - ask the helper, and append the whole page to out
 *
 * Where no helper works the page says that and no more, and the outcome is
 * not OUTCOME_DONE; there is none for OUTCOME_DENIED.  What went wrong has
 * been told, also where out has a fault.
 */
enum outcome metrics_page(struct command *command, enum metrics_format format,
    struct buf *out);

#endif
