/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One function a list.
 */
#include "daemon/answer.h"

#include <stdio.h>
#include <unistd.h>

#include "wire/base64.h"

#define SERVERS_BYTES 4096 /* shown; the end of a longer list is cut */

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

	attr_plain_rest(text, plain, sizeof(plain));
	attr_put_str(writer, name, plain);
}

static void put_time(struct attr_writer *writer, const char *name,
    int64_t time_s)
{
	if (time_s > 0)
		attr_put_int(writer, name, time_s);
}

/* One more name, if there is room for all of it. */
static void add_name(char list[SERVERS_BYTES], const char *before,
    const char *name)
{
	size_t n = strlen(list);
	int added = snprintf(list + n, SERVERS_BYTES - n, "%s%s%s",
	    n > 0 ? " " : "", before, name);

	if (added < 0 || (size_t)added >= SERVERS_BYTES - n)
		list[n] = '\0';
}

/* A provider's servers, for an account, and more of them, or NULL. */
static void put_servers(struct attr_writer *writer,
    const struct provider *provider, const char *account, const char *more)
{
	const char *at = strrchr(account, '@');
	char list[SERVERS_BYTES] = "";

	if (provider->servers != NULL)
		add_name(list, "", provider->servers);
	else if (at != NULL) {
		add_name(list, "", at + 1);
		add_name(list, "*.", at + 1);
	}
	if (more != NULL && more[0] != '\0')
		add_name(list, "", more);
	if (list[0] != '\0')
		attr_put_str(writer, ATTR_SERVERS, list);
}

void answer_ok(struct buf *out)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	finish(&writer);
}

void answer_ok_but(struct buf *out, struct answer_warnings warnings)
{
	struct attr_writer writer;
	size_t i;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	for (i = 0; i < warnings.n; i++)
		put_plain(&writer, ATTR_WARNING, warnings.at[i]);
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
	attr_put_secret(&writer, ATTR_TOKEN, answer->entry->access_token);
	attr_put_int(&writer, ATTR_EXPIRES, answer->entry->expires_s);
	attr_put_str(&writer, ATTR_SERIAL, answer->entry->serial);
	finish(&writer);
}

/* The end of a sign-in that nobody needs; provider NULL: gone meanwhile. */
void answer_app(struct buf *out, const char *account,
    const struct provider *provider, const struct account_answer *answer)
{
	struct attr_writer writer;
	char text[500];

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_EVENT, EVENT_DONE);
	attr_put_str(&writer, ATTR_RESULT, fault_word(answer->fault));
	if (answer->fault != FAULT_NONE) {
		put_plain(&writer, ATTR_TEXT, answer->text);
	} else if (provider != NULL) {
		attr_put_str(&writer, ATTR_ACCOUNT, account);
		attr_put_str(&writer, ATTR_PROVIDER, provider->name);
		attr_put_str(&writer, ATTR_FLOW,
		    flow_kind_word(provider->flow));
		put_servers(&writer, provider, account, NULL);
		(void)snprintf(text, sizeof(text),
		    "%.254s needs no sign-in: the application of provider "
		    "'%.64s' signs in for itself, and that works",
		    account, provider->name);
		put_plain(&writer, ATTR_TEXT, text);
	}
	finish(&writer);
}

static void put_renewed(struct attr_writer *writer,
    const struct account_answer *answer)
{
	attr_put_int(writer, ATTR_EXPIRES, answer->entry->expires_s);
	if (answer->unsaved)
		attr_put_str(writer, ATTR_UNSAVED, "yes");
}

void answer_refreshed(struct buf *out, const char *account,
    const struct account_answer *answer)
{
	struct attr_writer writer;

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_ACCOUNT, account);
	put_renewed(&writer, answer);
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
		put_renewed(&writer, answer);
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
    const struct provider *provider)
{
	struct attr_writer writer;
	char text[ACCOUNT_MAX_BYTES + 120];

	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_ACCOUNT, view->account);
	if (view->provider != NULL)
		attr_put_str(&writer, ATTR_PROVIDER, view->provider);
	attr_put_str(&writer, ATTR_STATE, account_state_word(view->state));
	if (provider != NULL)
		put_servers(&writer, provider, view->account, view->servers);
	put_time(&writer, ATTR_EXPIRES, view->expires_s);
	put_time(&writer, ATTR_REFRESHED, view->refreshed_s);
	put_time(&writer, ATTR_GRANT_EXPIRES, view->grant_expires_s);
	put_time(&writer, ATTR_NEXT_TRY, view->next_try_s);
	attr_put_str(&writer, ATTR_UNSAVED, view->unsaved ? "yes" : "no");
	if (view->text != NULL) {
		put_plain(&writer, ATTR_TEXT, view->text);
	} else if (view->untried) {
		(void)snprintf(text, sizeof(text),
		    "imported, and not renewed yet: whether the grant works "
		    "shows when you run: mailtoken refresh %s",
		    view->account);
		put_plain(&writer, ATTR_TEXT, text);
	}
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
	const struct entry *entry = event->entry;
	size_t i;

	attr_put_str(writer, ATTR_RESULT, fault_word(event->fault));
	if (event->fault != FAULT_NONE) {
		put_plain(writer, ATTR_TEXT, event->text);
		return;
	}
	attr_put_str(writer, ATTR_ACCOUNT, entry->account);
	attr_put_str(writer, ATTR_PROVIDER, event->provider->name);
	put_servers(writer, event->provider, entry->account, entry->servers);
	if (event->identity != NULL)
		put_plain(writer, ATTR_IDENTITY, event->identity);
	for (i = 0; i < SIGNIN_WARNINGS && event->warnings[i] != NULL; i++)
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
