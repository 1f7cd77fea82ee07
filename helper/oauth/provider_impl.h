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

#define PROVIDER_VALUE_MAX_BYTES 4096

/* provider_slot - where the ith string is that a profile owns; NULL behind the
 * last. */
char **provider_slot(struct provider *provider, size_t i);

/*
 * provider_put - replace a string by a copy; NULL gives NULL.  FAULT_NOMEM,
 * then the old one stays.
 */
enum fault provider_put(char **slot, const char *text) MUST_CHECK;

/*
 * provider_fill - every value that is not set: the preset's, with its tenant
 * for {tenant}, and then found's endpoints and scopes (may be NULL)
 *
 * FAULT_CONFIG_ERROR without a tenant for {tenant}, or for a URL that is too
 * long with it, with why; FAULT_NOMEM.
 */
enum fault provider_fill(struct provider *provider,
    const struct provider *found, struct why *why) MUST_CHECK;

/*
 * provider_check - what a profile needs that has been filled: as
 * provider_check_flow() of its flow, which a sign-in may have to name
 */
enum fault provider_check(const struct provider *provider,
    struct why *why) MUST_CHECK;

#endif
