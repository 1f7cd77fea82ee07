/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Accounts as file names: one name an account and one account a name, so
 * that no two files can claim the same account.
 */
#include "store/keyring.h"

#include <openssl/crypto.h>

static bool is_plain(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '@' ||
	    c == '_' || c == '+' || c == '-' || (c == '.' && !is_first);
}

enum fault keyring_fold(struct span account, char *out)
{
	size_t i;

	if (!attr_is_account(account))
		return FAULT_GRAMMAR;
	for (i = 0; i < account.n; i++) {
		char c = account.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[i] = c;
	}
	out[account.n] = '\0';
	return FAULT_NONE;
}

enum fault keyring_leaf(struct span account, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	char leaf[3 * ACCOUNT_MAX_BYTES + 1];
	char folded[ACCOUNT_MAX_BYTES + 1];
	enum fault fault;
	size_t i, n = 0;

	fault = keyring_fold(account, folded);
	if (fault != FAULT_NONE)
		return fault;
	for (i = 0; folded[i] != '\0'; i++) {
		unsigned char c = (unsigned char)folded[i];

		if (is_plain(folded[i], i == 0)) {
			leaf[n++] = folded[i];
			continue;
		}
		leaf[n++] = '%';
		leaf[n++] = hex[c >> 4];
		leaf[n++] = hex[c & 15];
	}
	if (n > KEYRING_LEAF_MAX_BYTES)
		return FAULT_TOO_BIG;
	memcpy(out, leaf, n);
	out[n] = '\0';
	return FAULT_NONE;
}

enum fault keyring_unleaf(const char *leaf, char *out)
{
	char account[KEYRING_LEAF_MAX_BYTES + 1];
	char again[KEYRING_LEAF_MAX_BYTES + 1];
	struct span text = { account, 0 };
	size_t i;

	if (strlen(leaf) > KEYRING_LEAF_MAX_BYTES)
		return FAULT_GRAMMAR;
	for (i = 0; leaf[i] != '\0'; i++) {
		if (leaf[i] == '%') {
			int high = OPENSSL_hexchar2int(
			    (unsigned char)leaf[i + 1]);
			int low = high < 0 ?
			    -1 :
			    OPENSSL_hexchar2int((unsigned char)leaf[i + 2]);

			if (low < 0)
				return FAULT_GRAMMAR;
			account[text.n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			account[text.n++] = leaf[i];
		}
	}
	/* Whatever else would decode to this account is not its name. */
	if (keyring_leaf(text, again) != FAULT_NONE || strcmp(leaf, again) != 0)
		return FAULT_GRAMMAR;
	return keyring_fold(text, out);
}
