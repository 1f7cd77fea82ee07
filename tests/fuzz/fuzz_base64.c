/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base64: what is read is what the encoder writes, byte for byte, and any
 * bytes come back, in pieces too.
 */
#include "wire/base64.h"

#include "fuzz.h"

const char fuzz_name[] = "base64";

static bool same(const struct buf *buf, struct span bytes)
{
	return buf->n == bytes.n &&
	    (bytes.n == 0 || memcmp(buf->p, bytes.p, bytes.n) == 0);
}

static void check_decode(struct span text, size_t max_bytes)
{
	struct buf plain = BUF_INIT(max_bytes);
	struct buf again = BUF_INIT(WIRE_LIST_MAX_BYTES);
	enum fault fault;

	fault = base64_decode(text, &plain);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GRAMMAR ||
	    fault == FAULT_TOO_BIG);
	FUZZ_CHECK(fault == FAULT_NONE || plain.p == NULL);
	if (fault == FAULT_NONE) {
		base64_add(&again, buf_span(&plain));
		FUZZ_CHECK(same(&again, text));
	}
	buf_drop(&again);
	buf_drop(&plain);
}

static void check_pieces(struct span bytes)
{
	struct buf list = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf back = BUF_INIT(ENTRY_MAX_BYTES);
	struct attr_writer writer;
	struct attrs attrs;

	attr_begin(&writer, &list, WIRE_FIRST);
	base64_put(&writer, ATTR_DATA, bytes);
	FUZZ_CHECK(attr_end(&writer) == FAULT_NONE);
	FUZZ_CHECK(
	    attr_parse(buf_span(&list), WIRE_FIRST, &attrs) == FAULT_NONE);
	FUZZ_CHECK(base64_get(&attrs, ATTR_DATA, &back) == FAULT_NONE);
	FUZZ_CHECK(same(&back, bytes));
	buf_drop(&back);
	buf_drop(&list);
}

/* What a stranger's list may have as data: the text in pieces of any size. */
static void check_strange_pieces(struct span text)
{
	struct buf joined = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf plain = BUF_INIT(ENTRY_MAX_BYTES);
	struct buf back = BUF_INIT(ENTRY_MAX_BYTES);
	struct attrs attrs = { .n = 0 };

	while (text.n > 0 && attrs.n < WIRE_LINES_MAX) {
		struct attr piece = { span_of(ATTR_DATA), fuzz_line(&text) };

		attrs.at[attrs.n++] = piece;
		buf_add(&joined, piece.value);
	}
	if (attrs.n > 0) {
		FUZZ_CHECK(base64_get(&attrs, ATTR_DATA, &back) ==
		    base64_decode(buf_span(&joined), &plain));
		FUZZ_CHECK(same(&back, buf_span(&plain)));
	}
	buf_drop(&back);
	buf_drop(&plain);
	buf_drop(&joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = fuzz_span(bytes, n);

	if (n > ENTRY_MAX_BYTES)
		return 0;
	check_decode(text, ENTRY_MAX_BYTES);
	check_decode(text, n / 4 * 3);
	check_decode(text, 2);
	check_pieces(text);
	check_strange_pieces(text);
	return 0;
}
