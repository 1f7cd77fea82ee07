/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * provider_impl - what the files of provider share among themselves
 *
 * Included by provider*.c only.
 */
#ifndef MAILTOKEN_OAUTH_PROVIDER_IMPL_H
#define MAILTOKEN_OAUTH_PROVIDER_IMPL_H

#include "oauth/presets.h"
#include "oauth/provider.h"

#define PROVIDER_VALUE_MAX_BYTES    4096
#define PROVIDER_MIN_VALIDITY_MAX_S 86400

/*
 * provider_put - replace a string by a copy; NULL gives NULL.  FAULT_NOMEM,
 * then the old one stays.
 */
enum fault provider_put(char **slot, const char *text) MUST_CHECK;

/*
 * provider_bad - "provider 'NAME': KEY TEXT" in why; FAULT_GRAMMAR, always
 */
enum fault provider_bad(const struct provider *provider, const char *key,
    const char *text, struct why *why) MUST_CHECK;

/* provider_copy - one that may still be changed.  FAULT_NOMEM. */
enum fault provider_copy(const struct provider *from,
    struct provider **copy_out) MUST_CHECK;

/*
 * provider_app_flow - the flow that the credentials leave no choice of, or
 * FLOW_NONE
 */
enum flow_kind provider_app_flow(const struct provider *provider);

/*
 * provider_check - what every flow needs, then provider_check_flow() of its
 * own unless a sign-in has to name it.  FAULT_CONFIG_ERROR with why.
 * provider_check_client - all of that but the token endpoint.
 */
enum fault provider_check(const struct provider *provider,
    struct why *why) MUST_CHECK;
enum fault provider_check_client(const struct provider *provider,
    struct why *why) MUST_CHECK;

/*
 * provider_derive_scope - the scope unless one was set, and what it covers
 *
 * FAULT_TOO_BIG, FAULT_NOMEM.
 */
enum fault provider_derive_scope(struct provider *provider) MUST_CHECK;

#endif
