/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * presets - what is known about providers, as data: presets.conf
 *
 * Knows no rule.  Read by provider*.c alone.  A row holds no client id:
 * whoever runs the helper registers an application of his own, or the helper
 * does where the provider lets anybody (RFC 7591).
 * {tenant} in a URL stands for the profile's tenant.
 */
#ifndef MAILTOKEN_OAUTH_PRESETS_H
#define MAILTOKEN_OAUTH_PRESETS_H

#include "oauth/provider.h"

#define PRESET_SERVERS_MAX 8
#define PRESET_DOMAINS_MAX 12
#define PRESET_MX_MAX	   4

/* All strings may be NULL but name and title. */
struct preset {
	const char *name;
	const char *cloud_of; /* the preset this is a cloud of */
	const char *cloud;    /* its word there */
	const char *title;
	enum provider_family family;
	enum flow_kind flow; /* FLOW_NONE: data only, nobody tried it */
	const char *tenant;  /* unless the profile names one */
	const char *issuer;
	const char *authorization_endpoint;
	const char *token_endpoint;
	const char *old_token_host; /* which other programs still use */
	const char *device_authorization_endpoint;
	const char *revocation_endpoint;
	const char *registration_endpoint;
	const char *no_device;	     /* why not to sign in by a code */
	bool short_device_grant;     /* polls with device_code and code */
	bool returns_iss;	     /* RFC 9207 */
	const char *authorize_extra; /* fields of the authorization URL */
	const char *scope_smtp;
	const char *scope_imap;
	const char *scope_pop;
	const char *scope_more; /* refresh token and id_token */
	const char *scope_app;	/* client credentials: instead of all these */
	const char *servers[PRESET_SERVERS_MAX];
	const char *domains[PRESET_DOMAINS_MAX]; /* of mail addresses */
	const char *mx[PRESET_MX_MAX]; /* domains its mail exchangers are in */
	const char *sign_out_page;
	int64_t min_validity_s;
};

/* preset_find - the row of that name, or NULL. */
const struct preset *preset_find(const char *name);

/* preset_at - the rows in order; NULL behind the last. */
const struct preset *preset_at(size_t i);

/*
 * preset_in_cloud - the row for that cloud of a preset; "public" is the
 * preset itself; NULL when it has no such cloud.
 */
const struct preset *preset_in_cloud(const struct preset *preset,
    const char *cloud);

#endif
