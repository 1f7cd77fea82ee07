/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Header, claims, signature: RFC 7515 section 3.1, compact serialisation.
 */
#include "oauth/assertion.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <time.h>

#include "oauth/assertion_impl.h"
#include "wire/base64.h"

#define SIGNATURE_MAX_BYTES 2048 /* RSA of 16384 bits */
#define JTI_BYTES	    16

static void show_day(int64_t time_s, char *out, size_t out_bytes)
{
	time_t time = (time_t)time_s;
	struct tm tm;

	if (gmtime_r(&time, &tm) == NULL ||
	    strftime(out, out_bytes, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		(void)snprintf(out, out_bytes, "a day that is no date");
}

static enum fault check_dates(const struct assertion_key *key, int64_t now_s,
    struct why *why)
{
	char day[48];

	if (!key->has_certificate ||
	    (now_s >= key->begins_s && now_s < key->ends_s))
		return FAULT_NONE;
	if (now_s < key->begins_s) {
		show_day(key->begins_s, day, sizeof(day));
		why_set(why, 0,
		    "the certificate is good from %s on only: set the clock of "
		    "this machine, or wait",
		    day);
	} else {
		show_day(key->ends_s, day, sizeof(day));
		why_set(why, 0,
		    "the certificate has expired on %s: make a new one, upload "
		    "it at the provider, put it in place of the old one and "
		    "run: mailtoken reload",
		    day);
	}
	return FAULT_CONFIG_ERROR;
}

/* Members that are set in order; a fault sticks as a NULL object. */
static void set(json_t **object, const char *name, json_t *value)
{
	if (*object != NULL && value != NULL &&
	    json_object_set_new(*object, name, value) == 0)
		return;
	if (*object == NULL)
		json_decref(value);
	json_decref(*object);
	*object = NULL;
}

static int add_text(const char *text, size_t n, void *ctx)
{
	struct buf *out = ctx;

	buf_add(out, (struct span){ text, n });
	return buf_fault(out) == FAULT_NONE ? 0 : -1;
}

static enum fault add_part(struct buf *out, json_t *object)
{
	struct buf text = BUF_INIT(ASSERTION_MAX_BYTES);
	enum fault fault = FAULT_NOMEM;

	if (object == NULL)
		return fault;
	if (json_dump_callback(object, add_text, &text, JSON_COMPACT) == 0) {
		base64_add_url(out, buf_span(&text));
		fault = buf_fault(out);
	} else if (buf_fault(&text) != FAULT_NONE) {
		fault = buf_fault(&text);
	}
	json_decref(object);
	buf_drop(&text);
	return fault;
}

static enum fault add_header(const struct assertion_key *key, struct buf *out)
{
	json_t *header = json_object();
	struct buf text = BUF_INIT(64);
	enum fault fault;

	set(&header, "alg",
	    json_string(key->algorithm == ASSERTION_PS256 ? "PS256" : "RS256"));
	set(&header, "typ", json_string("JWT"));
	if (key->id != NULL)
		set(&header, "kid", json_string(key->id));
	if (key->has_certificate) {
		base64_add_url(&text,
		    (struct span){ (const char *)key->thumbprint,
			sizeof(key->thumbprint) });
		set(&header, "x5t#S256",
		    text.p != NULL ? json_string(text.p) : NULL);
	}
	fault = add_part(out, header);
	buf_drop(&text);
	return fault;
}

/* RFC 4122 section 4.4: Microsoft wants a GUID */
static enum fault make_jti(char out[40])
{
	unsigned char r[JTI_BYTES];

	if (RAND_bytes(r, sizeof(r)) != 1)
		return FAULT_INTERNAL;
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	(void)snprintf(out, 40,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10],
	    r[11], r[12], r[13], r[14], r[15]);
	return FAULT_NONE;
}

static enum fault add_claims(const struct assertion_claims *claims,
    struct buf *out)
{
	json_t *object;
	enum fault fault;
	char jti[40];

	fault = make_jti(jti);
	if (fault != FAULT_NONE)
		return fault;
	object = json_object();
	set(&object, "iss", json_string(claims->issuer));
	set(&object, "sub", json_string(claims->subject));
	set(&object, "aud", json_string(claims->audience));
	if (claims->scope != NULL)
		set(&object, "scope", json_string(claims->scope));
	set(&object, "jti", json_string(jti));
	set(&object, "nbf", json_integer(claims->now_s));
	set(&object, "iat", json_integer(claims->now_s));
	set(&object, "exp", json_integer(claims->now_s + claims->life_s));
	return add_part(out, object);
}

/* RFC 7518 section 3.5: the salt is as long as the digest. */
static bool set_padding(const struct assertion_key *key, EVP_PKEY_CTX *ctx)
{
	if (key->algorithm == ASSERTION_RS256)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static enum fault add_signature(const struct assertion_key *key,
    struct buf *out)
{
	unsigned char signature[SIGNATURE_MAX_BYTES];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = sizeof(signature);
	enum fault fault = FAULT_INTERNAL;
	EVP_PKEY_CTX *ctx;

	if (md == NULL)
		return FAULT_NOMEM;
	if (EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key->key) == 1 &&
	    set_padding(key, ctx) &&
	    EVP_DigestSign(md, signature, &n, (const unsigned char *)out->p,
		out->n) == 1) {
		buf_add_lit(out, ".");
		base64_add_url(out, (struct span){ (char *)signature, n });
		fault = buf_fault(out);
	}
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	secret_wipe(signature, sizeof(signature));
	return fault;
}

enum fault assertion_sign(const struct assertion_key *key,
    const struct assertion_claims *claims, struct buf *out, struct why *why)
{
	enum fault fault;

	fault = check_dates(key, claims->now_s, why);
	if (fault != FAULT_NONE)
		return fault;
	fault = add_header(key, out);
	if (fault == FAULT_NONE) {
		buf_add_lit(out, ".");
		fault = add_claims(claims, out);
	}
	if (fault == FAULT_NONE)
		fault = add_signature(key, out);
	if (fault != FAULT_NONE) {
		why_set(why, 0, "the assertion could not be signed");
		buf_drop(out);
	}
	return fault;
}
