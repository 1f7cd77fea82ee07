/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * No secret comes back in a text: what an answer says is compared with what
 * was sent for it and with the tokens it brings.
 */
#include "oauth/form.h"
#include "oauth/reply_impl.h"
#include "wire/echo.h"

#define SENT_MAX_BYTES 131072

/* Fields of requests, RFC 6749, 7009, 7521, 7636, 8628. */
static const char *const sent[] = { "refresh_token", "token", "code",
	"code_verifier", "device_code", "client_secret", "client_assertion",
	"assertion" };

/* Members of answers, RFC 6749, 7591, 8628; OpenID Connect Core. */
static const char *const received[] = { "access_token", "refresh_token",
	"id_token", "device_code", "client_secret",
	"registration_access_token" };

/*
 * Members that reach people.  Of some a note stands for what they said; of
 * others, which have a form or are sent again, their absence says more.
 */
static const struct {
	const char *name;
	bool has_note;
} members[] = {
	{ "error", true },
	{ "error_description", true },
	{ "suberror", true },
	{ "error_subtype", true },
	{ "correlation_id", true },
	{ "trace_id", true },
	{ "scope", false },
	{ "user_code", false },
	{ "verification_uri", false },
	{ "verification_url", false },
	{ "verification_uri_complete", false },
	{ "client_id", false },
	{ "email", false },
	{ "preferred_username", false },
	{ "upn", false },
	{ "unique_name", false },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A field that cannot be compared hides the text. */
static bool repeats_field(struct span form, const char *name, struct span text)
{
	struct buf value = BUF_INIT(SENT_MAX_BYTES);
	enum fault fault = form_get(form, name, &value);
	bool repeats = fault != FAULT_NOT_FOUND &&
	    (fault != FAULT_NONE || echo_holds(text, buf_span(&value)));

	buf_drop(&value);
	return repeats;
}

bool reply_repeats(const struct reply_asked *asked, struct span text)
{
	size_t i;

	if (asked == NULL)
		return false;
	for (i = 0; i < COUNT(sent); i++)
		if (repeats_field(asked->form, sent[i], text))
			return true;
	return asked->client_secret != NULL &&
	    echo_holds(text,
		secret_reveal(asked->client_secret, "to find a copy of it"));
}

static bool repeats_member(const json_t *answer, struct span text)
{
	struct span secret;
	size_t i;

	for (i = 0; i < COUNT(received); i++)
		if (reply_string(answer, received[i], &secret, NULL) ==
			FAULT_NONE &&
		    echo_holds(text, secret))
			return true;
	return false;
}

enum fault reply_hush(json_t *object, const struct reply_asked *asked,
    const json_t *answer)
{
	struct span text;
	size_t i;

	for (i = 0; i < COUNT(members); i++) {
		const char *name = members[i].name;

		if (reply_string(object, name, &text, NULL) != FAULT_NONE ||
		    text.n == 0)
			continue;
		/* What is longer is cut or refused. */
		if (text.n > REPLY_SCOPE_MAX_BYTES)
			text.n = REPLY_SCOPE_MAX_BYTES;
		if (!reply_repeats(asked, text) &&
		    !repeats_member(answer, text))
			continue;
		if (!members[i].has_note)
			(void)json_object_del(object, name);
		else if (json_object_set_new(object, name,
			     json_string(ECHO_HIDDEN)) != 0)
			return FAULT_NOMEM;
	}
	return FAULT_NONE;
}
