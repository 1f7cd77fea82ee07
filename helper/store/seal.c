/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The sealed bytes are ciphertext and tag, in this order (RFC 5116 section
 * 5.2), then base64 in pieces that fit a line.  Keys and plain text stand in
 * wiping storage only.
 */
#include "store/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "store/safefile.h"

#define KEY_BYTES     32
#define KEY_FILE_MAX  (2 * KEY_BYTES + 2)
#define ID_BYTES      8
#define TAG_BYTES     16
#define RAW_MAX_BYTES (ENTRY_MAX_BYTES + TAG_BYTES)
#define PIECE_BYTES   48000 /* 64000 of base64 fit a line; a multiple of 3 */

struct seal_key {
	unsigned char key[KEY_BYTES];
	char id[2 * ID_BYTES + 1];
	struct seal_key *old; /* opens as well; NULL: none */
};

static enum fault key_from_bytes(struct buf *file, unsigned char *key)
{
	size_t n = file->n, got;

	if (n == KEY_BYTES) {
		memcpy(key, file->p, KEY_BYTES);
		return FAULT_NONE;
	}
	if (n > 0 && file->p[n - 1] == '\n')
		n -= n > 1 && file->p[n - 2] == '\r' ? 2 : 1;
	if (n != (size_t)2 * KEY_BYTES)
		return FAULT_GRAMMAR;
	file->p[n] = '\0';
	return OPENSSL_hexstr2buf_ex(key, KEY_BYTES, &got, file->p, '\0') ==
		    1 &&
		got == KEY_BYTES ?
	    FAULT_NONE :
	    FAULT_GRAMMAR;
}

static enum fault name_key(struct seal_key *key, struct why *why)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n;
	size_t i;

	if (EVP_Digest(key->key, sizeof(key->key), digest, &n, EVP_sha256(),
		NULL) != 1) {
		why_set(why, 0,
		    "OpenSSL gives no SHA-256 for the key of the keyring; "
		    "look at its openssl.cnf");
		return FAULT_INTERNAL;
	}
	for (i = 0; i < ID_BYTES; i++) {
		key->id[2 * i] = hex[digest[i] >> 4];
		key->id[2 * i + 1] = hex[digest[i] & 15];
	}
	return FAULT_NONE;
}

static enum fault read_one(const char *path, struct seal_key **key_out,
    struct why *why)
{
	struct buf file = BUF_INIT(KEY_FILE_MAX);
	struct seal_key *key = calloc(1, sizeof(*key));
	char shown[SAFEFILE_SHOWN_BYTES];
	enum fault fault;

	if (key == NULL) {
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	fault = safefile_read_outside(path, KEY_FILE_MAX, &file, why);
	if (fault == FAULT_NONE)
		fault = key_from_bytes(&file, key->key);
	if (fault == FAULT_TOO_BIG || fault == FAULT_GRAMMAR) {
		attr_plain(span_of(path), shown, sizeof(shown));
		why_set(why, 0,
		    "the key file %s must hold 32 bytes or 64 hex digits, as "
		    "made by: openssl rand -hex 32",
		    shown);
		fault = FAULT_GRAMMAR;
	} else if (fault == FAULT_NOT_FOUND) {
		fault = FAULT_IO;
	}
	if (fault == FAULT_NONE)
		fault = name_key(key, why);
	if (fault == FAULT_NONE) {
		*key_out = key;
		key = NULL;
	}
	seal_key_free(key);
	buf_drop(&file);
	return fault;
}

enum fault seal_key_read(const char *path, const char *old_path,
    struct seal_key **key_out, struct why *why)
{
	struct seal_key *key = NULL;
	enum fault fault;

	fault = read_one(path, &key, why);
	if (fault == FAULT_NONE && old_path != NULL)
		fault = read_one(old_path, &key->old, why);
	if (fault == FAULT_NONE)
		*key_out = key;
	else
		seal_key_free(key);
	return fault;
}

void seal_key_free(struct seal_key *key)
{
	if (key == NULL)
		return;
	seal_key_free(key->old);
	secret_wipe(key, sizeof(*key));
	free(key);
}

/* Room for n bytes more, or NULL with the fault of buf set. */
static unsigned char *room_for(struct buf *buf, size_t n)
{
	size_t got = 0;
	char *p = buf_space(buf, n, &got);

	if (p != NULL && got < n) {
		buf->fault = FAULT_TOO_BIG;
		return NULL;
	}
	return (unsigned char *)p;
}

struct pass {
	const struct seal_key *key;
	const unsigned char *nonce;
	struct span account;
	unsigned char *tag; /* behind the ciphertext */
	int seals;	    /* else it opens */
};

/* One pass of the cipher; FAULT_INTERNAL: OpenSSL or the tag says no. */
static enum fault run_cipher(const struct pass *pass, struct span in,
    unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, more;
	bool done;

	if (ctx == NULL)
		return FAULT_NOMEM;
	done = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, pass->key->key,
		   pass->nonce, pass->seals) == 1 &&
	    EVP_CipherUpdate(ctx, NULL, &n,
		(const unsigned char *)pass->account.p,
		(int)pass->account.n) == 1 &&
	    EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)in.p,
		(int)in.n) == 1 &&
	    n == (int)in.n &&
	    (pass->seals ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
		    pass->tag) == 1) &&
	    EVP_CipherFinal_ex(ctx, out + n, &more) == 1 && more == 0 &&
	    (!pass->seals ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
		    pass->tag) == 1);
	EVP_CIPHER_CTX_free(ctx);
	return done ? FAULT_NONE : FAULT_INTERNAL;
}

/* RFC 4648 section 4, a line a piece; faults stick to the writer's buf. */
static void put_base64(struct attr_writer *writer, const char *name,
    struct span raw)
{
	unsigned char text[PIECE_BYTES / 3 * 4 + 1];
	struct span piece;
	int n;

	for (piece.p = raw.p; raw.n > 0; piece.p += piece.n) {
		piece.n = raw.n < PIECE_BYTES ? raw.n : PIECE_BYTES;
		raw.n -= piece.n;
		n = EVP_EncodeBlock(text, (const unsigned char *)piece.p,
		    (int)piece.n);
		attr_put(writer, name,
		    (struct span){ (char *)text, (size_t)n });
	}
}

/* All pieces of name; FAULT_GRAMMAR for what is no base64. */
static enum fault get_base64(const struct attrs *attrs, const char *name,
    struct buf *out)
{
	size_t i, padding;
	unsigned char *p;
	int n;

	for (i = 0; i < attrs->n; i++) {
		struct span text = attrs->at[i].value;

		if (!span_is(attrs->at[i].name, name))
			continue;
		p = room_for(out, text.n / 4 * 3);
		if (p == NULL)
			return buf_fault(out);
		n = EVP_DecodeBlock(p, (const unsigned char *)text.p,
		    (int)text.n);
		padding = text.n > 1 && text.p[text.n - 1] == '=' ?
		    1 + (text.p[text.n - 2] == '=') :
		    0;
		if (n < (int)padding)
			return FAULT_GRAMMAR;
		/* It counts what padding stands for. */
		buf_used(out, (size_t)n - padding);
	}
	return FAULT_NONE;
}

enum fault seal_entry(const struct seal_key *key,
    const unsigned char nonce[SEAL_NONCE_BYTES], struct span account,
    struct span plain, struct buf *out)
{
	struct buf raw = BUF_INIT(RAW_MAX_BYTES);
	struct span nonce_span = { (const char *)nonce, SEAL_NONCE_BYTES };
	struct pass pass = { key, nonce, account, NULL, 1 };
	struct attr_writer writer;
	unsigned char *p;
	enum fault fault;

	p = room_for(&raw, plain.n + TAG_BYTES);
	if (p == NULL) {
		fault = buf_fault(&raw);
		buf_drop(&raw);
		return fault;
	}
	pass.tag = p + plain.n;
	fault = run_cipher(&pass, plain, p);
	if (fault == FAULT_NONE) {
		buf_used(&raw, plain.n + TAG_BYTES);
		attr_begin(&writer, out, WIRE_FIRST_ENTRY);
		attr_put(&writer, ATTR_ACCOUNT, account);
		attr_put_str(&writer, "key-id", key->id);
		put_base64(&writer, "nonce", nonce_span);
		put_base64(&writer, "sealed", buf_span(&raw));
		fault = attr_end(&writer);
	}
	buf_drop(&raw);
	return fault;
}

/* Whatever cannot be decoded or opened is damage; only memory may lack. */
enum fault unseal_entry(const struct seal_key *key, struct span account,
    const struct attrs *sealed, struct buf *out)
{
	struct buf raw = BUF_INIT(RAW_MAX_BYTES + 3);
	struct buf nonce = BUF_INIT(SEAL_NONCE_BYTES);
	struct span whose = attr_get(sealed, ATTR_ACCOUNT), cipher;
	struct pass pass = { .account = account };
	unsigned char *p = NULL;
	enum fault fault;

	if (whose.n != account.n || whose.n == 0 ||
	    memcmp(whose.p, account.p, whose.n) != 0)
		return FAULT_GRAMMAR;
	while (key != NULL && !attr_is(sealed, "key-id", key->id))
		key = key->old;
	if (key == NULL)
		return FAULT_CONFIG_ERROR;
	fault = get_base64(sealed, "nonce", &nonce);
	if (fault == FAULT_NONE)
		fault = get_base64(sealed, "sealed", &raw);
	if (fault == FAULT_NONE &&
	    (nonce.n != SEAL_NONCE_BYTES || raw.n < TAG_BYTES))
		fault = FAULT_GRAMMAR;
	if (fault == FAULT_NONE) {
		cipher.p = raw.p;
		cipher.n = raw.n - TAG_BYTES;
		p = room_for(out, cipher.n);
		fault = buf_fault(out);
	}
	if (fault == FAULT_NONE) {
		pass.key = key;
		pass.nonce = (const unsigned char *)nonce.p;
		pass.tag = (unsigned char *)raw.p + cipher.n;
		fault = run_cipher(&pass, cipher, p);
	}
	if (fault == FAULT_NONE)
		buf_used(out, cipher.n);
	buf_drop(&nonce);
	buf_drop(&raw);
	return fault == FAULT_NONE || fault == FAULT_NOMEM ? fault :
							     FAULT_GRAMMAR;
}
