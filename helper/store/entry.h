/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * entry - one account's record, and its form as an attribute list
 *
 * Owns the record of a keyring file: what a sign-in produced and what it was
 * issued by.  The file is an attribute list (wire/attr) whose first attribute
 * is mailtoken-entry=1; there is no second parser.  Unknown names are
 * ignored when read.  Names and forms: mailtokend(8), KEYRING.
 */
#ifndef MAILTOKEN_STORE_ENTRY_H
#define MAILTOKEN_STORE_ENTRY_H

#include "wire/attr.h"

/* What the last exchange left behind; BACKOFF and REFRESHING are not kept. */
enum entry_state {
	ENTRY_ACTIVE,
	ENTRY_LOGIN_NEEDED,
	ENTRY_CONFIG_ERROR
};

/*
 * All strings are terminated and owned by the entry; NULL means "not said".
 * Set them with string_set().  Times are unix seconds, 0 for "not said".
 */
struct entry {
	char *account;	/* 1..254 bytes, as it signed in */
	char *login;	/* what goes into user=, if not the account */
	char *provider; /* name of the profile */
	char *flow;	/* the grant that made it: device, ... */
	char *issuer;
	char *token_host; /* the only host the refresh token may go to */
	char *tenant;
	char *client_id;
	char *servers;	      /* mail servers, separated by blanks */
	char *token_endpoint; /* endpoints last used */
	char *device_authorization_endpoint;
	char *authorization_endpoint; /* of an issuer, as last discovered */
	char *revocation_endpoint;
	char *protocols;	/* what the scope is good for, if it tells */
	char *chosen_protocols; /* named for the sign-in, or NULL */
	char *scope;		/* as asked for at sign-in */
	char *granted_scope;	/* as the provider answered, if it did */
	char *identity;		/* who signed in, as the provider says */
	char *serial;		/* of the access token; 1..32 of [0-9a-f] */
	char *rejected_serial;	/* of the last token a mail server refused */
	char *rejected_server;	/* ... which one, */
	char *rejected_service; /* for what */
	char *text;		/* the sentence of the last failure */
	char *failing;		/* the answer that it fails with since ... */
	char *proxy;		/* what an imported client needs */
	char *ca_file;
	char *ca_path;
	char *fleet_cluster; /* whose revision; 1..16 of [0-9a-f] */
	struct secret *refresh_token;
	struct secret *access_token;
	struct secret *client_secret;
	int64_t expires_s;	 /* of the access token */
	int64_t granted_s;	 /* life it was given, in seconds */
	int64_t refresh_in_s;	 /* the provider's advice, in seconds */
	int64_t refreshed_s;	 /* when the access token was received */
	int64_t grant_expires_s; /* when the refresh token lapses, if said */
	int64_t signed_in_s;
	int64_t asked_s; /* when a token was last asked for */
	int64_t margin_s;
	int64_t rejected_s;   /* since when that server refuses */
	int64_t registered_s; /* when the helper registered client_id */
	int64_t failing_s;    /* ... then */
	int64_t not_before_s; /* the refresh token may be spent: wait so long */
	int64_t client_secret_expires_s; /* as the server said then */
	int64_t secret_by_basic; /* 1: client_secret goes by HTTP Basic */
	int64_t fleet_revision;	 /* of the shared record this one comes from */
	int64_t fleet_unput;	 /* 1: this one is newer than the shared one */
	int64_t fleet_put_s; /* when that was put, by who did; 0 in a file */
	enum entry_state state;
};

/* entry_new - an empty record; FAULT_NOMEM. */
enum fault entry_new(struct entry **entry_out) MUST_CHECK;

/* entry_free - wipe and free; NULL is allowed. */
void entry_free(struct entry *entry);

/* entry_copy - a deep copy; FAULT_NOMEM. */
enum fault entry_copy(const struct entry *entry,
    struct entry **entry_out) MUST_CHECK;

/*
 * entry_put - all it holds into a list of another kind; faults as those of
 * entry_encode(), which attr_end() returns
 * entry_take - the record in a parsed list, of whatever first attribute;
 * faults as those of entry_decode()
 */
void entry_put(const struct entry *entry, struct attr_writer *writer);
enum fault entry_take(const struct attrs *attrs,
    struct entry **entry_out) MUST_CHECK;

/*
 * entry_encode - append the list to buf (limit ENTRY_MAX_BYTES)
 *
 * FAULT_GRAMMAR when a string has bytes a list cannot carry or a token is
 * not one; FAULT_TOO_BIG; FAULT_NOMEM.
 */
enum fault entry_encode(const struct entry *entry, struct buf *buf) MUST_CHECK;

/*
 * entry_decode - read one list
 *
 * FAULT_GRAMMAR for anything but a whole list with account and provider and
 * legal values; FAULT_TOO_BIG; FAULT_NOMEM.
 */
enum fault entry_decode(struct span list, struct entry **entry_out) MUST_CHECK;

#endif
