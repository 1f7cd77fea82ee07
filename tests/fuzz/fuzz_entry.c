/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records of the keyring: what was read can be written, and is the same when
 * it is read again.
 */
#include "store/entry.h"

#include "fuzz.h"

const char fuzz_name[] = "entry";

/* A state and its line end are written even where none was read. */
#define ADDED_MAX_BYTES 64

static void check_same(struct buf *first)
{
	struct buf second = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct entry *entry = NULL, *copy = NULL;

	FUZZ_CHECK(entry_decode(buf_span(first), &entry) == FAULT_NONE);
	FUZZ_CHECK(entry_copy(entry, &copy) == FAULT_NONE);
	FUZZ_CHECK(entry_encode(copy, &second) == FAULT_NONE);
	FUZZ_CHECK(second.n == first->n);
	FUZZ_CHECK(memcmp(second.p, first->p, first->n) == 0);
	entry_free(copy);
	entry_free(entry);
	buf_drop(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf again = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct entry *entry = NULL;
	enum fault fault;

	fault = entry_decode(fuzz_span(bytes, n), &entry);
	if (fault != FAULT_NONE) {
		FUZZ_CHECK(fault == FAULT_GRAMMAR || fault == FAULT_TOO_BIG);
		FUZZ_CHECK(entry == NULL);
		return 0;
	}
	FUZZ_CHECK(attr_is_account(span_of(entry->account)));
	FUZZ_CHECK(entry->expires_s >= 0 && entry->granted_s >= 0);
	fault = entry_encode(entry, &again);
	if (fault == FAULT_NONE)
		check_same(&again);
	else
		FUZZ_CHECK(fault == FAULT_TOO_BIG &&
		    n + ADDED_MAX_BYTES > ENTRY_MAX_BYTES);
	entry_free(entry);
	buf_drop(&again);
	return 0;
}
