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
#include "daemon/plan.h"
#include "oauth/reply.h"
#include "store/entry.h"

/*
 * grant_provider - the profile that may renew this entry
 *
 * FAULT_CONFIG_ERROR, with both sides and the command in why, when the
 * configuration has no such provider or it is another host, tenant, client
 * or issuer now.  *provider_out is a share: the caller releases it.
 */
enum fault grant_provider(const struct config *config,
    const struct entry *entry, struct provider **provider_out,
    struct why *why) MUST_CHECK;

/*
 * grant_make - a profile of what no block has; values may be NULL
 *
 * config  in: says which protocols it is for; NULL: all
 *
 * FAULT_NOT_FOUND for a preset that there is not; FAULT_GRAMMAR for a value
 * that cannot be and FAULT_CONFIG_ERROR, with the cure in why; FAULT_NOMEM.
 */
struct grant_profile {
	const char *name;
	const char *preset;
	const char *issuer;
	const char *token_endpoint; /* without a preset it is all there is */
	const char *client_id;
	const struct secret *client_secret;
	bool registered; /* the client is one that the helper registered */
	const char *tenant, *cloud, *scope, *flow;
	const char *authorization_endpoint, *device_authorization_endpoint;
	const char *proxy, *ca_file, *ca_path;
	int64_t min_validity_s;
};
enum fault grant_make(const struct config *config,
    const struct grant_profile *profile, struct provider **provider_out,
    struct why *why) MUST_CHECK;

/*
 * grant_earlier - the profile that somebody signed in with: the block of that
 * name or of the same client, or one without a block whose client the helper
 * registered; the caller's
 *
 * FAULT_NOT_FOUND when it is none such; FAULT_CONFIG_ERROR; FAULT_NOMEM.
 */
enum fault grant_earlier(const struct config *config, const struct entry *entry,
    struct provider **provider_out, struct why *why) MUST_CHECK;

/*
 * grant_settle - what another program's grant becomes where a block describes
 * its client (same id and token host, and a secret if it had one): the block's,
 * which has all else.  FAULT_NOMEM.
 *
 * grant_is_brought - whether the record still brings its client itself
 */
enum fault grant_settle(const struct config *config,
    struct entry *entry) MUST_CHECK;
bool grant_is_brought(const struct entry *entry);

/*
 * grant_complete - base made whole for exchanges of entry: the endpoints of
 * its issuer as found, or with found NULL as they last were, and the client
 * that was registered for it; the caller's
 *
 * FAULT_NOT_FOUND when nothing tells the endpoints; FAULT_CONFIG_ERROR, also
 * when they are at another host than the one that issued the grant;
 * FAULT_NOMEM.
 */
enum fault grant_complete(const struct entry *entry,
    const struct provider *base, const struct provider *found,
    struct provider **provider_out, struct why *why) MUST_CHECK;

/*
 * grant_covers - whether the sign-in was for that SASL service ("smtp",
 * "imap", "pop"; others are nobody's business); why has the command
 */
bool grant_covers(const struct entry *entry, struct span service,
    struct why *why);

/*
 * grant_app - a record in memory for an application that signs in for
 * itself: by whom, and no token yet.  FAULT_NOMEM.
 *
 * grant_is_of - whether the record's token is what the profile would get
 */
enum fault grant_app(const char *name, const struct provider *provider,
    struct entry **entry_out) MUST_CHECK;
bool grant_is_of(const struct entry *entry, const struct provider *provider);

#define GRANT_SERIAL_BYTES 16

/*
 * grant_draw_serial - a name for the next access token that tells nothing of
 * it; before a refresh token or code is spent, because it can fail: FAULT_IO
 *
 * serial  out: GRANT_SERIAL_BYTES hex digits and a NUL
 */
enum fault grant_draw_serial(char serial[GRANT_SERIAL_BYTES + 1],
    struct why *why) MUST_CHECK;

struct grant_signin {
	struct span account;
	const struct provider *provider;
	enum flow_kind flow;
	struct span servers; /* added with it, separated by blanks */
	const char *serial;  /* as grant_draw_serial() made it */
};

/*
 * grant_new - the entry of a sign-in: who, by whom it was issued, the tokens
 *
 * token  in/out: its secrets and strings are taken (set NULL)
 *
 * FAULT_NOMEM.
 */
enum fault grant_new(const struct grant_signin *signin,
    struct reply_token *token, const struct now *now,
    struct entry **entry_out) MUST_CHECK;

/*
 * grant_prepare - a copy of entry with room for what a refresh will bring, so
 * that grant_renew() cannot fail once the old token is spent.  FAULT_NOMEM.
 */
enum fault grant_prepare(const struct entry *entry,
    const struct provider *provider, struct entry **next_out) MUST_CHECK;

/* grant_keep - of an answer move a new refresh token alone, if it has one. */
void grant_keep(struct entry *entry, struct reply_token *token,
    const struct now *now);

/* grant_renew - move a refresh's answer into a prepared entry.  serial: as
 * grant_draw_serial() made it, for a token that is new. */
void grant_renew(struct entry *entry, struct reply_token *token,
    const char *serial, const struct now *now);

/*
 * grant_scope - append what a refresh may ask for; nothing: no scope is sent.
 * Faults stick to out and are given back.
 */
#define GRANT_SCOPE_MAX_BYTES 16384
enum fault grant_scope(const struct entry *entry,
    const struct provider *provider, struct buf *out) MUST_CHECK;

/*
 * grant_lacks - the first word of a sign-in's scope that is neither granted
 * nor one that answers leave out (offline_access and the OpenID words), or an
 * empty span
 */
struct span grant_lacks(const struct entry *entry);

/*
 * grant_say_scope - what the provider left out, or that the configuration asks
 * for another scope than the sign-in did, and the command; or nothing
 */
void grant_say_scope(const struct entry *entry, const struct config *config,
    char *out, size_t out_bytes);

/*
 * grant_choose - note the protocols that a sign-in with provider was told to
 * be for, where they decide anything.  FAULT_NOMEM.
 */
enum fault grant_choose(struct entry *entry, const struct provider *provider,
    const char *protocols) MUST_CHECK;

/*
 * grant_say_choice - what came of protocols that were chosen, where it is not
 * what they or the configuration ask for, and what to type; or nothing
 */
void grant_say_choice(const struct entry *entry, const struct config *config,
    const char *protocols, char *out, size_t out_bytes);

#endif
