/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of etcd's gateway, of calls and of a watch: what is found lies inside
 * what was decoded, and an error has a code and a printable text.
 */
#include "fleet/etcd_impl.h"
#include "fuzz.h"
#include "oauth/reply.h"

const char fuzz_name[] = "etcd";

static void check_span(const struct etcd_reply *reply, struct span span,
    size_t n)
{
	FUZZ_CHECK(
	    span.p >= reply->bytes && span.p + span.n <= reply->bytes + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct etcd_reply reply;
	enum fault fault;
	size_t i;

	reply_setup();
	fault = etcd_reply_parse(fuzz_span(bytes, n), &reply);
	FUZZ_CHECK(fault == FAULT_NONE || fault == FAULT_GARBLED);
	if (fault)
		return 0;
	FUZZ_CHECK(fuzz_is_printable(reply.message));
	FUZZ_CHECK(reply.code == ETCD_OK || reply.answer.n_kvs == 0);
	for (i = 0; i < reply.answer.n_kvs; i++) {
		check_span(&reply, reply.kvs[i].key, n);
		check_span(&reply, reply.kvs[i].value, n);
		FUZZ_CHECK(reply.kvs[i].mod_revision > 0);
	}
	etcd_reply_drop(&reply);
	return 0;
}
