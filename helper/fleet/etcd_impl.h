/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * etcd_impl - what the files of the client share: etcd.c has the calls and the
 * authentication, etcd_json.c the gateway's JSON, etcd_watch.c the watches
 */
#ifndef MAILTOKEN_FLEET_ETCD_IMPL_H
#define MAILTOKEN_FLEET_ETCD_IMPL_H

#include <event2/event_struct.h>

#include "fleet/etcd.h"
#include "oauth/reply_impl.h"

#define ETCD_ANSWER_MAX_BYTES (32 << 20)
#define ETCD_TEXT_BYTES	      512

/* google.rpc.Code, those that matter. */
enum etcd_code {
	ETCD_OK = 0,
	ETCD_INVALID = 3,
	ETCD_LATE = 4,
	ETCD_NOT_FOUND = 5,
	ETCD_DENIED = 7,
	ETCD_EXHAUSTED = 8,
	ETCD_PRECONDITION = 9,
	ETCD_OUT_OF_RANGE = 11,
	ETCD_UNAVAILABLE = 14,
	ETCD_UNAUTHENTICATED = 16
};

struct etcd {
	struct event_base *base;
	struct http *http;
	char *urls[ETCD_URLS_MAX];
	size_t n_urls;
	size_t at; /* who is asked first */
	char *user, *password_file, *ca_file, *certificate, *certificate_key;
	char *token;	 /* NULL: none */
	unsigned tokens; /* so many there were */
	bool open;	 /* etcd said that authentication is off */
	struct etcd_call *first;
	struct etcd_call *asking; /* for a token */
	struct etcd_watch *watches;
};

/* One answer; with etcd_reply_drop() what its spans point to is gone. */
struct etcd_reply {
	struct etcd_answer answer; /* ok, maybe, text, url: not set */
	int64_t code;		   /* or ETCD_OK */
	char message[160];	   /* printable */
	char *token;		   /* of authenticate; the caller's to take */
	bool created, fragment;	   /* of a watch; kvs are its events */
	int64_t compact_revision;
	struct etcd_kv *kvs;
	char *bytes; /* of keys and values */
};

/*
 * etcd_reply_parse - body as one object of the gateway
 *
 * FAULT_GARBLED, FAULT_NOMEM; reply needs no drop then.
 */
enum fault etcd_reply_parse(struct span body,
    struct etcd_reply *reply_out) MUST_CHECK;
void etcd_reply_drop(struct etcd_reply *reply);

/* Bodies of requests; NULL without memory. */
json_t *etcd_json_range(const struct etcd_range *range);
json_t *etcd_json_txn(const struct etcd_txn *txn);
json_t *etcd_json_lease(const struct etcd_lease *lease);
json_t *etcd_json_login(const char *user, const char *password);
json_t *etcd_json_watch(struct span prefix, int64_t from);

/* etcd_later - the timer, after ms. */
void etcd_later(struct event *timer, long after_ms);

/* etcd_post - one exchange with the endpoint at; the faults of http_start(). */
struct etcd_post {
	const char *path;
	struct span body;
	size_t at;
	long max_ms; /* HTTP_ENDLESS: of a watch */
	bool (*piece)(void *ctx, struct span piece);
	http_done_fn *done;
	void *ctx;
};
enum fault etcd_post(struct etcd *etcd, const struct etcd_post *post,
    struct http_exchange **exchange_out) MUST_CHECK;

/* etcd_say - what a code means, in one sentence of ETCD_TEXT_BYTES. */
void etcd_say(const struct etcd *etcd, size_t at,
    const struct etcd_reply *reply, char *out);

/* etcd_wants_token - whether another token may help. */
bool etcd_wants_token(const struct etcd_reply *reply);

/* etcd_forget_token - the next call asks for another. */
void etcd_forget_token(struct etcd *etcd);

#endif
