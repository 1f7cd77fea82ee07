/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * provider - a checked, immutable profile of an authorization server
 *
 * Made in three steps: provider_new() names a preset, provider_set() takes
 * the administrator's values, provider_finish() fills in the preset's and what
 * follows from all of them, and checks the whole.  From then on it is shared
 * by counting and never changes, so that an exchange in flight ends with the
 * profile it began with.
 */
#ifndef MAILTOKEN_OAUTH_PROVIDER_H
#define MAILTOKEN_OAUTH_PROVIDER_H

#include "oauth/presets.h"
#include "wire/buf.h"

struct assertion_key;

enum provider_family {
	PROVIDER_STANDARD,  /* RFC 6749 and nothing else */
	PROVIDER_MICROSOFT, /* AADSTS numbers, scope on refresh */
	PROVIDER_GOOGLE	    /* revokes by token alone */
};

enum flow_kind {
	FLOW_NONE, /* not chosen yet */
	FLOW_DEVICE,
	FLOW_BROWSER,
	FLOW_CLIENT_CREDENTIALS,
	FLOW_SERVICE_ACCOUNT
};

/* How the client's secret is sent: RFC 6749 section 2.3.1. */
enum secret_way {
	SECRET_WAY_UNKNOWN,
	SECRET_WAY_POST,
	SECRET_WAY_BASIC
};

/* Read-only for all but provider*.c; strings may be NULL. */
struct provider {
	unsigned users;
	char *name;		  /* of the profile */
	const char *preset;	  /* NULL: defined by its endpoints */
	const struct preset *row; /* of preset, in the cloud; or NULL */
	enum provider_family family;
	char *issuer;
	char *authorization_endpoint;
	char *token_endpoint;
	char *token_host; /* of that, as url_host() writes it */
	char *device_authorization_endpoint;
	char *revocation_endpoint;
	char *registration_endpoint;
	char *userinfo_endpoint; /* of the issuer's metadata only */
	char *client_id;
	struct secret *client_secret;
	int64_t client_secret_expires_s; /* unix seconds; 0: not said */
	enum secret_way secret_way;	 /* as the server said */
	struct assertion_key *key;	 /* of a certificate or a service
					   account; NULL: none */
	char *assertion_file;		 /* read anew for each exchange */
	char *tenant;
	char *cloud;
	char *scope;	 /* what a sign-in asks for */
	char *protocols; /* "smtp imap pop" or fewer */
	enum flow_kind flow;
	char *servers;		/* names or "*.suffix", with blanks */
	char *extra;		/* further fields, as a form */
	int64_t min_validity_s; /* 0: the general rule */
	uint16_t redirect_port; /* of this computer, where a browser
					   comes back; 0: any */
	char *redirect_uri;	/* of another place, then what the
					   browser ends at is pasted; NULL:
					   this computer */
	char *ca_file;
	char *ca_path;
	char *proxy;
	char *scopes_supported; /* as discovery told, or NULL */
	char *covers;		/* which protocols the scope is good
					   for; NULL: it does not tell */
	bool returns_iss;	/* RFC 9207: iss must come back */
	bool untried;		/* data only: flow must be named */
	bool incomplete;	/* endpoints are at its issuer */
	bool registers;		/* no client id: register one */
	bool registered;	/* its client is one that it registered */
	bool scope_derived;	/* from protocols, not written */
};

/*
 * provider_new - an unfinished profile
 *
 * name    in: its name
 * preset  in: a built-in preset, or NULL when it is defined by endpoints
 *
 * FAULT_NOT_FOUND for an unknown preset; FAULT_NOMEM.
 */
enum fault provider_new(const char *name, const char *preset,
    struct provider **provider_out) MUST_CHECK;

/*
 * provider_set - one key of mailtoken.conf(5) as a text: lists have blanks
 * between their words; of extra, which may come again, one "name=value"
 *
 * FAULT_NOT_FOUND for a key that is none of the provider's; FAULT_GRAMMAR
 * for a value that cannot be, with the cure in why; FAULT_NOMEM.
 */
enum fault provider_set(struct provider *provider, const char *key,
    const char *value, struct why *why) MUST_CHECK;

/* provider_is_placeholder - whether text, terminated, is what samples have
 * where a value is to be written: "CLIENT_ID_GOES_HERE", "YOUR_...", "...", ids of digits */
bool provider_is_placeholder(struct span text);

/* provider_set_secret - takes a copy; an empty one is as none. */
enum fault provider_set_secret(struct provider *provider,
    const struct secret *secret) MUST_CHECK;

/*
 * provider_finish - expand {tenant} and {cloud}, derive the scope from
 * protocols where none is given, check that endpoints are https, that a token
 * endpoint and a client id are there, that the flow can work
 *
 * A profile defined by its endpoints alone asks for "openid email
 * offline_access" unless scope says otherwise (scope "" sends none): who
 * signed in, and a refresh token; with client credentials for nothing.  With
 * no protocols at all (default_protocols NULL) it is all three.  Without a
 * flow it is the preset's, else device, browser or client-credentials,
 * whichever first can work.  One that has an issuer and no endpoints is
 * incomplete: provider_change() makes it whole with what discovery found.
 * One without client_id registers where it has an endpoint for that.
 *
 * FAULT_CONFIG_ERROR with one sentence in why that names the key and says
 * what to write; FAULT_NOMEM.
 */
enum fault provider_finish(struct provider *provider,
    const char *default_protocols, struct why *why) MUST_CHECK;

/*
 * provider_change - a finished copy of base with some values changed: what
 * discovery found (where base has no endpoint of its own), the client that
 * was registered, other protocols and the scope that follows from them
 *
 * Members may be NULL.  FAULT_CONFIG_ERROR with the cure in why;
 * FAULT_GRAMMAR for bad protocols; FAULT_NOMEM.
 */
struct provider_change {
	const struct provider *found; /* need not be finished */
	const char *client_id;
	const struct secret *client_secret;
	enum secret_way secret_way; /* of that client */
	const char *protocols;
};
enum fault provider_change(const struct provider *base,
    const struct provider_change *change, struct provider **provider_out,
    struct why *why) MUST_CHECK;

/*
 * provider_check_flow - whether a sign-in by this flow can work: endpoints,
 * secrets, and what is known of the provider; FLOW_NONE never can
 *
 * FAULT_CONFIG_ERROR with the cure in why.
 */
enum fault provider_check_flow(const struct provider *provider,
    enum flow_kind kind, struct why *why) MUST_CHECK;

/* provider_set_key - takes a share; what was there is released. */
void provider_set_key(struct provider *provider, struct assertion_key *key);

/*
 * provider_is_app_only - whether the application signs in for itself: no
 * person, no refresh token, nothing in a keyring
 */
bool provider_is_app_only(const struct provider *provider);

/* provider_share - one more user of a finished profile; returns it. */
struct provider *provider_share(struct provider *provider);

/* provider_release - one user less; the last frees and wipes.  NULL ok. */
void provider_release(struct provider *provider);

/*
 * provider_serves - whether a token of this provider may go to server: one of
 * its servers, or, when it has none, account's domain or a name below that;
 * extra_servers (separated by blanks, may be NULL) count as well.  Letters'
 * case and one trailing dot do not matter; "*.x" never matches "x".
 */
bool provider_serves(const struct provider *provider, struct span account,
    const char *extra_servers, struct span server);

/* flow_kind_word, flow_kind_from_word - "device", "browser", ... */
const char *flow_kind_word(enum flow_kind kind);
enum fault flow_kind_from_word(struct span word,
    enum flow_kind *kind_out) MUST_CHECK;

/*
 * For provider*.c only.
 *
 * provider_slot - where the ith string is that a profile owns; NULL behind the
 * last
 *
 * provider_fill - every value that is not set: the preset's, with its tenant
 * for {tenant}, and then found's endpoints and scopes (may be NULL).
 * FAULT_CONFIG_ERROR without a tenant for {tenant}, or for a URL that is too
 * long with it, with why; FAULT_NOMEM.
 *
 * provider_check - what a profile needs that has been filled: as
 * provider_check_flow() of its flow, which a sign-in may have to name
 */
#define PROVIDER_VALUE_MAX_BYTES 4096
char **provider_slot(struct provider *provider, size_t i);
enum fault provider_fill(struct provider *provider,
    const struct provider *found, struct why *why) MUST_CHECK;
enum fault provider_check(const struct provider *provider,
    struct why *why) MUST_CHECK;

#endif
