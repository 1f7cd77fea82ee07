/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A watch: a read of one key, which finds an endpoint that has a leader, a
 * token, and whether the store is still the same; then a stream from there, a
 * line an answer.  What comes waits in `lines` for the event loop, one line in
 * a turn.  When nothing comes for a while the key is read again: if the
 * store has gone on since, the stream may be dead, and another is begun.
 */
#include "fleet/etcd_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 5000
#define SILENT_MS    30000
/* Of a watcher that catches up etcd sends so many revisions at once and says
 * which the store is at (mvcc/watcher_group.go); fewer are the last. */
#define BATCH_N 1000

struct etcd_watch {
	struct etcd *etcd;
	struct etcd_watch *next;
	struct buf prefix;
	etcd_watch_fn *fn;
	void *ctx;
	int64_t from;  /* what is told next */
	int64_t heard; /* the store's revision, as the stream said last */
	size_t batch_n;
	uint64_t cluster; /* 0: not known yet */
	struct etcd_call *check;
	struct http_exchange *exchange;
	size_t at;
	struct event wake, silent;
	struct buf lines;
	size_t read_n; /* of lines */
	long pause_ms;
	bool created, on;
	bool ended; /* the stream has, as text says */
	char text[ETCD_TEXT_BYTES];
};

static void stream_end(struct etcd_watch *watch)
{
	http_cancel(watch->exchange);
	watch->exchange = NULL;
	(void)evtimer_del(&watch->silent);
	(void)evtimer_del(&watch->wake);
	buf_drop(&watch->lines);
	watch->read_n = watch->batch_n = 0;
	watch->created = watch->ended = false;
}

void etcd_watch_stop(struct etcd_watch *watch)
{
	struct etcd_watch **at;

	if (watch == NULL)
		return;
	at = &watch->etcd->watches;
	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	etcd_cancel(watch->check);
	stream_end(watch);
	buf_drop(&watch->prefix);
	free(watch);
}

static void tell(const struct etcd_watch *watch, enum etcd_watch_kind kind,
    int64_t revision, const struct etcd_kv *kv)
{
	const struct etcd_watch_event event = {
		.kind = kind,
		.kv = kv,
		.revision = revision,
		.cluster = watch->cluster,
		.text = kind == ETCD_WATCH_LOST ? watch->text : "",
	};

	watch->fn(watch->ctx, &event);
}

static void watch_over(struct etcd_watch *watch)
{
	tell(watch, ETCD_WATCH_OVER, watch->heard, NULL);
	etcd_watch_stop(watch);
}

/* As text says. */
static void watch_lost(struct etcd_watch *watch)
{
	etcd_cancel(watch->check);
	watch->check = NULL;
	stream_end(watch);
	watch->on = false;
	etcd_later(&watch->wake, watch->pause_ms);
	watch->pause_ms *= 2;
	if (watch->pause_ms > PAUSE_MAX_MS)
		watch->pause_ms = PAUSE_MAX_MS;
	tell(watch, ETCD_WATCH_LOST, watch->heard, NULL);
}

static void stream_failed(struct etcd_watch *watch)
{
	watch->etcd->at = (watch->at + 1) % watch->etcd->n_urls;
	watch_lost(watch);
}

static bool stream_piece(void *ctx, struct span piece)
{
	struct etcd_watch *watch = ctx;

	buf_add(&watch->lines, piece);
	etcd_later(&watch->wake, 0);
	return buf_fault(&watch->lines) == FAULT_NONE;
}

static void stream_done(void *ctx, const struct http_answer *answer)
{
	struct etcd_watch *watch = ctx;

	watch->exchange = NULL;
	watch->ended = true;
	(void)snprintf(watch->text, sizeof(watch->text),
	    "the watch of etcd at %.200s ended: %s",
	    watch->etcd->urls[watch->at], answer->text);
	if (watch->lines.n > watch->read_n)
		buf_add_lit(&watch->lines, "\n");
	etcd_later(&watch->wake, 0);
}

static enum fault stream_begin(struct etcd_watch *watch)
{
	struct buf body = BUF_INIT(ETCD_ANSWER_MAX_BYTES);
	struct etcd_post post = {
		.path = "/v3/watch",
		.at = watch->etcd->at,
		.max_ms = HTTP_ENDLESS,
		.piece = stream_piece,
		.done = stream_done,
		.ctx = watch,
	};
	json_t *object;
	enum fault fault;

	watch->at = post.at;
	object = etcd_json_watch(buf_span(&watch->prefix), watch->from);
	fault = reply_dump(object, &body);
	json_decref(object);
	post.body = buf_span(&body);
	if (!fault)
		fault = etcd_post(watch->etcd, &post, &watch->exchange);
	buf_drop(&body);
	if (!fault)
		etcd_later(&watch->silent, ETCD_TRY_MAX_MS);
	return fault;
}

static void checked(void *ctx, const struct etcd_answer *answer)
{
	struct etcd_watch *watch = ctx;
	enum fault fault;

	watch->check = NULL;
	if (!answer->ok) {
		(void)snprintf(watch->text, sizeof(watch->text), "%s",
		    answer->text);
		watch_lost(watch);
		return;
	}
	if (answer->revision < watch->from - 1 ||
	    (watch->cluster != 0 && answer->cluster != watch->cluster)) {
		watch_over(watch);
		return;
	}
	watch->cluster = answer->cluster;
	if (watch->created && answer->revision <= watch->heard) {
		etcd_later(&watch->silent, SILENT_MS);
		return;
	}
	stream_end(watch);
	fault = stream_begin(watch);
	if (fault) {
		(void)snprintf(watch->text, sizeof(watch->text),
		    "the watch of etcd cannot go on: %s", fault_text(fault));
		watch_lost(watch);
	}
}

static void check(struct etcd_watch *watch)
{
	const struct etcd_range range = { .key = buf_span(&watch->prefix) };

	if (watch->check == NULL &&
	    etcd_range(watch->etcd, &range, checked, watch, &watch->check) !=
		FAULT_NONE) {
		(void)snprintf(watch->text, sizeof(watch->text), "%s",
		    fault_text(FAULT_NOMEM));
		watch_lost(watch);
	}
}

static void told_all(struct etcd_watch *watch, int64_t revision)
{
	if (watch->from <= revision)
		watch->from = revision + 1;
	tell(watch, ETCD_WATCH_SEEN, revision, NULL);
}

static void events(struct etcd_watch *watch, const struct etcd_reply *reply)
{
	const struct etcd_answer *answer = &reply->answer;
	int64_t last = watch->from - 1;
	size_t i;

	for (i = 0; i < answer->n_kvs; i++) {
		if (reply->kvs[i].mod_revision < watch->from)
			continue;
		last = reply->kvs[i].mod_revision;
		tell(watch,
		    reply->kvs[i].gone ? ETCD_WATCH_GONE : ETCD_WATCH_PUT, last,
		    &reply->kvs[i]);
	}
	watch->batch_n += answer->n_kvs;
	/* More of the same revision may be to come. */
	if (reply->fragment) {
		if (watch->from < last)
			watch->from = last;
		return;
	}
	told_all(watch, watch->batch_n < BATCH_N ? answer->revision : last);
	watch->batch_n = 0;
}

static void refused(struct etcd_watch *watch, const struct etcd_reply *reply)
{
	/* A watch with a token that has expired is not allowed. */
	if (etcd_wants_token(reply) || reply->code == ETCD_DENIED)
		etcd_forget_token(watch->etcd);
	etcd_say(watch->etcd, watch->at, reply, watch->text);
	stream_failed(watch);
}

/* The watch may be gone afterwards. */
static void line_told(struct etcd_watch *watch, struct span line)
{
	struct etcd_reply reply;
	enum fault fault = etcd_reply_parse(line, &reply);

	if (fault) {
		if (!watch->ended)
			(void)snprintf(watch->text, sizeof(watch->text),
			    "what etcd at %.200s says in its watch cannot be "
			    "used: %s",
			    watch->etcd->urls[watch->at], fault_text(fault));
		stream_failed(watch);
		return;
	}
	if (reply.code != ETCD_OK) {
		refused(watch, &reply);
	} else if (reply.answer.cluster != watch->cluster ||
	    reply.compact_revision > 0) {
		watch_over(watch);
	} else {
		watch->heard = reply.answer.revision;
		watch->pause_ms = PAUSE_MIN_MS;
		etcd_later(&watch->silent, SILENT_MS);
		if (!reply.created) {
			events(watch, &reply);
		} else {
			watch->created = true;
			if (!watch->on)
				tell(watch, ETCD_WATCH_ON, watch->heard, NULL);
			watch->on = true;
		}
	}
	etcd_reply_drop(&reply);
}

static void wake_event(evutil_socket_t fd, short what, void *ctx)
{
	struct etcd_watch *watch = ctx;
	struct span rest = buf_span(&watch->lines), line;
	const char *lf;

	(void)fd;
	(void)what;
	if (watch->exchange == NULL && !watch->ended) {
		check(watch);
		return;
	}
	rest.p += watch->read_n;
	rest.n -= watch->read_n;
	lf = rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL;
	if (lf != NULL) {
		line = (struct span){ rest.p, (size_t)(lf - rest.p) };
		watch->read_n += line.n + 1;
		etcd_later(&watch->wake, 0);
		line_told(watch, line);
	} else if (watch->ended) {
		stream_failed(watch);
	} else {
		buf_consume(&watch->lines, watch->read_n);
		watch->read_n = 0;
	}
}

static void silent_event(evutil_socket_t fd, short what, void *ctx)
{
	struct etcd_watch *watch = ctx;

	(void)fd;
	(void)what;
	if (watch->created) {
		check(watch);
		return;
	}
	(void)snprintf(watch->text, sizeof(watch->text),
	    "etcd at %.200s did not begin the watch in time",
	    watch->etcd->urls[watch->at]);
	stream_failed(watch);
}

enum fault etcd_watch_start(struct etcd *etcd,
    const struct etcd_watch_options *options, struct etcd_watch **watch_out)
{
	struct etcd_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return FAULT_NOMEM;
	watch->etcd = etcd;
	watch->fn = options->fn;
	watch->ctx = options->ctx;
	watch->from = options->from;
	watch->pause_ms = PAUSE_MIN_MS;
	buf_init(&watch->prefix, ETCD_ANSWER_MAX_BYTES);
	buf_init(&watch->lines, ETCD_ANSWER_MAX_BYTES);
	(void)evtimer_assign(&watch->wake, etcd->base, wake_event, watch);
	(void)evtimer_assign(&watch->silent, etcd->base, silent_event, watch);
	watch->next = etcd->watches;
	etcd->watches = watch;
	buf_add(&watch->prefix, options->prefix);
	if (buf_fault(&watch->prefix) != FAULT_NONE) {
		etcd_watch_stop(watch);
		return FAULT_NOMEM;
	}
	etcd_later(&watch->wake, 0);
	*watch_out = watch;
	return FAULT_NONE;
}
