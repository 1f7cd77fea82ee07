/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Challenges of mail servers.  The first line of the input is the token that
 * was sent, the rest the challenge: what is shown of it is printable, fits,
 * and does not repeat the token.  What reads them is not exported, so the
 * source itself is part of this program.
 */
#include "mech.c"

#include "fuzz.h"

const char fuzz_name[] = "verdict";

/*
 * Short words may stand in any text, others may come about by escaping: the
 * end of \x0a and what follows it.
 */
static bool is_long_word(struct span token)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "ghijklmnopqrstuvwyz";
	size_t i;

	for (i = 0; i < token.n; i++)
		if (token.p[i] == '\0' || strchr(letters, token.p[i]) == NULL)
			return false;
	return token.n >= 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span rest = fuzz_span(bytes, n);
	struct span token = fuzz_line(&rest);
	struct mech mech = { .out = BUF_INIT(RESPONSE_MAX_BYTES) };
	char said[CHALLENGE_MAX_BYTES + 1];

	buf_add(&mech.out, token);
	buf_add_lit(&mech.out, "\001\001");
	if (buf_fault(&mech.out) != FAULT_NONE)
		goto out;
	mech.token_bytes = token.n;
	(void)is_rejection(rest);
	plain_challenge(&mech, rest, said);
	FUZZ_CHECK(
	    strnlen(said, CHALLENGE_MAX_BYTES + 1) <= CHALLENGE_MAX_BYTES);
	FUZZ_CHECK(fuzz_is_printable(said));
	if (is_long_word(token))
		FUZZ_CHECK(
		    memmem(said, strlen(said), token.p, token.n) == NULL);
out:
	buf_drop(&mech.out);
	return 0;
}
