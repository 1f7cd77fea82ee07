/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is said, in whose log or on whose terminal.
 */
#include "daemon/expiry.h"

#include <stdio.h>
#include <time.h>

#include "daemon/clock.h"
#include "oauth/assertion.h"

#define SOON_S (30 * 86400) /* a certificate is ordered in weeks */

static void tell_one(const char *provider, const char *key, int64_t ends_s,
    expiry_say_fn *say, void *ctx)
{
	int64_t left_s = ends_s - clock_wall_s();
	time_t ends = (time_t)ends_s;
	char text[200], how[32] = "has expired";
	struct tm day;

	if (ends_s == 0 || left_s > SOON_S)
		return;
	if (left_s > 0 && gmtime_r(&ends, &day) != NULL)
		(void)strftime(how, sizeof(how), "expires on %Y-%m-%d", &day);
	(void)snprintf(text, sizeof(text),
	    "provider '%s': %s: it %s; make a new one at the provider",
	    provider, key, how);
	say(ctx, text);
}

void expiry_tell(const struct config *config, expiry_say_fn *say, void *ctx)
{
	size_t i;

	for (i = 0; i < config->n_providers; i++) {
		const struct provider *provider = config->providers[i];

		tell_one(provider->name, "client_secret_expires",
		    provider->client_secret_expires_s, say, ctx);
		if (provider->key != NULL)
			tell_one(provider->name, "certificate",
			    assertion_key_ends_s(provider->key), say, ctx);
	}
}

static void log_it(void *ctx, const char *text)
{
	(void)ctx;
	log_event(LOG_LEVEL_WARNING, "expiry", "%s", text);
}

void expiry_log(const struct config *config)
{
	if (config != NULL)
		expiry_tell(config, log_it, NULL);
}
