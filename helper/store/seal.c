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
};

static enum fault key_from_bytes(struct span file, unsigned char *key)
{
	size_t i;

	if (file.n == KEY_BYTES) {
		memcpy(key, file.p, KEY_BYTES);
		return FAULT_NONE;
	}
	if (file.n > 0 && file.p[file.n - 1] == '\n') {
		file.n--;
		if (file.n > 0 && file.p[file.n - 1] == '\r')
			file.n--;
	}
	if (file.n != (size_t)2 * KEY_BYTES)
		return FAULT_GRAMMAR;
	for (i = 0; i < KEY_BYTES; i++) {
		int high = OPENSSL_hexchar2int((unsigned char)file.p[2 * i]);
		int low = OPENSSL_hexchar2int((unsigned char)file.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return FAULT_GRAMMAR;
		key[i] = (unsigned char)(high << 4 | low);
	}
	return FAULT_NONE;
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

enum fault seal_key_read(const char *path, struct seal_key **key_out,
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
		fault = key_from_bytes(buf_span(&file), key->key);
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

void seal_key_free(struct seal_key *key)
{
	if (key == NULL)
		return;
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

static bool encrypt(EVP_CIPHER_CTX *ctx, struct span account, struct span plain,
    unsigned char *out)
{
	int n;

	return EVP_EncryptUpdate(ctx, NULL, &n,
		   (const unsigned char *)account.p, (int)account.n) == 1 &&
	    EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)plain.p,
		(int)plain.n) == 1 &&
	    n == (int)plain.n && EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
	    n == 0 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
		out + plain.n) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *ctx, struct span account, struct span raw,
    unsigned char *out)
{
	int n, plain = (int)raw.n - TAG_BYTES;
	unsigned char tag[TAG_BYTES];

	memcpy(tag, raw.p + plain, sizeof(tag));
	return EVP_DecryptUpdate(ctx, NULL, &n,
		   (const unsigned char *)account.p, (int)account.n) == 1 &&
	    EVP_DecryptUpdate(ctx, out, &n, (const unsigned char *)raw.p,
		plain) == 1 &&
	    n == plain &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) ==
	    1 &&
	    EVP_DecryptFinal_ex(ctx, out + plain, &n) == 1 && n == 0;
}

static enum fault seal_bytes(const struct seal_key *key, struct span account,
    struct span plain, const unsigned char *nonce, struct buf *raw)
{
	unsigned char *p = room_for(raw, plain.n + TAG_BYTES);
	EVP_CIPHER_CTX *ctx;
	bool done;

	if (p == NULL)
		return buf_fault(raw);
	ctx = EVP_CIPHER_CTX_new();
	done = ctx != NULL &&
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, nonce) ==
		1 &&
	    encrypt(ctx, account, plain, p);
	EVP_CIPHER_CTX_free(ctx);
	if (!done)
		return FAULT_INTERNAL;
	buf_used(raw, plain.n + TAG_BYTES);
	return FAULT_NONE;
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
	struct attr_writer writer;
	enum fault fault;

	if (plain.n > ENTRY_MAX_BYTES)
		return FAULT_TOO_BIG;
	if (!attr_is_account(account))
		return FAULT_GRAMMAR;
	fault = seal_bytes(key, account, plain, nonce, &raw);
	if (fault == FAULT_NONE) {
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

/* Whatever cannot be decoded is damage; only memory may lack. */
static enum fault read_sealed(const struct attrs *sealed, struct buf *nonce,
    struct buf *raw)
{
	enum fault fault;

	fault = get_base64(sealed, "nonce", nonce);
	if (fault == FAULT_NONE)
		fault = get_base64(sealed, "sealed", raw);
	if (fault == FAULT_NOMEM)
		return fault;
	return fault != FAULT_NONE || nonce->n != SEAL_NONCE_BYTES ||
		raw->n < TAG_BYTES ?
	    FAULT_GRAMMAR :
	    FAULT_NONE;
}

static enum fault unseal_bytes(const struct seal_key *key, struct span account,
    struct span nonce, struct span raw, struct buf *plain)
{
	unsigned char *p = room_for(plain, raw.n);
	EVP_CIPHER_CTX *ctx;
	bool done;

	if (p == NULL)
		return buf_fault(plain);
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return FAULT_NOMEM;
	done = EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key,
		   (const unsigned char *)nonce.p) == 1 &&
	    decrypt(ctx, account, raw, p);
	EVP_CIPHER_CTX_free(ctx);
	if (!done)
		return FAULT_GRAMMAR;
	buf_used(plain, raw.n - TAG_BYTES);
	return FAULT_NONE;
}

enum fault unseal_entry(const struct seal_key *key, struct span account,
    const struct attrs *sealed, struct buf *out)
{
	struct buf raw = BUF_INIT(RAW_MAX_BYTES + 3);
	struct buf plain = BUF_INIT(RAW_MAX_BYTES);
	struct buf nonce = BUF_INIT(SEAL_NONCE_BYTES);
	struct span whose = attr_get(sealed, ATTR_ACCOUNT);
	enum fault fault;

	if (whose.n != account.n || whose.n == 0 ||
	    memcmp(whose.p, account.p, whose.n) != 0)
		return FAULT_GRAMMAR;
	if (key == NULL || !attr_is(sealed, "key-id", key->id))
		return FAULT_CONFIG_ERROR;
	fault = read_sealed(sealed, &nonce, &raw);
	if (fault == FAULT_NONE)
		fault = unseal_bytes(key, account, buf_span(&nonce),
		    buf_span(&raw), &plain);
	if (fault == FAULT_NONE) {
		buf_add(out, buf_span(&plain));
		fault = buf_fault(out);
	}
	buf_drop(&nonce);
	buf_drop(&plain);
	buf_drop(&raw);
	return fault;
}
