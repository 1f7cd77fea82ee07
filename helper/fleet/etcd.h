/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * etcd - a client of etcd v3 through its JSON gateway (3.4, 3.5, 3.6)
 *
 * Owns the endpoints, the authentication and the watches.  A call goes to the
 * endpoint that answered last, then to the others in turn, until one answers
 * or ETCD_CALL_MAX_MS are over; so it may be carried out twice, and must be
 * such that this does no harm: a transaction that compares.  Keys and values
 * are bytes; they travel in base64 (api.md of etcd, "gRPC gateway").  Errors
 * are the gateway's "code" numbers (google.rpc.Code).
 */
#ifndef MAILTOKEN_FLEET_ETCD_H
#define MAILTOKEN_FLEET_ETCD_H

#include "oauth/http.h"

#define ETCD_URLS_MAX	 9
#define ETCD_CALL_MAX_MS 8000 /* all tries of one call */
#define ETCD_TRY_MAX_MS	 3000 /* one try; less where fewer are left */

struct etcd;
struct etcd_call;
struct etcd_watch;

/* All is copied; files are read when they are needed. */
struct etcd_options {
	struct event_base *base;
	struct http *http;
	const char *const *urls; /* "https://HOST:PORT"; http:// as well */
	size_t n_urls;		 /* 1..ETCD_URLS_MAX */
	const char *user;	 /* NULL: without authentication */
	const char *password_file;
	const char *ca_file; /* NULL: the system's */
	const char *certificate;
	const char *certificate_key;
};

/* etcd_new - nothing is asked yet.  FAULT_NOMEM. */
enum fault etcd_new(const struct etcd_options *options,
    struct etcd **etcd_out) MUST_CHECK;

/* etcd_free - calls and watches that are left are cancelled; NULL is fine. */
void etcd_free(struct etcd *etcd);

struct etcd_kv {
	struct span key;
	struct span value;
	int64_t mod_revision;
	int64_t lease; /* 0: none */
	bool gone;     /* in a watch: it was deleted */
};

/* Valid during the call; what does not belong to the operation is zero. */
struct etcd_answer {
	bool ok;
	bool maybe;	  /* !ok: it may have been carried out all the same */
	const char *text; /* !ok: one sentence with the endpoint, what is wrong
			     and what mends it (quota, authentication, TLS,
			     no leader), free of secrets; else "" */
	const char *url;  /* of who answered, or NULL */
	uint64_t cluster; /* header.cluster_id */
	int64_t revision; /* header.revision: the store's, at that time */
	bool succeeded;	  /* a transaction's comparisons held */
	const struct etcd_kv *kvs; /* of a range, or of all gets of a
				      transaction that found something */
	size_t n_kvs;
	bool more; /* a range's limit left some out */
	int64_t lease;
	int64_t ttl_s; /* of a lease; of a keepalive 0: it has ended */
};

typedef void etcd_done_fn(void *ctx, const struct etcd_answer *answer);

/* Every call below: done is called once, from the event loop, never from
 * inside; call_out is good until then, for etcd_cancel().  FAULT_NOMEM. */
void etcd_cancel(struct etcd_call *call); /* done is not called; NULL is fine */

/*
 * etcd_range - keys from `key` up to `end` (not with it), ascending
 *
 * revision  in: of the store; 0: the newest
 */
struct etcd_range {
	struct span key;
	struct span end; /* empty: that key alone */
	int64_t revision;
	int64_t limit; /* 0: none */
};
enum fault etcd_range(struct etcd *etcd, const struct etcd_range *range,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out) MUST_CHECK;

struct etcd_compare {
	struct span key;
	int64_t revision; /* its mod_revision; 0: there is no such key */
};

struct etcd_op {
	enum etcd_op_kind {
		ETCD_GET,
		ETCD_PUT,
		ETCD_DELETE
	} kind;
	struct span key;
	struct span value; /* ETCD_PUT */
	int64_t lease;	   /* ETCD_PUT; 0: none */
};

/* All comparisons hold: `then`; else `otherwise`. */
struct etcd_txn {
	const struct etcd_compare *compares;
	size_t n_compares;
	const struct etcd_op *then;
	size_t n_then;
	const struct etcd_op *otherwise;
	size_t n_otherwise;
};
enum fault etcd_txn(struct etcd *etcd, const struct etcd_txn *txn,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out) MUST_CHECK;

struct etcd_lease {
	enum etcd_lease_verb {
		ETCD_GRANT,
		ETCD_KEEP,
		ETCD_REVOKE
	} verb;
	int64_t number; /* ETCD_GRANT: its seconds; else which lease */
};
enum fault etcd_lease(struct etcd *etcd, const struct etcd_lease *lease,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out) MUST_CHECK;

struct etcd_watch_event {
	enum etcd_watch_kind {
		ETCD_WATCH_ON,	 /* it is set up (again); revision */
		ETCD_WATCH_PUT,	 /* kv */
		ETCD_WATCH_GONE, /* kv.key, kv.mod_revision */
		ETCD_WATCH_SEEN, /* all up to revision was told */
		ETCD_WATCH_LOST, /* text; it is tried again by itself */
		ETCD_WATCH_OVER	 /* what it would go on from is compacted away,
				    or the store is another: list anew, and
				    start another watch; the watch is freed
				    when the callback returns */
	} kind;
	const struct etcd_kv *kv;
	int64_t revision;
	uint64_t cluster;
	const char *text;
};
typedef void etcd_watch_fn(void *ctx, const struct etcd_watch_event *event);

/*
 * etcd_watch_start - all keys with a prefix, from a revision on
 *
 * It is held open without an end; when it breaks, or says nothing for longer
 * than it should (the stream has progress notifications), it goes on from what
 * was told last, at the next endpoint, after 0.2 s doubling to 5 s.  fn is
 * never called from inside.  etcd_watch_stop - NULL is fine; not from fn.
 */
struct etcd_watch_options {
	struct span prefix;
	int64_t from; /* the first revision that is told */
	etcd_watch_fn *fn;
	void *ctx;
};
enum fault etcd_watch_start(struct etcd *etcd,
    const struct etcd_watch_options *options,
    struct etcd_watch **watch_out) MUST_CHECK;
void etcd_watch_stop(struct etcd_watch *watch);

#endif
