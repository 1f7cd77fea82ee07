/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * File names of the keyring: one name an account, one account a name, and no
 * name that leads elsewhere.
 */
#include "store/keyring.h"

#include "fuzz.h"

const char fuzz_name[] = "leaf";

static void check_leaf(const char *leaf)
{
	FUZZ_CHECK(leaf[0] != '\0' && leaf[0] != '.');
	FUZZ_CHECK(strlen(leaf) <= KEYRING_LEAF_MAX_BYTES);
	FUZZ_CHECK(strchr(leaf, '/') == NULL);
	FUZZ_CHECK(fuzz_is_printable(leaf));
}

static void from_account(struct span account)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];
	char folded[ACCOUNT_MAX_BYTES + 1], back[ACCOUNT_MAX_BYTES + 1];
	enum fault fault = keyring_leaf(account, leaf);

	FUZZ_CHECK((fault == FAULT_GRAMMAR) == !attr_is_account(account));
	if (fault != FAULT_NONE)
		return;
	check_leaf(leaf);
	FUZZ_CHECK(keyring_unleaf(leaf, back) == FAULT_NONE);
	FUZZ_CHECK(keyring_fold(account, folded) == FAULT_NONE);
	FUZZ_CHECK(strcmp(back, folded) == 0);
}

static void from_leaf(const char *leaf)
{
	char account[ACCOUNT_MAX_BYTES + 1];
	char again[KEYRING_LEAF_MAX_BYTES + 1];

	if (keyring_unleaf(leaf, account) != FAULT_NONE)
		return;
	check_leaf(leaf);
	FUZZ_CHECK(keyring_leaf(span_of(account), again) == FAULT_NONE);
	FUZZ_CHECK(strcmp(again, leaf) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = fuzz_string(fuzz_span(bytes, n));

	from_account(fuzz_span(bytes, n));
	from_leaf(text);
	free(text);
	return 0;
}
