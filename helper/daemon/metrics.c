/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Counting what takes more than "++".
 */
#include "daemon/metrics.h"

#include <stdlib.h>

const int64_t metrics_bounds_ms[METRICS_BUCKETS] = { 50, 100, 250, 500, 1000,
	2500, 5000, 10000, 20000, 60000 };

/* A name stays although its block is gone: what was counted was counted. */
static struct metrics_provider *of(struct metrics *metrics, const char *name)
{
	struct metrics_provider *provider = metrics->providers;
	size_t n = strlen(name) + 1;

	while (provider != NULL && strcmp(provider->name, name) != 0)
		provider = provider->next;
	if (provider != NULL)
		return provider;
	provider = calloc(1, sizeof(*provider) + n);
	if (provider == NULL)
		return NULL;
	memcpy(provider->name, name, n);
	provider->next = metrics->providers;
	metrics->providers = provider;
	return provider;
}

void metrics_refreshed(struct metrics *metrics, const char *provider,
    enum fault fault, int64_t ms)
{
	struct metrics_provider *counted = of(metrics, provider);
	size_t i = 0;

	if (counted != NULL)
		counted->refreshes[fault]++;
	if (ms < 0)
		return;
	while (i < METRICS_BUCKETS && ms > metrics_bounds_ms[i])
		i++;
	metrics->took[i]++;
	metrics->took_ms += ms;
}

void metrics_drop(struct metrics *metrics)
{
	struct metrics_provider *provider;

	while ((provider = metrics->providers) != NULL) {
		metrics->providers = provider->next;
		free(provider);
	}
}
