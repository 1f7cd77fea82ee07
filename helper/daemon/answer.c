/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One function a list.
 */
#include "daemon/answer.h"

#include <stdio.h>
#include <unistd.h>

#include "wire/base64.h"

static void finish(struct attr_writer *writer)
{
	static const struct answer_refusal sorry = { .fault = FAULT_INTERNAL,
		.retry_after_s = -1 };
	struct buf *out = writer->buf;

	if (attr_end(writer) == FAULT_NONE || out->fault == FAULT_NOMEM)
		return;
	out->fault = FAULT_NONE;
	answer_fault(out, &sorry);
}

static void put_plain(struct attr_writer *writer, const char *name,
    const char *text)
{
	char plain[TEXT_MAX_BYTES];

	attr_plain(span_of(text), plain, sizeof(plain));
	attr_put_str(writer, name, plain);
}

static void put_time(struct attr_writer *writer, const char *name,
    int64_t time_s)
{
	if (time_s > 0)
		attr_put_int(writer, name, time_s);
}

void answer_ok(struct buf *out)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	finish(&writer);
}

void answer_fault(struct buf *out, const struct answer_refusal *refusal)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, fault_word(refusal->fault));
	put_plain(&writer, ATTR_TEXT,
	    refusal->text != NULL ? refusal->text : fault_text(refusal->fault));
	if (refusal->fault == FAULT_TRY_LATER && refusal->retry_after_s >= 0)
		attr_put_int(&writer, ATTR_RETRY_AFTER, refusal->retry_after_s);
	if (refusal->password_as_token)
		attr_put_str(&writer, ATTR_PASSWORD_AS_TOKEN, "yes");
	if (attr_end(&writer) != FAULT_NONE)
		return; /* sticks to out: the connection is closed */
}

void answer_token(struct buf *out, const struct account_answer *answer,
    struct span login)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put(&writer, ATTR_LOGIN, login);
	attr_put_secret(&writer, ATTR_TOKEN, answer->token);
	attr_put_int(&writer, ATTR_EXPIRES, answer->expires_s);
	attr_put_str(&writer, ATTR_SERIAL, answer->serial);
	finish(&writer);
}

/* The end of a sign-in that nobody needs; provider NULL: gone meanwhile. */
void answer_app(struct buf *out, const char *account,
    const struct provider *provider, const struct account_answer *answer)
{
	struct attr_writer writer;
	char servers[4096], text[500];

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_EVENT, EVENT_DONE);
	attr_put_str(&writer, ATTR_RESULT, fault_word(answer->fault));
	if (answer->fault != FAULT_NONE) {
		put_plain(&writer, ATTR_TEXT, answer->text);
	} else if (provider != NULL) {
		answer_servers(provider, account, NULL, servers,
		    sizeof(servers));
		attr_put_str(&writer, ATTR_ACCOUNT, account);
		attr_put_str(&writer, ATTR_PROVIDER, provider->name);
		attr_put_str(&writer, ATTR_FLOW,
		    flow_kind_word(provider->flow));
		attr_put_str(&writer, ATTR_SERVERS, servers);
		(void)snprintf(text, sizeof(text),
		    "%.254s needs no sign-in: the application of provider "
		    "'%.64s' signs in for itself, and that works",
		    account, provider->name);
		put_plain(&writer, ATTR_TEXT, text);
	}
	finish(&writer);
}

void answer_refreshed(struct buf *out, const char *account, int64_t expires_s)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	attr_put_int(&writer, ATTR_EXPIRES, expires_s);
	finish(&writer);
}

void answer_due(struct buf *out, const char *account,
    const struct account_answer *answer)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	attr_put_str(&writer, ATTR_OUTCOME, fault_word(answer->fault));
	if (answer->fault == FAULT_NONE)
		attr_put_int(&writer, ATTR_EXPIRES, answer->expires_s);
	else
		put_plain(&writer, ATTR_TEXT, answer->text);
	finish(&writer);
}

void answer_import(struct buf *out, const char *account, const char *provider,
    struct answer_warnings warnings)
{
	struct attr_writer writer;
	size_t i;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	put_plain(&writer, ATTR_PROVIDER, provider);
	for (i = 0; i < warnings.n; i++)
		put_plain(&writer, ATTR_WARNING, warnings.at[i]);
	finish(&writer);
}

/* Without a record: only its name. */
void answer_export(struct buf *out, const char *account, struct span record)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	if (record.n > 0)
		base64_put(&writer, ATTR_DATA, record);
	finish(&writer);
}

void answer_forgotten(struct buf *out, const struct forget_end *end)
{
	static const char *const words[] = {
		[FORGET_REVOKED] = "yes",
		[FORGET_NOT_REVOKED] = "no",
		[FORGET_UNSUPPORTED] = "unsupported",
	};
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_DELETED, end->deleted ? "yes" : "no");
	attr_put_str(&writer, ATTR_REVOKED, words[end->revoked]);
	if (end->text != NULL)
		put_plain(&writer, ATTR_TEXT, end->text);
	finish(&writer);
}

void answer_view(struct buf *out, const struct account_view *view,
    const char *servers)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ACCOUNT, view->account);
	if (view->provider != NULL)
		attr_put_str(&writer, ATTR_PROVIDER, view->provider);
	attr_put_str(&writer, ATTR_STATE, account_state_word(view->state));
	if (servers != NULL && servers[0] != '\0')
		attr_put_str(&writer, ATTR_SERVERS, servers);
	put_time(&writer, ATTR_EXPIRES, view->expires_s);
	put_time(&writer, ATTR_REFRESHED, view->refreshed_s);
	put_time(&writer, ATTR_GRANT_EXPIRES, view->grant_expires_s);
	put_time(&writer, ATTR_NEXT_TRY, view->next_try_s);
	attr_put_str(&writer, ATTR_UNSAVED, view->unsaved ? "yes" : "no");
	if (view->text != NULL)
		put_plain(&writer, ATTR_TEXT, view->text);
	finish(&writer);
}

void answer_watching(struct buf *out)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_EVENT, EVENT_WATCHING);
	finish(&writer);
}

void answer_version(struct buf *out, const char *keyring)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_VERSION, MAILTOKEN_VERSION);
	attr_put_str(&writer, ATTR_PROTOCOL, WIRE_VERSION);
	if (keyring != NULL) {
		put_plain(&writer, ATTR_KEYRING, keyring);
		attr_put_int(&writer, ATTR_PID, (int64_t)getpid());
	}
	finish(&writer);
}

void answer_servers(const struct provider *provider, const char *account,
    const char *more, char *out, size_t out_bytes)
{
	const char *at = strrchr(account, '@');
	size_t i, used = 0;
	int n = 0;

	out[0] = '\0';
	for (i = 0; i < provider->n_servers; i++) {
		n = snprintf(out + used, out_bytes - used, "%s%s",
		    used > 0 ? " " : "", provider->servers[i]);
		if (n < 0 || (size_t)n >= out_bytes - used)
			goto cut;
		used += (size_t)n;
	}
	if (provider->n_servers == 0 && at != NULL)
		n = snprintf(out, out_bytes, "%s *.%s", at + 1, at + 1);
	else
		n = 0;
	if (n < 0 || (size_t)n >= out_bytes - used)
		goto cut;
	used += (size_t)n;
	if (more != NULL && more[0] != '\0') {
		n = snprintf(out + used, out_bytes - used, "%s%s",
		    used > 0 ? " " : "", more);
		if (n < 0 || (size_t)n >= out_bytes - used)
			goto cut;
	}
	return;
cut:
	out[used] = '\0';
}

static void put_device(struct attr_writer *writer,
    const struct signin_event *event)
{
	const struct reply_device *device = event->device;

	attr_put_str(writer, ATTR_USER_CODE, device->user_code);
	attr_put_str(writer, ATTR_VERIFICATION_URI, device->verification_uri);
	if (device->verification_uri_complete != NULL)
		attr_put_str(writer, ATTR_VERIFICATION_URI_COMPLETE,
		    device->verification_uri_complete);
	attr_put_int(writer, ATTR_EXPIRES_IN, event->left_s);
}

/* With which provider and how, and why so. */
static void put_choice(struct attr_writer *writer,
    const struct signin_event *event)
{
	attr_put_str(writer, ATTR_PROVIDER, event->provider->name);
	attr_put_str(writer, ATTR_FLOW, flow_kind_word(event->flow));
	put_plain(writer, ATTR_TEXT, event->text);
}

static void put_done(struct attr_writer *writer,
    const struct signin_event *event)
{
	char servers[4096];
	size_t i;

	attr_put_str(writer, ATTR_RESULT, fault_word(event->fault));
	if (event->fault != FAULT_NONE) {
		put_plain(writer, ATTR_TEXT, event->text);
		return;
	}
	answer_servers(event->provider, event->entry->account,
	    event->entry->servers, servers, sizeof(servers));
	attr_put_str(writer, ATTR_ACCOUNT, event->entry->account);
	attr_put_str(writer, ATTR_PROVIDER, event->provider->name);
	attr_put_str(writer, ATTR_SERVERS, servers);
	if (event->identity != NULL)
		put_plain(writer, ATTR_IDENTITY, event->identity);
	for (i = 0; i < 3 && event->warnings[i] != NULL; i++)
		put_plain(writer, ATTR_WARNING, event->warnings[i]);
}

void answer_signin(struct buf *out, const struct signin_event *event)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	switch (event->kind) {
	case SIGNIN_SHOW_CODE:
		attr_put_str(&writer, ATTR_EVENT, EVENT_SHOW_CODE);
		put_device(&writer, event);
		put_choice(&writer, event);
		break;
	case SIGNIN_SHOW_URL:
		attr_put_str(&writer, ATTR_EVENT, EVENT_SHOW_URL);
		attr_put_str(&writer, ATTR_URL, event->url);
		attr_put_str(&writer, ATTR_REDIRECT_URI, event->redirect_uri);
		attr_put_int(&writer, ATTR_EXPIRES_IN, event->left_s);
		put_choice(&writer, event);
		break;
	case SIGNIN_WAITING:
		attr_put_str(&writer, ATTR_EVENT, EVENT_WAITING);
		attr_put_int(&writer, ATTR_EXPIRES_IN, event->left_s);
		break;
	case SIGNIN_ASK:
		attr_put_str(&writer, ATTR_EVENT, EVENT_ASK);
		attr_put_str(&writer, ATTR_QUESTION, event->question);
		if (event->identity != NULL)
			put_plain(&writer, ATTR_IDENTITY, event->identity);
		put_plain(&writer, ATTR_TEXT, event->text);
		break;
	case SIGNIN_DONE:
		attr_put_str(&writer, ATTR_EVENT, EVENT_DONE);
		put_done(&writer, event);
		break;
	}
	finish(&writer);
}
