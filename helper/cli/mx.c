/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The resolver of the C library; its state is a global of libc and is used
 * once, before anything else of it.
 */
#include "cli/mx.h"

#include <sys/types.h>
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>

#include "wire/attr.h"

#define MESSAGE_MAX_BYTES 4096
#define EXCHANGERS_MAX	  16
#define NAME_MAX_BYTES	  256
#define TRIES		  2
#define TRY_S		  2

struct exchanger {
	unsigned preference;
	char name[NAME_MAX_BYTES];
};

static int by_preference(const void *a, const void *b)
{
	const struct exchanger *left = a, *right = b;

	return left->preference < right->preference ?
	    -1 :
	    left->preference > right->preference;
}

/* PREFERENCE and EXCHANGE, RFC 1035 section 3.3.9 */
static bool take(ns_msg *message, int i, struct exchanger *exchanger)
{
	ns_rr record;

	if (ns_parserr(message, ns_s_an, i, &record) != 0 ||
	    ns_rr_type(record) != ns_t_mx || ns_rr_rdlen(record) < 3 ||
	    dn_expand(ns_msg_base(*message), ns_msg_end(*message),
		ns_rr_rdata(record) + 2, exchanger->name,
		sizeof(exchanger->name)) < 0)
		return false;
	exchanger->preference = ns_get16(ns_rr_rdata(record));
	return attr_is_host(span_of(exchanger->name));
}

void mx_parse(const unsigned char *bytes, size_t n, struct buf *out)
{
	struct exchanger found[EXCHANGERS_MAX];
	size_t i, used = 0;
	ns_msg message;
	int at, count;

	if (n > MESSAGE_MAX_BYTES || ns_initparse(bytes, (int)n, &message) != 0)
		return;
	count = ns_msg_count(message, ns_s_an);
	for (at = 0; at < count && used < EXCHANGERS_MAX; at++)
		if (take(&message, at, &found[used]))
			used++;
	if (used > 0)
		qsort(found, used, sizeof(found[0]), by_preference);
	for (i = 0; i < used; i++) {
		if (out->n + strlen(found[i].name) + 1 > out->max_bytes)
			break;
		if (out->n > 0)
			buf_add_lit(out, " ");
		buf_add_str(out, found[i].name);
	}
}

void mx_find(const char *domain, struct buf *out)
{
	unsigned char message[MESSAGE_MAX_BYTES];
	int n;

	if (!attr_is_host(span_of(domain)) || res_init() != 0)
		return;
	_res.retrans = TRY_S;
	_res.retry = TRIES;
	n = res_query(domain, ns_c_in, ns_t_mx, message, (int)sizeof(message));
	if (n > 0)
		mx_parse(message,
		    (size_t)n < sizeof(message) ? (size_t)n : sizeof(message),
		    out);
}
