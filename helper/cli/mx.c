/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The resolver of the C library; its state is a global of libc and is used
 * once, before anything else of it.
 */
#include "cli/command.h"

#include <sys/types.h>
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <resolv.h>

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

/* An MX record has PREFERENCE and EXCHANGE, RFC 1035 section 3.3.9. */
void mx_parse(const unsigned char *bytes, size_t n, struct buf *out)
{
	struct exchanger found[EXCHANGERS_MAX], one;
	size_t used = 0, at;
	ns_msg message;
	ns_rr record;
	int i;

	if (n > MESSAGE_MAX_BYTES || ns_initparse(bytes, (int)n, &message) != 0)
		return;
	for (i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (used == EXCHANGERS_MAX ||
		    ns_parserr(&message, ns_s_an, i, &record) != 0 ||
		    ns_rr_type(record) != ns_t_mx || ns_rr_rdlen(record) < 3 ||
		    dn_expand(bytes, bytes + n, ns_rr_rdata(record) + 2,
			one.name, sizeof(one.name)) < 0 ||
		    !attr_is_host(span_of(one.name)))
			continue;
		one.preference = ns_get16(ns_rr_rdata(record));
		for (at = used++;
		     at > 0 && found[at - 1].preference > one.preference; at--)
			found[at] = found[at - 1];
		found[at] = one;
	}
	for (at = 0; at < used; at++) {
		if (out->n + strlen(found[at].name) + 1 > out->max_bytes)
			break;
		buf_add_str(out, out->n > 0 ? " " : "");
		buf_add_str(out, found[at].name);
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
	/* One that is longer was cut. */
	if (n > (int)sizeof(message))
		n = (int)sizeof(message);
	if (n > 0)
		mx_parse(message, (size_t)n, out);
}
