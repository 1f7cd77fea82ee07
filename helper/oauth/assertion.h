/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * assertion - signed JWTs that stand in for a secret or a sign-in
 *
 * RFC 7523 over RFC 7515 and 7518: client assertions with a certificate
 * (PS256, or RS256 where it is asked for; x5t#S256 in the header), and the
 * grants of Google's service accounts (RS256, kid).  A key is made once,
 * checked, shared by counting and never changes.  Reads no file and no
 * clock.
 */
#ifndef MAILTOKEN_OAUTH_ASSERTION_H
#define MAILTOKEN_OAUTH_ASSERTION_H

#include "wire/buf.h"

#define ASSERTION_MAX_BYTES	       16384 /* header, claims and signature */
#define ASSERTION_KEY_FILE_MAX_BYTES   65536
#define ASSERTION_PASSPHRASE_MAX_BYTES 1024

struct assertion_key;

enum assertion_algorithm {
	ASSERTION_PS256,
	ASSERTION_RS256
};

/*
 * assertion_key_new - a private key and the certificate that names it
 *
 * certificate  in: PEM; the first certificate in it counts
 * key          in: PEM, RSA of 2048 bits or more; may be the same bytes
 * passphrase   in: of an encrypted key, or NULL; nobody is ever asked
 *
 * FAULT_CONFIG_ERROR with what is wrong and what to do in why (no file name
 * in it): no certificate, no key, not RSA, too small, passphrase missing or
 * wrong, certificate of another key; FAULT_NOMEM.
 */
struct assertion_source {
	struct span certificate;
	struct span key;
	const struct secret *passphrase;
	enum assertion_algorithm algorithm;
};
enum fault assertion_key_new(const struct assertion_source *source,
    struct assertion_key **key_out, struct why *why) MUST_CHECK;

/*
 * assertion_key_from_google - the JSON key file of a service account; its
 * token_uri is not believed
 *
 * FAULT_CONFIG_ERROR with why as above; FAULT_NOMEM.
 */
enum fault assertion_key_from_google(struct span json,
    struct assertion_key **key_out, struct why *why) MUST_CHECK;

struct assertion_key *assertion_key_share(struct assertion_key *key);
void assertion_key_release(struct assertion_key *key);

/* assertion_key_issuer - the service account's address, or NULL. */
const char *assertion_key_issuer(const struct assertion_key *key);

/* assertion_key_ends_s - end of the certificate, unix seconds; 0: none. */
int64_t assertion_key_ends_s(const struct assertion_key *key);

/*
 * assertion_sign - append a JWT (RFC 7515 section 3.1) to out, which holds a
 * secret afterwards
 *
 * issuer, subject, audience  in: UTF-8
 * scope   in: NULL: no such claim
 * now_s   in: unix seconds; goes into iat and nbf
 * life_s  in: how long it is good for
 *
 * FAULT_CONFIG_ERROR when the certificate has ended or not begun, with why;
 * FAULT_NOMEM, FAULT_TOO_BIG, FAULT_INTERNAL (OpenSSL, why).
 */
struct assertion_claims {
	const char *issuer;
	const char *subject;
	const char *audience;
	const char *scope;
	int64_t now_s;
	int64_t life_s;
};
enum fault assertion_sign(const struct assertion_key *key,
    const struct assertion_claims *claims, struct buf *out,
    struct why *why) MUST_CHECK;

#endif
