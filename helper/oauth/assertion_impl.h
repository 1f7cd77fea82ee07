/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * assertion_impl - the inside of a key, for assertion.c and assertion_key.c
 */
#ifndef MAILTOKEN_OAUTH_ASSERTION_IMPL_H
#define MAILTOKEN_OAUTH_ASSERTION_IMPL_H

#include <openssl/evp.h>

#include "oauth/assertion.h"

#define ASSERTION_DIGEST_BYTES 32 /* SHA-256 */

struct assertion_key {
	unsigned users;
	EVP_PKEY *key; /* OpenSSL wipes it */
	enum assertion_algorithm algorithm;
	bool has_certificate;
	unsigned char thumbprint[ASSERTION_DIGEST_BYTES]; /* x5t#S256 */
	int64_t begins_s; /* of the certificate */
	int64_t ends_s;
	char *issuer; /* Google's client_email, or NULL */
	char *id;     /* Google's private_key_id, or NULL */
};

#endif
