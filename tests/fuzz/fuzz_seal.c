/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sealed records: a damaged one opens to nothing or to what was sealed, and
 * what was sealed opens.  The key is that of the seeds.
 */
#include "store/seal.h"

#include <unistd.h>

#include "fuzz.h"

const char fuzz_name[] = "seal";

static const unsigned char nonce[SEAL_NONCE_BYTES] = "twelve bytes";
static struct seal_key *key;

static void make_key(void)
{
	static const char bytes[] = "0123456789abcdef0123456789abcdef";
	char path[] = "/tmp/mailtoken-fuzz-XXXXXX";
	struct why why;
	int fd;

	if (key != NULL)
		return;
	fd = mkstemp(path);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, 32) == 32 && close(fd) == 0);
	FUZZ_CHECK(seal_key_read(path, NULL, &key, &why) == FAULT_NONE);
	FUZZ_CHECK(unlink(path) == 0);
}

static enum fault open_list(struct span list, struct span account,
    struct buf *plain)
{
	struct attrs attrs;
	enum fault fault = attr_parse(list, WIRE_FIRST_ENTRY, &attrs);

	if (fault != FAULT_NONE)
		return fault;
	if (account.n == 0)
		account = attr_get(&attrs, ATTR_ACCOUNT);
	return unseal_entry(key, account, &attrs, plain);
}

static void open_damaged(struct buf *sealed, struct span plain,
    struct span account)
{
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);
	size_t at = plain.n > 1 ?
	    (unsigned char)plain.p[0] | (size_t)(unsigned char)plain.p[1] << 8 :
	    0;

	at %= sealed->n;
	sealed->p[at] = (char)(sealed->p[at] ^ (1 << plain.n % 8));
	if (open_list(buf_span(sealed), account, &out) == FAULT_NONE)
		FUZZ_CHECK(out.n == plain.n &&
		    (out.n == 0 || memcmp(out.p, plain.p, out.n) == 0));
	buf_drop(&out);
}

static void seal_and_open(struct span plain)
{
	struct span account = span_of("alice@example.org");
	struct buf sealed = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);
	enum fault fault = seal_entry(key, nonce, account, plain, &sealed);

	if (fault != FAULT_NONE) {
		FUZZ_CHECK(fault == FAULT_TOO_BIG);
		goto out;
	}
	fault = open_list(buf_span(&sealed), account, &out);
	FUZZ_CHECK(fault == FAULT_NONE);
	FUZZ_CHECK(out.n == plain.n &&
	    (out.n == 0 || memcmp(out.p, plain.p, out.n) == 0));
	open_damaged(&sealed, plain, account);
out:
	buf_drop(&sealed);
	buf_drop(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf plain = BUF_INIT(WIRE_LIST_MAX_BYTES);
	enum fault fault;

	make_key();
	fault = open_list(fuzz_span(bytes, n), (struct span){ NULL, 0 },
	    &plain);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GRAMMAR ||
	    fault == FAULT_TOO_BIG || fault == FAULT_CONFIG_ERROR);
	FUZZ_CHECK(fault == FAULT_NONE || plain.n == 0);
	buf_drop(&plain);
	seal_and_open(fuzz_span(bytes, n));
	return 0;
}
