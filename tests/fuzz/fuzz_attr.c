/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Attribute lists: the reader takes nothing that the writer would not write,
 * and the writer writes again, byte for byte, what the reader took.
 */
#include "wire/attr.h"

#include "fuzz.h"

const char fuzz_name[] = "attr";

static void check_names(const struct attrs *attrs, struct span list)
{
	size_t i;

	FUZZ_CHECK(attrs->n >= 1 && attrs->n <= WIRE_LINES_MAX);
	for (i = 0; i < attrs->n; i++) {
		struct span name = attrs->at[i].name;
		struct span value = attrs->at[i].value;

		FUZZ_CHECK(name.n >= 1 && name.n <= WIRE_NAME_MAX_BYTES);
		FUZZ_CHECK(name.p >= list.p);
		FUZZ_CHECK(value.p == name.p + name.n + 1);
		FUZZ_CHECK(value.p + value.n < list.p + list.n);
		FUZZ_CHECK(value.p[value.n] == '\n');
	}
}

static void check_numbers(const struct attrs *attrs)
{
	int64_t number = 0;
	size_t i;

	for (i = 0; i < attrs->n; i++)
		if (attr_number(attrs->at[i].value, -5, INT64_MAX, &number) ==
		    FAULT_NONE)
			FUZZ_CHECK(number >= -5);
}

static void write_again(const struct attrs *attrs, struct span list,
    const char *first)
{
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct attr_writer writer;
	size_t i;

	attr_begin(&writer, &out, first);
	for (i = 1; i < attrs->n; i++) {
		char *name = fuzz_string(attrs->at[i].name);

		attr_put(&writer, name, attrs->at[i].value);
		free(name);
	}
	FUZZ_CHECK(attr_end(&writer) == FAULT_NONE);
	FUZZ_CHECK(out.n == list.n && memcmp(out.p, list.p, list.n) == 0);
	buf_drop(&out);
}

/* A list that is not whole yet may not be refused for what is missing. */
static void check_prefix(struct span list)
{
	size_t length = 1;

	if (list.n < 2)
		return;
	list.n--;
	FUZZ_CHECK(attr_length(list, &length) == FAULT_NONE);
	FUZZ_CHECK(length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const firsts[] = { WIRE_FIRST, WIRE_FIRST_ENTRY };
	struct span list = fuzz_span(bytes, n);
	size_t i, length = 0;
	struct attrs attrs;
	enum fault fault;

	fault = attr_length(list, &length);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_TOO_BIG);
	if (fault == FAULT_NONE && length > 0) {
		FUZZ_CHECK(length <= n);
		list.n = length;
		check_prefix(list);
	}
	for (i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		fault = attr_parse(list, firsts[i], &attrs);
		FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GRAMMAR ||
		    fault == FAULT_TOO_BIG);
		if (fault != FAULT_NONE)
			continue;
		FUZZ_CHECK(length == list.n);
		check_names(&attrs, list);
		check_numbers(&attrs);
		write_again(&attrs, list, firsts[i]);
	}
	return 0;
}
