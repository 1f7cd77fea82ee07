/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * metrics - counters of what has happened since the start
 *
 * Held by value by the engine; verbs_metrics.c says them.
 */
#ifndef MAILTOKEN_DAEMON_METRICS_H
#define MAILTOKEN_DAEMON_METRICS_H

#include "wire/fault.h"

#define METRICS_FAULTS	(FAULT_READ_ONLY + 1)
#define METRICS_BUCKETS 10
#define METRICS_OTHERS	"other" /* providers without a block */

/* The refreshes of one provider, by how they ended. */
struct metrics_provider {
	struct metrics_provider *next;
	uint64_t refreshes[METRICS_FAULTS];
	char name[];
};

struct metrics {
	uint64_t token_requests[METRICS_FAULTS];
	struct metrics_provider *providers;
	uint64_t took[METRICS_BUCKETS + 1]; /* exchanges, each in the first
					      that has room; the last has
					      no end */
	int64_t took_ms;		    /* all together */
};

/* What the buckets have room for. */
extern const int64_t metrics_bounds_ms[METRICS_BUCKETS];

/*
 * metrics_refreshed - count a refresh
 *
 * provider  in: of the configuration, or METRICS_OTHERS
 * fault     in: as who waited was told
 * ms        in: how long the exchange took; -1: there was none
 *
 * Without memory a new provider's is not counted.
 */
void metrics_refreshed(struct metrics *metrics, const char *provider,
    enum fault fault, int64_t ms);

void metrics_drop(struct metrics *metrics);

#endif
