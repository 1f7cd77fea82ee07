/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list, the last that was needed in front: there are few issuers.  Two
 * profiles that trust other certificates or use another proxy do not share
 * what was found.
 */
#include "oauth/issuer.h"

#include <stdio.h>
#include <stdlib.h>

#include "oauth/advice.h"
#include "oauth/reply.h"
#include "oauth/url.h"

#define BODY_MAX_BYTES 16384

struct issuer_step {
	struct issuers *issuers;
	struct issuer *issuer; /* whose search it waits for, or NULL */
	struct issuer_step *next;
	struct http_exchange *exchange; /* that registers a client */
	struct issuer_wish wish;
	struct provider *provider; /* as far as it has come */
	struct issuer_end end;
	struct why why;
	bool starting; /* issuer_start() is on the stack */
	bool ended;
};

struct issuer {
	struct issuers *issuers;
	struct provider *provider; /* as the first who asked had it */
	struct provider *found;
	int64_t asked_ms;
	bool failed; /* the last search, as text says */
	struct http_exchange *exchange;
	enum issuer_place place;
	bool had_document; /* which text is about */
	bool telling;	   /* those who waited are told just now */
	char text[400];
	struct issuer_step *waiting;
	struct issuer *next;
};

struct issuers {
	struct http *http;
	struct issuer *first;
};

enum fault issuers_new(struct http *http, struct issuers **issuers_out)
{
	struct issuers *issuers = calloc(1, sizeof(*issuers));

	if (issuers == NULL)
		return FAULT_NOMEM;
	issuers->http = http;
	*issuers_out = issuers;
	return FAULT_NONE;
}

static void drop(struct issuer **at)
{
	struct issuer *issuer = *at;

	*at = issuer->next;
	http_cancel(issuer->exchange);
	provider_release(issuer->found);
	provider_release(issuer->provider);
	free(issuer);
}

void issuers_free(struct issuers *issuers)
{
	if (issuers == NULL)
		return;
	while (issuers->first != NULL)
		drop(&issuers->first);
	free(issuers);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Where the one of provider hangs, or the end of the list. */
static struct issuer **find(struct issuers *issuers,
    const struct provider *provider)
{
	struct issuer **at;

	for (at = &issuers->first; *at != NULL; at = &(*at)->next)
		if (same((*at)->provider->issuer, provider->issuer) &&
		    same((*at)->provider->ca_file, provider->ca_file) &&
		    same((*at)->provider->ca_path, provider->ca_path) &&
		    same((*at)->provider->proxy, provider->proxy))
			break;
	return at;
}

const struct provider *issuers_known(struct issuers *issuers,
    const struct provider *provider)
{
	const struct issuer *issuer = *find(issuers, provider);

	return issuer != NULL ? issuer->found : NULL;
}

/* The one that was not needed for longest gives way. */
static enum fault find_or_add(struct issuers *issuers,
    struct provider *provider, struct issuer **issuer_out)
{
	struct issuer **at = find(issuers, provider), **last = NULL;
	struct issuer *issuer = *at;
	size_t n = 0;

	if (issuer != NULL) {
		*at = issuer->next;
	} else {
		for (at = &issuers->first; *at != NULL; at = &(*at)->next, n++)
			if ((*at)->exchange == NULL && (*at)->waiting == NULL &&
			    !(*at)->telling)
				last = at;
		if (n >= ISSUERS_MAX && last == NULL)
			return FAULT_BUSY;
		issuer = calloc(1, sizeof(*issuer));
		if (issuer == NULL)
			return FAULT_NOMEM;
		if (n >= ISSUERS_MAX)
			drop(last);
		issuer->issuers = issuers;
		issuer->provider = provider_share(provider);
	}
	issuer->next = issuers->first;
	issuers->first = issuer;
	*issuer_out = issuer;
	return FAULT_NONE;
}

void issuer_cancel(struct issuer_step *step)
{
	struct issuer_step **at;

	if (step == NULL)
		return;
	if (step->issuer != NULL) {
		for (at = &step->issuer->waiting; *at != step;
		     at = &(*at)->next)
			;
		*at = step->next;
	}
	http_cancel(step->exchange);
	provider_release(step->provider);
	free(step);
}

/* The step is gone afterwards, unless issuer_start() is on the stack; text
 * NULL: why's, or nothing went wrong.  Other faults are of this machine. */
static void step_end(struct issuer_step *step, enum fault fault,
    const char *text)
{
	if (text == NULL && fault && fault != FAULT_CONFIG_ERROR &&
	    fault != FAULT_BAD_REQUEST && fault != FAULT_TRY_LATER) {
		text = fault_text(fault);
		fault = FAULT_INTERNAL;
	}
	step->end.fault = fault;
	step->end.text = text != NULL ? text : step->why.text;
	step->end.provider = fault ? NULL : step->provider;
	step->ended = true;
	if (step->starting)
		return;
	step->wish.fn(step->wish.ctx, &step->end);
	issuer_cancel(step);
}

/* The faults of an end. */
static enum fault change(struct issuer_step *step,
    const struct provider_change *wanted)
{
	struct provider *changed;
	enum fault fault;

	fault = provider_change(step->provider, wanted, &changed, &step->why);
	if (!fault) {
		provider_release(step->provider);
		step->provider = changed;
	}
	return fault == FAULT_GRAMMAR ? FAULT_BAD_REQUEST : fault;
}

static void registered(void *ctx, const struct http_answer *answer)
{
	struct issuer_step *step = ctx;
	const struct provider *provider = step->provider;
	bool answered = answer->trouble == HTTP_ANSWERED;
	struct provider_change wanted = { .found = NULL };
	struct provider *made = NULL;
	struct why why = { 0, "" };
	struct reply_error error;
	enum fault fault;

	step->exchange = NULL;
	if (answered && (answer->status == 201 || answer->status == 200)) {
		fault = issuer_read_client(answer->body, &made, &why);
		if (fault) {
			why_set(&step->why, 0,
			    "the answer to registering this client cannot be "
			    "used: %.300s",
			    why.text);
			step_end(step, FAULT_TRY_LATER, NULL);
			return;
		}
		wanted.client_id = made->client_id;
		wanted.client_secret = made->client_secret;
		wanted.secret_way = made->secret_way;
		fault = change(step, &wanted);
		step->end.registered = true;
		step->end.secret_expires_s = made->client_secret_expires_s;
		provider_release(made);
		step_end(step, fault, NULL);
		return;
	}
	why_set(&why, 0, "%s", answer->text);
	if (answered && !answer->redirect &&
	    reply_error_parse(answer->body, NULL, &error) == FAULT_NONE)
		why_set(&why, 0, "%s%s%.200s", error.error,
		    error.description[0] != '\0' ? ": " : "",
		    error.description);
	fault = answered && answer->status >= 400 &&
		!advice_is_passing(answer->status) ?
	    FAULT_CONFIG_ERROR :
	    FAULT_TRY_LATER;
	why_set(&step->why, 0,
	    fault == FAULT_CONFIG_ERROR ?
		"%.160s does not register this client (%.200s): register one by "
		"hand and write a provider block with its client_id" :
		"%.160s cannot be asked to register this client: %s",
	    provider->issuer != NULL ? provider->issuer : provider->name,
	    why.text);
	step_end(step, fault, NULL);
}

/* With what was found of issuer, or NULL where nothing had to be. */
static void proceed(struct issuer_step *step, const struct issuer *issuer)
{
	struct provider_change wanted = { .protocols = step->wish.protocols };
	struct buf body = BUF_INIT(BODY_MAX_BYTES);
	struct http_request request = { .method = HTTP_POST_JSON };
	enum fault fault = FAULT_NONE;

	if (issuer != NULL) {
		wanted.found = step->end.found = issuer->found;
		if (issuer->found == NULL) {
			step_end(step, FAULT_TRY_LATER, issuer->text);
			return;
		}
	}
	if (step->wish.to_sign_in &&
	    (wanted.found != NULL || wanted.protocols != NULL))
		fault = change(step, &wanted);
	if (!fault && step->wish.to_sign_in && step->provider->registers) {
		request.url = step->provider->registration_endpoint;
		request.ca_file = step->provider->ca_file;
		request.ca_path = step->provider->ca_path;
		request.proxy = step->provider->proxy;
		fault = issuer_client_body(step->provider, &body);
		request.body = buf_span(&body);
		if (!fault)
			fault = http_start(step->issuers->http, &request,
			    registered, step, &step->exchange);
		buf_drop(&body);
		if (!fault)
			return;
	}
	step_end(step, fault, NULL);
}

static void search_end(struct issuer *issuer, struct provider *found)
{
	struct issuer_step *step;

	issuer->failed = found == NULL;
	if (found != NULL) {
		provider_release(issuer->found);
		issuer->found = found;
	}
	/* One that is told may begin the next search, or that of another. */
	issuer->telling = true;
	while (issuer->exchange == NULL && (step = issuer->waiting) != NULL) {
		issuer->waiting = step->next;
		step->issuer = NULL;
		proceed(step, issuer);
	}
	issuer->telling = false;
}

/* The first place is spoken of, unless the second alone had a document. */
static void keep_text(struct issuer *issuer, bool is_document,
    const char *reason)
{
	if (issuer->text[0] != '\0' && (issuer->had_document || !is_document))
		return;
	issuer->had_document = is_document;
	(void)snprintf(issuer->text, sizeof(issuer->text),
	    is_document ?
		"what the issuer %.120s says of itself cannot be used: %.200s" :
		"the endpoints of the issuer %.120s cannot be learned: %.200s",
	    issuer->provider->issuer, reason);
}

static enum fault search(struct issuer *issuer, enum issuer_place place);

static void search_answered(void *ctx, const struct http_answer *answer)
{
	struct issuer *issuer = ctx;
	struct provider *found = NULL;
	struct why why = { 0, "" };
	enum fault fault = FAULT_GARBLED;

	issuer->exchange = NULL;
	if (answer->trouble == HTTP_ANSWERED && answer->status == 200) {
		fault = issuer_read_metadata(answer->body,
		    issuer->provider->issuer, &found, &why);
		if (fault)
			keep_text(issuer, true,
			    fault == FAULT_GARBLED ? why.text :
						     fault_text(fault));
	} else {
		keep_text(issuer, false, answer->text);
	}
	/* Who cannot be reached here cannot be reached there. */
	if (found == NULL && issuer->place == ISSUER_OPENID &&
	    fault != FAULT_NOMEM &&
	    (answer->trouble == HTTP_ANSWERED ||
		answer->trouble == HTTP_TOO_BIG) &&
	    search(issuer, ISSUER_RFC8414) == FAULT_NONE)
		return;
	search_end(issuer, found);
}

static enum fault search(struct issuer *issuer, enum issuer_place place)
{
	const struct provider *provider = issuer->provider;
	struct buf url = BUF_INIT(URL_MAX_BYTES + 64);
	struct http_request request = {
		.method = HTTP_GET,
		.ca_file = provider->ca_file,
		.ca_path = provider->ca_path,
		.proxy = provider->proxy,
	};
	enum fault fault;

	issuer->place = place;
	fault = issuer_place(provider->issuer, place, &url);
	request.url = url.p;
	if (!fault)
		fault = http_start(issuer->issuers->http, &request,
		    search_answered, issuer, &issuer->exchange);
	buf_drop(&url);
	return fault;
}

static enum fault seek(struct issuer_step *step)
{
	int64_t now_ms = step->wish.now_ms;
	struct issuer *issuer = NULL;
	enum fault fault;

	fault = find_or_add(step->issuers, step->provider, &issuer);
	if (fault)
		return fault;
	if (issuer->exchange == NULL) {
		/* What is kept is young, or the last search failed just now. */
		if ((issuer->failed || issuer->found != NULL) &&
		    now_ms - issuer->asked_ms <
			(issuer->failed ? ISSUERS_HOLD_MS : ISSUERS_KEEP_MS)) {
			proceed(step, issuer);
			return FAULT_NONE;
		}
		issuer->asked_ms = now_ms;
		issuer->text[0] = '\0';
		fault = search(issuer, ISSUER_OPENID);
		if (fault)
			return fault == FAULT_NOMEM ? fault : FAULT_INTERNAL;
	}
	step->issuer = issuer;
	step->next = issuer->waiting;
	issuer->waiting = step;
	return FAULT_NONE;
}

enum fault issuer_start(struct issuers *issuers, const struct issuer_wish *wish,
    struct issuer_step **step_out)
{
	struct issuer_step *step = calloc(1, sizeof(*step));
	enum fault fault = FAULT_NONE;

	*step_out = NULL;
	if (step == NULL)
		return FAULT_NOMEM;
	step->issuers = issuers;
	step->wish = *wish;
	step->provider = provider_share(wish->provider);
	step->starting = true;
	if (step->provider->incomplete)
		fault = seek(step);
	else
		proceed(step, NULL);
	step->starting = false;
	if (fault)
		issuer_cancel(step);
	else if (step->ended)
		step_end(step, step->end.fault, step->end.text);
	else
		*step_out = step;
	return fault;
}
