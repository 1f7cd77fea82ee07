/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From PEM and from Google's JSON to a key that can sign, each way it can be
 * wrong told in words; and header, claims, signature: RFC 7515 section 3.1,
 * compact serialisation.
 */
#include "oauth/assertion.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "oauth/form.h"
#include "oauth/reply_impl.h"

#define KEY_MIN_BITS	    2048
#define SIGNATURE_MAX_BYTES 2048 /* RSA of 16384 bits */
#define FETCH_AGAIN	    ": fetch the service account's key as JSON again"

struct assertion_key {
	unsigned users;
	EVP_PKEY *key; /* OpenSSL wipes it */
	enum assertion_algorithm algorithm;
	int64_t begins_s; /* of the certificate */
	int64_t ends_s;	  /* 0: there is none */
	char *issuer;	  /* Google's client_email, or NULL */
	char *id;	  /* Google's private_key_id, or NULL, or the SHA-256 of
			 the certificate (RFC 7515 section 4.1.8) */
	const char *id_name; /* in the header */
};

static enum fault bad(struct why *why, const char *text)
{
	ERR_clear_error();
	why_set(why, 0, "%s", text);
	return FAULT_CONFIG_ERROR;
}

struct assertion_key *assertion_key_share(struct assertion_key *key)
{
	if (key != NULL)
		key->users++;
	return key;
}

void assertion_key_release(struct assertion_key *key)
{
	if (key == NULL || --key->users > 0)
		return;
	EVP_PKEY_free(key->key);
	free(key->issuer);
	free(key->id);
	free(key);
}

const char *assertion_key_issuer(const struct assertion_key *key)
{
	return key->issuer;
}

int64_t assertion_key_ends_s(const struct assertion_key *key)
{
	return key->ends_s;
}

/* OpenSSL would ask at the terminal without a function of ours. */
static int give_passphrase(char *out, int out_bytes, int writing, void *ctx)
{
	const struct secret *passphrase = ctx;
	struct span bytes;

	(void)writing;
	if (passphrase == NULL)
		return -1;
	bytes = secret_reveal(passphrase, "private key");
	if (bytes.n > (size_t)out_bytes)
		return -1;
	memcpy(out, bytes.p, bytes.n);
	return (int)bytes.n;
}

static enum fault read_key(struct span pem, const struct secret *passphrase,
    struct assertion_key *out, struct why *why)
{
	BIO *bio;

	if (pem.n == 0)
		return bad(why, "it is empty");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		return FAULT_NOMEM;
	/* The cast: the passphrase is only read. */
	out->key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase,
	    (void *)(uintptr_t)passphrase);
	BIO_free(bio);
	/* "BEGIN ENCRYPTED PRIVATE KEY", or "Proc-Type: 4,ENCRYPTED" */
	if (out->key == NULL && memmem(pem.p, pem.n, "ENCRYPTED", 9) != NULL)
		return bad(why,
		    passphrase == NULL ?
			"the key in it is encrypted: write "
			"certificate_key_passphrase_file /..." :
			"the passphrase does not open the key in it");
	if (out->key == NULL)
		return bad(why,
		    "there is no private key in PEM form in it (\"-----BEGIN "
		    "PRIVATE KEY-----\")");
	if (EVP_PKEY_base_id(out->key) != EVP_PKEY_RSA ||
	    EVP_PKEY_bits(out->key) < KEY_MIN_BITS)
		return bad(why,
		    "the key in it is not RSA of 2048 bits or more: make a new "
		    "one and a certificate for it");
	return FAULT_NONE;
}

static enum fault read_time(const ASN1_TIME *time, int64_t *time_out,
    struct why *why)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return bad(why, "the certificate has no readable dates");
	*time_out = timegm(&tm);
	return FAULT_NONE;
}

static enum fault read_certificate(struct span pem, struct assertion_key *key,
    struct why *why)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned char digest[EVP_MAX_MD_SIZE];
	enum fault fault = FAULT_NONE;
	struct buf id = BUF_INIT(64);
	unsigned n = 0;
	X509 *x509;

	if (bio == NULL)
		return FAULT_NOMEM;
	x509 = PEM_read_bio_X509(bio, NULL, give_passphrase, NULL);
	BIO_free(bio);
	if (x509 == NULL)
		return bad(why,
		    "the file that certificate names has no certificate in PEM "
		    "form in it (\"-----BEGIN CERTIFICATE-----\")");
	if (X509_check_private_key(x509, key->key) != 1)
		fault = bad(why,
		    "the certificate is of another private key: name the two "
		    "files that belong together");
	else if (X509_digest(x509, EVP_sha256(), digest, &n) != 1)
		fault = FAULT_NOMEM;
	form_base64url(&id, digest, n);
	key->id_name = "x5t#S256";
	if (!fault)
		fault = buf_fault(&id);
	if (!fault)
		fault = string_set(&key->id, buf_span(&id));
	if (!fault)
		fault = read_time(X509_get0_notBefore(x509), &key->begins_s,
		    why);
	if (!fault)
		fault = read_time(X509_get0_notAfter(x509), &key->ends_s, why);
	X509_free(x509);
	buf_drop(&id);
	return fault;
}

static enum fault finish(struct assertion_key *key, enum fault fault,
    struct assertion_key **key_out)
{
	if (fault)
		assertion_key_release(key);
	else
		*key_out = key;
	return fault;
}

enum fault assertion_key_new(const struct assertion_source *source,
    struct assertion_key **key_out, struct why *why)
{
	struct assertion_key *key = calloc(1, sizeof(*key));
	enum fault fault;

	if (key == NULL)
		return FAULT_NOMEM;
	key->users = 1;
	key->algorithm = source->algorithm;
	fault = read_key(source->key, source->passphrase, key, why);
	if (!fault && source->certificate.n == 0)
		fault = bad(why, "the certificate is empty");
	if (!fault)
		fault = read_certificate(source->certificate, key, why);
	return finish(key, fault, key_out);
}

enum fault assertion_key_from_google(struct span json,
    struct assertion_key **key_out, struct why *why)
{
	struct assertion_key *key = calloc(1, sizeof(*key));
	struct span issuer, id, pem;
	json_t *object = NULL;
	enum fault fault;

	if (key == NULL)
		return FAULT_NOMEM;
	key->users = 1;
	key->algorithm = ASSERTION_RS256;
	key->id_name = "kid";
	fault = reply_object(json, &object, NULL);
	issuer = reply_text(object, "client_email");
	id = reply_text(object, "private_key_id");
	pem = reply_text(object, "private_key");
	if (fault == FAULT_GARBLED)
		fault = bad(why, "it is not a JSON object" FETCH_AGAIN);
	else if (!fault &&
	    !span_is(reply_text(object, "type"), "service_account"))
		fault = bad(why,
		    "it is not the key of a service account (\"type\": "
		    "\"service_account\")");
	else if (!fault && issuer.n == 0)
		fault = bad(why, "it has no client_email" FETCH_AGAIN);
	else if (!fault && pem.n == 0)
		fault = bad(why, "it has no private_key" FETCH_AGAIN);
	if (!fault)
		fault = string_set(&key->issuer, issuer);
	if (!fault && id.n > 0)
		fault = string_set(&key->id, id);
	if (!fault)
		fault = read_key(pem, NULL, key, why);
	json_decref(object);
	return finish(key, fault, key_out);
}

static enum fault check_dates(const struct assertion_key *key, int64_t now_s,
    struct why *why)
{
	bool early = now_s < key->begins_s;
	time_t time = (time_t)(early ? key->begins_s : key->ends_s);
	char day[48];
	struct tm tm;

	if (key->ends_s == 0 || (!early && now_s < key->ends_s))
		return FAULT_NONE;
	if (gmtime_r(&time, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm) == 0)
		(void)snprintf(day, sizeof(day), "a day that is no date");
	why_set(why, 0,
	    early ?
		"the certificate is good from %s on only: set the clock of "
		"this machine, or wait" :
		"the certificate has expired on %s: make a new one, upload it "
		"at the provider, put it in place of the old one and run: "
		"mailtoken reload",
	    day);
	return FAULT_CONFIG_ERROR;
}

/* A part of the token, with one more member unless text is NULL; object, which
 * may be NULL, is given away. */
static enum fault add_part(struct buf *out, json_t *object, const char *name,
    const char *text)
{
	struct buf json = BUF_INIT(ASSERTION_MAX_BYTES);
	enum fault fault = FAULT_NOMEM;

	if (text == NULL ||
	    json_object_set_new(object, name, json_string(text)) == 0)
		fault = reply_dump(object, &json);
	json_decref(object);
	form_base64url(out, json.p, json.n);
	buf_drop(&json);
	return fault ? fault : buf_fault(out);
}

static enum fault add_claims(const struct assertion_claims *claims,
    struct buf *out)
{
	json_int_t now_s = claims->now_s;
	unsigned char r[16];
	json_t *object;
	char jti[37];
	size_t i, n = 0;

	if (RAND_bytes(r, sizeof(r)) != 1)
		return FAULT_INTERNAL;
	/* RFC 4122 section 4.4: Microsoft wants a GUID */
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	for (i = 0; i < sizeof(r); i++)
		n += (size_t)snprintf(jti + n, sizeof(jti) - n, "%s%02x",
		    i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
	object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss",
	    claims->issuer, "sub", claims->subject, "aud", claims->audience,
	    "jti", jti, "nbf", now_s, "iat", now_s, "exp",
	    now_s + claims->life_s);
	return add_part(out, object, "scope", claims->scope);
}

static enum fault add_signature(const struct assertion_key *key,
    struct buf *out)
{
	bool is_pss = key->algorithm == ASSERTION_PS256;
	unsigned char signature[SIGNATURE_MAX_BYTES];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = sizeof(signature);
	enum fault fault = FAULT_INTERNAL;
	EVP_PKEY_CTX *ctx;

	if (md == NULL)
		return FAULT_NOMEM;
	/* RFC 7518 section 3.5: the salt is as long as the digest. */
	if (EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key->key) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx,
		is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) > 0 &&
	    (!is_pss ||
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) >
		    0) &&
	    EVP_DigestSign(md, signature, &n, (const unsigned char *)out->p,
		out->n) == 1) {
		buf_add_lit(out, ".");
		form_base64url(out, signature, n);
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
	enum fault fault = check_dates(key, claims->now_s, why);

	if (fault)
		return fault;
	fault = add_part(out,
	    json_pack("{s:s, s:s}", "alg",
		key->algorithm == ASSERTION_PS256 ? "PS256" : "RS256", "typ",
		"JWT"),
	    key->id_name, key->id);
	buf_add_lit(out, ".");
	if (!fault)
		fault = add_claims(claims, out);
	if (!fault)
		fault = add_signature(key, out);
	if (fault) {
		why_set(why, 0, "the assertion could not be signed");
		buf_drop(out);
	}
	return fault;
}
