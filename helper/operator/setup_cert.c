/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A key and a certificate by which an application signs in for itself; they
 * are in OpenSSL's memory, which it wipes.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "operator/run.h"
#include "operator/setup_impl.h"

#define KEY_BITS 3072
#define LIFE_S	 (730L * 86400)

/* Self-signed: who has it uploaded trusts this very one. */
static bool sign(X509 *cert, EVP_PKEY *key)
{
	static const unsigned char name[] = "mailtoken";
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), screen_now_s()) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), LIFE_S) != NULL &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1,
		-1, 0) == 1 &&
	    X509_set_issuer_name(cert, subject) == 1 &&
	    X509_set_pubkey(cert, key) == 1 &&
	    X509_sign(cert, key, EVP_sha256()) > 0;
}

static struct span bytes_of(BIO *bio)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	return (struct span){ p, n > 0 ? (size_t)n : 0 };
}

static bool make(struct setup *setup, struct setup_file *of_cert,
    struct setup_file *of_key)
{
	EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
	X509 *cert = X509_new();
	BIO *certs = BIO_new(BIO_s_mem()), *keys = BIO_new(BIO_s_mem());
	bool good = key != NULL && cert != NULL && certs != NULL &&
	    keys != NULL && sign(cert, key) &&
	    PEM_write_bio_X509(certs, cert) &&
	    PEM_write_bio_PrivateKey(keys, key, NULL, NULL, 0, NULL, NULL);

	if (!good) {
		screen_say("OpenSSL could make no key");
	} else {
		of_cert->content = bytes_of(certs);
		of_key->content = bytes_of(keys);
		/* The key first: a certificate that is there counts. */
		good = setup_write(setup, of_key) &&
		    setup_write(setup, of_cert);
	}
	BIO_free(keys);
	BIO_free(certs);
	X509_free(cert);
	EVP_PKEY_free(key);
	return good;
}

bool cert_make(struct setup *setup, const char *certificate, const char *key,
    uid_t owner)
{
	struct setup_file of_cert = { certificate, { NULL, 0 }, 0644, geteuid(),
		getegid(), false, NULL };
	struct setup_file of_key = { key, { NULL, 0 }, 0600, owner, getegid(),
		false, NULL };
	struct why why = { 0, "" };
	enum fault fault;

	if (access(certificate, F_OK) != 0) {
		if (setup->dry_run)
			return setup_step(setup, "make the key %s", key) ||
			    true;
		if (!make(setup, &of_cert, &of_key))
			return false;
	}
	screen_print("The certificate, %s, is to be uploaded:\n", certificate);
	fault = run_read(certificate, &screen_out, &why);
	if (fault != FAULT_NONE)
		screen_say("%s", why_text(&why, fault));
	screen_flush();
	return fault == FAULT_NONE;
}
