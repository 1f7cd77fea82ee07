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

enum foreign_text {
	FOREIGN_USER, /* sent to mail servers, or the address */
	FOREIGN_REFRESH_TOKEN,
	FOREIGN_CLIENT_ID,
	FOREIGN_CLIENT_SECRET,
	FOREIGN_TOKEN_ENDPOINT,
	FOREIGN_SCOPE, /* to be sent when renewing */
	FOREIGN_PROXY,
	FOREIGN_CA_FILE,
	FOREIGN_CA_PATH,
	FOREIGN_TEXTS
};

/* What each of them is in a record. */
extern const char *const foreign_attrs[FOREIGN_TEXTS];

/* Texts are NULL where the files do not say; of the two objects the first goes
 * before the second, which may be NULL. */
struct foreign {
	struct json_t *objects[2]; /* what the texts point into */
	const char *texts[FOREIGN_TEXTS];
	int64_t margin_s; /* 0: not said */
	bool assumed;	  /* nobody says the token_endpoint: Google's */
};

/*
 * foreign_sasl_xoauth2 - token is the token file; defaults the other one, or
 * empty
 *
 * foreign_out  out: for foreign_drop(), whatever comes of it
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
