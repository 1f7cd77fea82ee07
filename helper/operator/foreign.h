/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * foreign - token files of other programs
 *
 * sasl-xoauth2 (sasl-xoauth2.conf(5): a token file a user, JSON, and
 * defaults in /etc/sasl-xoauth2.conf that it may replace) and mutt_oauth2.py
 * (one JSON object, decrypted).  Only what it takes to renew is read: access
 * tokens are left, because nothing says how long they were granted for.
 * Knows no keyring and checks no URL.
 */
#ifndef MAILTOKEN_OPERATOR_FOREIGN_H
#define MAILTOKEN_OPERATOR_FOREIGN_H

#include "wire/buf.h"

#define FOREIGN_MARGIN_MAX_S 86400

/* Strings are NULL where the files do not say. */
struct foreign {
	struct secret *refresh_token;
	struct secret *client_secret;
	char *client_id;
	char *token_endpoint;
	char *user;  /* sent to mail servers, or the address */
	char *scope; /* to be sent when renewing */
	char *proxy;
	char *ca_file;
	char *ca_path;
	int64_t margin_s; /* 0: not said */
	bool assumed;	  /* nobody says the token_endpoint: Google's */
};

/*
 * foreign_sasl_xoauth2 - token is the token file; defaults the other one, or
 * empty
 *
 * foreign_out  out: for foreign_drop()
 *
 * FAULT_GARBLED with what is wrong in why, free of any value; FAULT_NOMEM.
 */
enum fault foreign_sasl_xoauth2(struct span token, struct span defaults,
    struct foreign *foreign_out, struct why *why) MUST_CHECK;

/* foreign_mutt_oauth2 - likewise, from the decrypted file. */
enum fault foreign_mutt_oauth2(struct span token, struct foreign *foreign_out,
    struct why *why) MUST_CHECK;

void foreign_drop(struct foreign *foreign);

#endif
