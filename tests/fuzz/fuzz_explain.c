/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A line of any log: what is known of it is whole, and the account that it
 * names can be typed in a shell.
 */
#include "operator/explain.h"

#include "fuzz.h"

const char fuzz_name[] = "explain";

static void check_known(const struct explained *is)
{
	FUZZ_CHECK(is->name.n > 0);
	FUZZ_CHECK(is->meaning.n > 0);
	FUZZ_CHECK(is->who.n > 0);
	FUZZ_CHECK(is->type.n + is->click.n > 0);
	FUZZ_CHECK(is->page.n > 0);
}

static void check_account(struct span text, struct span account)
{
	size_t i;

	FUZZ_CHECK(account.p >= text.p);
	FUZZ_CHECK(account.p + account.n <= text.p + text.n);
	FUZZ_CHECK(memchr(account.p, '@', account.n) != NULL);
	FUZZ_CHECK(account.p[0] != '-' && account.p[0] != '@');
	for (i = 0; i < account.n; i++)
		FUZZ_CHECK(account.p[i] > ' ' && account.p[i] < 0x7f &&
		    strchr("\"'`$\\;|&<>(){}[]*?!#~", account.p[i]) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = fuzz_span(bytes, n), account;
	struct explained is;

	if (explain_find(text, &is))
		check_known(&is);
	account = explain_account(text);
	if (account.n > 0)
		check_account(text, account);
	return 0;
}
