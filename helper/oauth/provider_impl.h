/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * provider_impl - what the files of provider share among themselves
 *
 * Included by provider*.c only.
 */
#ifndef MAILTOKEN_OAUTH_PROVIDER_IMPL_H
#define MAILTOKEN_OAUTH_PROVIDER_IMPL_H

#include "oauth/provider.h"

#define PROVIDER_URL_MAX_BYTES	    2048
#define PROVIDER_VALUE_MAX_BYTES    4096
#define PROVIDER_MIN_VALIDITY_MAX_S 86400

/* What provider.raw holds until the profile is finished. */
enum provider_raw {
	PROVIDER_RAW_CLOUD
};

/*
 * provider_put - replace a string by a copy; NULL gives NULL.  FAULT_NOMEM,
 * then the old one stays.
 */
enum fault provider_put(char **slot, const char *text) MUST_CHECK;

/* provider_copy_keys - all values that keys set.  FAULT_NOMEM. */
enum fault provider_copy_keys(const struct provider *from,
    struct provider *to) MUST_CHECK;

/* provider_protocols_check - FAULT_GRAMMAR with the cure in why. */
enum fault provider_protocols_check(const struct provider *provider,
    const char *value, struct why *why) MUST_CHECK;

/*
 * provider_settle - what follows once all endpoints that can be known are
 * there: flow, checks, scope.  FAULT_CONFIG_ERROR, FAULT_NOMEM.
 */
enum fault provider_settle(struct provider *provider,
    struct why *why) MUST_CHECK;

/*
 * provider_derive_scope - the scope unless one was set, and what it covers;
 * row is NULL where there is no preset.  FAULT_TOO_BIG, FAULT_NOMEM.
 */
struct preset;
enum fault provider_derive_scope(struct provider *provider,
    const struct preset *row) MUST_CHECK;

/* provider_key_slot - where the string of a key is kept, or NULL. */
char **provider_key_slot(struct provider *provider, const char *key);

/*
 * provider_url_check - an endpoint: https, a host, no user name, no fragment
 *
 * FAULT_GRAMMAR with the cure in why.
 */
enum fault provider_url_check(const struct provider *provider, const char *key,
    const char *url, struct why *why) MUST_CHECK;

#endif
