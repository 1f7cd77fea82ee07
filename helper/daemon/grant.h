/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * grant - what ties a keyring entry to the provider that issued it
 *
 * The only place that compares the two and that moves a provider's answer
 * into an entry.  A refresh token goes nowhere but to the host that issued
 * it, for the tenant and client it was issued to.
 */
#ifndef MAILTOKEN_DAEMON_GRANT_H
#define MAILTOKEN_DAEMON_GRANT_H

#include "daemon/config.h"
#include "daemon/life.h"
#include "oauth/reply.h"
#include "store/entry.h"

/*
 * grant_provider - the profile that may renew this entry
 *
 * FAULT_CONFIG_ERROR, with both sides and the command in why, when the
 * configuration has no such provider or it is another host, tenant, client
 * or issuer now.  *provider_out is the configuration's, not shared.
 */
enum fault grant_provider(const struct config *config,
    const struct entry *entry, struct provider **provider_out,
    struct why *why) MUST_CHECK;

/*
 * grant_serves - whether a token of entry may go to server: the provider's
 * servers, those kept at sign-in, those of the account's block
 */
bool grant_serves(const struct config *config, const struct entry *entry,
    const struct provider *provider, struct span server);

/*
 * grant_new - the entry of a sign-in: who, by whom it was issued, the tokens
 *
 * token    in/out: its secrets and strings are taken (set NULL)
 * servers  in: added with the sign-in, separated by blanks
 *
 * FAULT_NOMEM.
 */
enum fault grant_new(struct span account, const struct provider *provider,
    enum flow_kind flow, struct span servers, struct reply_token *token,
    const struct now *now, struct entry **entry_out) MUST_CHECK;

/*
 * grant_prepare - a copy of entry with room for what a refresh will bring, so
 * that grant_renew() cannot fail once the old token is spent.  FAULT_NOMEM.
 */
enum fault grant_prepare(const struct entry *entry,
    const struct provider *provider, struct entry **next_out) MUST_CHECK;

/* grant_renew - move a refresh's answer into a prepared entry. */
void grant_renew(struct entry *next, struct reply_token *token,
    const struct now *now);

/*
 * grant_lacks - the first word of a sign-in's scope that is neither granted
 * nor one that answers leave out (offline_access and the OpenID words), or an
 * empty span
 */
struct span grant_lacks(const struct entry *entry);

#endif
