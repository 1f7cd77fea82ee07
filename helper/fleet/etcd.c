/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Calls: each has a deadline and goes round the endpoints.  A call that needs
 * a token waits for the one that asks for it, which is a call like others.
 * No sentence quotes what etcd says: what its codes mean is known.
 */
#include "fleet/etcd_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/safefile.h"
#include "wire/ask.h"

#define ROUND_PAUSE_MS	   250 /* when all endpoints failed */
#define TRY_MIN_MS	   500 /* less tells nothing */
#define PASSWORD_MAX_BYTES 1024
#define BODY_MAX_BYTES	   (1 << 20)
#define LINE_MAX_BYTES	   4096
#define LEASE		   "/v3/lease/"
#define NO_LEADER \
	"has no leader, or no majority that answers in time: see 'etcdctl " \
	"endpoint status --cluster'"

struct etcd_call {
	struct etcd *etcd;
	struct etcd_call *next;
	const char *path;
	struct buf body, got;
	etcd_done_fn *done;
	void *ctx;
	struct http_exchange *exchange;
	struct event wake;
	int64_t deadline_ms;
	size_t at, tried;
	unsigned tokens; /* etcd's, when it was sent */
	bool maybe;
	bool renewed; /* the token, for it */
	bool waits;   /* for a token */
	char text[ETCD_TEXT_BYTES];
};

static void call_try(struct etcd_call *call);

void etcd_forget_token(struct etcd *etcd)
{
	if (etcd->token != NULL)
		secret_wipe(etcd->token, strlen(etcd->token));
	free(etcd->token);
	etcd->token = NULL;
	etcd->open = false;
}

static void call_free(struct etcd_call *call)
{
	if (call == NULL)
		return;
	http_cancel(call->exchange);
	(void)evtimer_del(&call->wake);
	buf_drop(&call->body);
	buf_drop(&call->got);
	free(call);
}

static void call_unlink(struct etcd_call *call)
{
	struct etcd_call **at = &call->etcd->first;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
}

void etcd_cancel(struct etcd_call *call)
{
	if (call != NULL)
		call_unlink(call);
	call_free(call);
}

/* reply NULL: it failed, and text says why. */
static void call_end(struct etcd_call *call, const struct etcd_reply *reply)
{
	struct etcd_answer answer = { .ok = false };

	if (reply != NULL)
		answer = reply->answer;
	answer.ok = reply != NULL;
	answer.maybe = reply == NULL && call->maybe;
	answer.text = reply == NULL ? call->text : "";
	answer.url = reply != NULL ? call->etcd->urls[call->at] : NULL;
	call_unlink(call);
	call->done(call->ctx, &answer);
	call_free(call);
}

static void wake_event(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	call_try(ctx);
}

void etcd_later(struct event *timer, long after_ms)
{
	struct timeval wait = { after_ms / 1000, after_ms % 1000 * 1000 };

	if (after_ms == 0 || evtimer_add(timer, &wait) != 0)
		event_active(timer, EV_TIMEOUT, 0);
}

/* body  in: it is dropped; NULL: no memory */
static enum fault call_new(struct etcd *etcd, const char *path, json_t *body,
    etcd_done_fn *done, struct etcd_call **call_out)
{
	struct etcd_call *call = calloc(1, sizeof(*call));
	enum fault fault = FAULT_NOMEM;

	if (call != NULL) {
		buf_init(&call->body, BODY_MAX_BYTES);
		buf_init(&call->got, ETCD_ANSWER_MAX_BYTES);
		(void)evtimer_assign(&call->wake, etcd->base, wake_event, call);
		fault = reply_dump(body, &call->body);
	}
	json_decref(body);
	if (fault) {
		call_free(call);
		return fault;
	}
	call->etcd = etcd;
	call->path = path;
	call->done = done;
	call->at = etcd->at;
	call->deadline_ms = ask_now_ms() + ETCD_CALL_MAX_MS;
	(void)snprintf(call->text, sizeof(call->text),
	    "etcd did not answer in time");
	call->next = etcd->first;
	etcd->first = call;
	etcd_later(&call->wake, 0);
	*call_out = call;
	return FAULT_NONE;
}

enum fault etcd_post(struct etcd *etcd, const struct etcd_post *post,
    struct http_exchange **exchange_out)
{
	struct buf url = BUF_INIT(LINE_MAX_BYTES);
	struct buf token = BUF_INIT(BODY_MAX_BYTES);
	bool watches = post->max_ms == HTTP_ENDLESS;
	struct http_request request = {
		.method = HTTP_POST_JSON,
		.body = post->body,
		.ca_file = etcd->ca_file,
		.proxy = "",
		.max_ms = post->max_ms,
		.certificate = etcd->certificate,
		.certificate_key = etcd->certificate_key,
		.clear = true,
		.keeps = !watches,
		.piece = post->piece,
	};
	enum fault fault;

	buf_add_str(&url, etcd->urls[post->at]);
	buf_add_str(&url, post->path);
	if (etcd->token != NULL) {
		buf_add_lit(&token, "Authorization: ");
		buf_add_str(&token, etcd->token);
	}
	fault = buf_fault(&url);
	if (!fault)
		fault = buf_fault(&token);
	request.url = url.p;
	request.fields[0] = token.p;
	/* Or a member that lost its leader is silent (rpctypes of etcd). */
	request.fields[1] = watches ? "Grpc-Metadata-hasleader: true" : NULL;
	if (!fault)
		fault = http_start(etcd->http, &request, post->done, post->ctx,
		    exchange_out);
	buf_drop(&url);
	buf_drop(&token);
	return fault;
}

static const struct {
	enum etcd_code code;
	const char *words;
} meanings[] = {
	{ ETCD_INVALID, "does not accept the request: see its log" },
	{ ETCD_LATE, NO_LEADER },
	{ ETCD_NOT_FOUND, "does not know the lease any more" },
	{ ETCD_DENIED,
	    "does not allow it: grant fleet_user a role that may read and "
	    "write all keys that begin with fleet_prefix" },
	{ ETCD_EXHAUSTED, "has too much to do" },
	{ ETCD_OUT_OF_RANGE, "has compacted that revision away" },
	{ ETCD_UNAVAILABLE, NO_LEADER },
};

/* What clients compare as well (rpctypes of etcd). */
bool etcd_wants_token(const struct etcd_reply *reply)
{
	return reply->code == ETCD_UNAUTHENTICATED ||
	    (reply->code == ETCD_INVALID &&
		(strstr(reply->message, "user") != NULL ||
		    strstr(reply->message, "auth store") != NULL));
}

void etcd_say(const struct etcd *etcd, size_t at,
    const struct etcd_reply *reply, char *out)
{
	const char *words = "failed: see its log";
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (reply->code == meanings[i].code)
			words = meanings[i].words;
	if (strstr(reply->message, "database space exceeded") != NULL)
		words = "is full: compact and defragment it, or raise its "
			"--quota-backend-bytes, then 'etcdctl alarm disarm'";
	else if (etcd_wants_token(reply) && etcd->user == NULL)
		words = "wants a user and a password: set fleet_user and "
			"fleet_password_file";
	else if (etcd_wants_token(reply))
		words = "does not accept the user or the password: check "
			"fleet_user and fleet_password_file";
	(void)snprintf(out, ETCD_TEXT_BYTES, "etcd at %.200s %s",
	    etcd->urls[at], words);
}

/* The next endpoint; after the last the first again, a little later. */
static void call_next(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	long pause_ms = ++call->tried % etcd->n_urls == 0 ? ROUND_PAUSE_MS : 0;

	if (ask_now_ms() + pause_ms >= call->deadline_ms) {
		call_end(call, NULL);
		return;
	}
	call->at = (call->at + 1) % etcd->n_urls;
	etcd_later(&call->wake, pause_ms);
}

static void call_refused(struct etcd_call *call, struct etcd_reply *reply)
{
	struct etcd *etcd = call->etcd;
	bool asks = call == etcd->asking;

	etcd_say(etcd, call->at, reply, call->text);
	if (etcd_wants_token(reply) && etcd->user != NULL && !asks &&
	    !call->renewed) {
		call->renewed = true;
		if (call->tokens == etcd->tokens)
			etcd_forget_token(etcd);
		etcd_later(&call->wake, 0);
		return;
	}
	switch (reply->code) {
	case ETCD_NOT_FOUND:	/* what was to be kept or ended has ended */
	case ETCD_PRECONDITION: /* "authentication is not enabled" */
		etcd->open |= asks;
		call_end(call,
		    asks || strncmp(call->path, LEASE, strlen(LEASE)) == 0 ?
			reply :
			NULL);
		return;
	case ETCD_INVALID:
	case ETCD_DENIED:
	case ETCD_EXHAUSTED:
	case ETCD_OUT_OF_RANGE:
	case ETCD_UNAUTHENTICATED:
		etcd->at = call->at;
		call_end(call, NULL);
		return;
	default: call->maybe = true; call_next(call);
	}
}

static void call_answered(void *ctx, const struct http_answer *answer)
{
	struct etcd_call *call = ctx;
	struct etcd *etcd = call->etcd;
	const char *url = etcd->urls[call->at];
	struct etcd_reply reply;
	enum fault fault;

	call->exchange = NULL;
	if (answer->trouble != HTTP_ANSWERED) {
		call->maybe |= answer->reached;
		(void)snprintf(call->text, sizeof(call->text),
		    "etcd at %.200s cannot be asked: %s", url, answer->text);
		if (answer->trouble == HTTP_LOCAL)
			call_end(call, NULL);
		else
			call_next(call);
		return;
	}
	fault = etcd_reply_parse(buf_span(&call->got), &reply);
	if (fault) {
		call->maybe = true;
		(void)snprintf(call->text, sizeof(call->text),
		    "what answers at %.200s (status %ld) has no JSON gateway "
		    "of etcd 3.4 or newer below /v3: check fleet",
		    url, answer->status);
		call_next(call);
		return;
	}
	if (reply.code != ETCD_OK) {
		call_refused(call, &reply);
	} else {
		etcd->at = call->at;
		if (call == etcd->asking && reply.token != NULL) {
			etcd_forget_token(etcd);
			etcd->token = reply.token;
			etcd->tokens++;
			reply.token = NULL;
		}
		call_end(call, &reply);
	}
	etcd_reply_drop(&reply);
}

static bool call_piece(void *ctx, struct span piece)
{
	struct etcd_call *call = ctx;

	buf_add(&call->got, piece);
	return buf_fault(&call->got) == FAULT_NONE;
}

static void token_done(void *ctx, const struct etcd_answer *answer)
{
	struct etcd *etcd = ctx;
	struct etcd_call *call;

	etcd->asking = NULL;
	for (call = etcd->first; call != NULL; call = call->next) {
		if (!call->waits)
			continue;
		call->waits = false;
		if (!answer->ok) {
			call->deadline_ms = 0;
			(void)snprintf(call->text, sizeof(call->text), "%s",
			    answer->text);
		}
		etcd_later(&call->wake, 0);
	}
}

static enum fault ask_token(struct etcd_call *call, struct why *why)
{
	struct buf password = BUF_INIT(PASSWORD_MAX_BYTES);
	struct etcd *etcd = call->etcd;
	enum fault fault;

	fault = safefile_read_secret(etcd->password_file, PASSWORD_MAX_BYTES,
	    &password, why);
	if (!fault)
		fault = call_new(etcd, "/v3/auth/authenticate",
		    etcd_json_login(etcd->user, password.p), token_done,
		    &etcd->asking);
	if (!fault) {
		etcd->asking->ctx = etcd;
		etcd->asking->deadline_ms = call->deadline_ms;
	}
	buf_drop(&password);
	return fault;
}

static void call_try(struct etcd_call *call)
{
	struct etcd *etcd = call->etcd;
	int64_t left_ms = call->deadline_ms - ask_now_ms();
	struct etcd_post post = {
		.path = call->path,
		.body = buf_span(&call->body),
		.at = call->at,
		.max_ms = left_ms < ETCD_TRY_MAX_MS ? (long)left_ms :
						      ETCD_TRY_MAX_MS,
		.piece = call_piece,
		.done = call_answered,
		.ctx = call,
	};
	struct why why = { 0, "" };
	enum fault fault = FAULT_NONE;

	if (left_ms < TRY_MIN_MS) {
		call_end(call, NULL);
		return;
	}
	call->waits = etcd->user != NULL && etcd->token == NULL &&
	    !etcd->open && call != etcd->asking;
	if (call->waits) {
		if (etcd->asking == NULL)
			fault = ask_token(call, &why);
	} else {
		buf_drop(&call->got);
		call->tokens = etcd->tokens;
		fault = etcd_post(etcd, &post, &call->exchange);
	}
	if (fault) {
		(void)snprintf(call->text, sizeof(call->text),
		    "etcd cannot be asked: %s%s",
		    call->waits ? "fleet_password_file " : "",
		    why_text(&why, fault));
		call_end(call, NULL);
	}
}

enum fault etcd_range(struct etcd *etcd, const struct etcd_range *range,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out)
{
	enum fault fault = call_new(etcd, "/v3/kv/range",
	    etcd_json_range(range), done, call_out);

	if (!fault)
		(*call_out)->ctx = ctx;
	return fault;
}

enum fault etcd_txn(struct etcd *etcd, const struct etcd_txn *txn,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out)
{
	enum fault fault = call_new(etcd, "/v3/kv/txn", etcd_json_txn(txn),
	    done, call_out);

	if (!fault)
		(*call_out)->ctx = ctx;
	return fault;
}

enum fault etcd_lease(struct etcd *etcd, const struct etcd_lease *lease,
    etcd_done_fn *done, void *ctx, struct etcd_call **call_out)
{
	static const char *const paths[] = {
		[ETCD_GRANT] = LEASE "grant",
		[ETCD_KEEP] = LEASE "keepalive",
		[ETCD_REVOKE] = LEASE "revoke",
	};
	enum fault fault = call_new(etcd, paths[lease->verb],
	    etcd_json_lease(lease), done, call_out);

	if (!fault)
		(*call_out)->ctx = ctx;
	return fault;
}

enum fault etcd_new(const struct etcd_options *options, struct etcd **etcd_out)
{
	struct etcd *etcd = calloc(1, sizeof(*etcd));
	const struct {
		char **slot;
		const char *text;
	} copies[] = {
		{ &etcd->user, options->user },
		{ &etcd->password_file, options->password_file },
		{ &etcd->ca_file, options->ca_file },
		{ &etcd->certificate, options->certificate },
		{ &etcd->certificate_key, options->certificate_key },
	};
	enum fault fault = FAULT_NONE;
	size_t i;

	if (etcd == NULL)
		return FAULT_NOMEM;
	etcd->base = options->base;
	etcd->http = options->http;
	for (i = 0; !fault && i < sizeof(copies) / sizeof(copies[0]); i++)
		fault = string_set(copies[i].slot, span_of(copies[i].text));
	for (i = 0; !fault && i < options->n_urls; i++)
		fault = string_set(&etcd->urls[i], span_of(options->urls[i]));
	etcd->n_urls = options->n_urls;
	if (fault)
		etcd_free(etcd);
	else
		*etcd_out = etcd;
	return fault;
}

void etcd_free(struct etcd *etcd)
{
	size_t i;

	if (etcd == NULL)
		return;
	while (etcd->watches != NULL)
		etcd_watch_stop(etcd->watches);
	while (etcd->first != NULL)
		etcd_cancel(etcd->first);
	etcd_forget_token(etcd);
	for (i = 0; i < ETCD_URLS_MAX; i++)
		free(etcd->urls[i]);
	free(etcd->user);
	free(etcd->password_file);
	free(etcd->ca_file);
	free(etcd->certificate);
	free(etcd->certificate_key);
	free(etcd);
}
