/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From PEM and from Google's JSON to a key that can sign, each way it can be
 * wrong told in words.
 */
#include "oauth/assertion.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "oauth/assertion_impl.h"
#include "oauth/reply_impl.h"

#define KEY_MIN_BITS 2048

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

/* "BEGIN ENCRYPTED PRIVATE KEY", or the older "Proc-Type: 4,ENCRYPTED" */
static bool is_encrypted(struct span pem)
{
	return memmem(pem.p, pem.n, "ENCRYPTED", 9) != NULL;
}

static enum fault read_key(struct span pem, const struct secret *passphrase,
    struct assertion_key *out, struct why *why)
{
	EVP_PKEY *key;
	BIO *bio;

	if (pem.n == 0)
		return bad(why, "it is empty");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		return FAULT_NOMEM;
	/* The cast: the passphrase is only read. */
	key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase,
	    (void *)(uintptr_t)passphrase);
	BIO_free(bio);
	if (key == NULL && is_encrypted(pem))
		return bad(why,
		    passphrase == NULL ?
			"the key in it is encrypted: write "
			"certificate_key_passphrase_file /..." :
			"the passphrase does not open the key in it");
	if (key == NULL)
		return bad(why,
		    "there is no private key in PEM form in it (\"-----BEGIN "
		    "PRIVATE KEY-----\")");
	if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_bits(key) < KEY_MIN_BITS) {
		EVP_PKEY_free(key);
		return bad(why,
		    "the key in it is not RSA of 2048 bits or more: make a new "
		    "one and a certificate for it");
	}
	out->key = key;
	return FAULT_NONE;
}

/* Not before 1970, and no date that OpenSSL cannot read. */
static enum fault read_time(const ASN1_TIME *time, int64_t *time_out)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days, seconds;
	bool good = false;

	if (epoch == NULL)
		return FAULT_NOMEM;
	if (ASN1_TIME_diff(&days, &seconds, epoch, time) == 1) {
		*time_out = (int64_t)days * 86400 + seconds;
		good = true;
	}
	ASN1_TIME_free(epoch);
	return good ? FAULT_NONE : FAULT_CONFIG_ERROR;
}

static enum fault take_certificate(struct assertion_key *key, X509 *x509,
    struct why *why)
{
	unsigned bytes = 0;
	enum fault fault;

	if (X509_check_private_key(x509, key->key) != 1)
		return bad(why,
		    "the certificate is of another private key: name the two "
		    "files that belong together");
	if (X509_digest(x509, EVP_sha256(), key->thumbprint, &bytes) != 1 ||
	    bytes != sizeof(key->thumbprint))
		return bad(why, "the certificate has no SHA-256 digest");
	fault = read_time(X509_get0_notBefore(x509), &key->begins_s);
	if (fault == FAULT_NONE)
		fault = read_time(X509_get0_notAfter(x509), &key->ends_s);
	if (fault == FAULT_CONFIG_ERROR)
		return bad(why, "the certificate has no readable dates");
	key->has_certificate = true;
	return fault;
}

static enum fault read_certificate(struct span pem, struct assertion_key *key,
    struct why *why)
{
	enum fault fault;
	X509 *x509;
	BIO *bio;

	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		return FAULT_NOMEM;
	x509 = PEM_read_bio_X509(bio, NULL, give_passphrase, NULL);
	BIO_free(bio);
	if (x509 == NULL)
		return bad(why,
		    "the file that certificate names has no certificate in PEM "
		    "form in it (\"-----BEGIN CERTIFICATE-----\")");
	fault = take_certificate(key, x509, why);
	X509_free(x509);
	return fault;
}

static enum fault key_new(enum assertion_algorithm algorithm,
    struct assertion_key **key_out)
{
	struct assertion_key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return FAULT_NOMEM;
	key->users = 1;
	key->algorithm = algorithm;
	*key_out = key;
	return FAULT_NONE;
}

enum fault assertion_key_new(const struct assertion_source *source,
    struct assertion_key **key_out, struct why *why)
{
	struct assertion_key *key;
	enum fault fault;

	fault = key_new(source->algorithm, &key);
	if (fault != FAULT_NONE)
		return fault;
	fault = read_key(source->key, source->passphrase, key, why);
	if (fault == FAULT_NONE && source->certificate.n == 0)
		fault = bad(why, "the certificate is empty");
	if (fault == FAULT_NONE)
		fault = read_certificate(source->certificate, key, why);
	if (fault != FAULT_NONE) {
		assertion_key_release(key);
		return fault;
	}
	*key_out = key;
	return FAULT_NONE;
}

static enum fault copy_member(const json_t *object, const char *name,
    char **out, struct why *why)
{
	struct why unused;
	struct span text;

	if (reply_string(object, name, &text, &unused) != FAULT_NONE)
		return bad(why,
		    "a member of it is no string: fetch the service account's "
		    "key as JSON again");
	if (text.n == 0)
		return FAULT_NONE;
	*out = strdup(text.p);
	return *out != NULL ? FAULT_NONE : FAULT_NOMEM;
}

static enum fault fill_google(const json_t *object, struct assertion_key *key,
    struct why *why)
{
	struct why unused;
	struct span pem, type;
	enum fault fault;

	if (reply_string(object, "type", &type, &unused) != FAULT_NONE ||
	    !span_is(type, "service_account"))
		return bad(why,
		    "it is not the key of a service account (\"type\": "
		    "\"service_account\")");
	fault = copy_member(object, "client_email", &key->issuer, why);
	if (fault == FAULT_NONE)
		fault = copy_member(object, "private_key_id", &key->id, why);
	if (fault != FAULT_NONE)
		return fault;
	if (key->issuer == NULL)
		return bad(why,
		    "it has no client_email: fetch the service account's key "
		    "as JSON again");
	if (reply_string(object, "private_key", &pem, &unused) != FAULT_NONE)
		return bad(why, "its private_key is no string");
	if (pem.n == 0)
		return bad(why,
		    "it has no private_key: fetch the service account's key as "
		    "JSON again");
	return read_key(pem, NULL, key, why);
}

enum fault assertion_key_from_google(struct span json,
    struct assertion_key **key_out, struct why *why)
{
	struct assertion_key *key = NULL;
	json_t *object = NULL;
	struct why unused;
	enum fault fault;

	fault = reply_object(json, &object, &unused);
	if (fault == FAULT_NOMEM)
		return fault;
	if (fault != FAULT_NONE)
		return bad(why,
		    "it is not a JSON object: fetch the service account's key "
		    "as JSON again");
	fault = key_new(ASSERTION_RS256, &key);
	if (fault == FAULT_NONE)
		fault = fill_google(object, key, why);
	json_decref(object);
	if (fault != FAULT_NONE) {
		assertion_key_release(key);
		return fault;
	}
	*key_out = key;
	return FAULT_NONE;
}
